/**
 * The way to one witness: HTTPS to the address that the operator gave, with the system's roots, or with the one root
 * of an island, known by its SHA-256. docs/protocol/transparency.md §7
 *
 * Who answers is decided by signatures alone; TLS keeps others from reading and from answering in vain. Without it
 * only this machine is asked.
 */
import { Agent as PlainAgent, request as plainRequest } from 'node:http';
import { Agent, request } from 'node:https';
import { shownRoot } from '../kit/shown-root.ts';

export interface WitnessReply {
  status: number;
  type: string;
  body: string;
}

export interface WitnessDoor extends Disposable {
  /** Both reject where nobody answers in time, or too long an answer comes. */
  post(path: string, body: Uint8Array, signal: AbortSignal): Promise<WitnessReply>;
  get(path: string, signal: AbortSignal): Promise<WitnessReply>;
}

/** Milliseconds for one question, and bytes of its answer. */
const patience = 10_000;
const longest = 65_536;

const loopback = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/** Whether a witness may be asked there. */
export function isWitnessUrl(text: string): boolean {
  const url = URL.parse(text);
  const plain = url?.protocol === 'http:' && loopback.test(url.hostname);
  return (plain || url?.protocol === 'https:') && !/[?#@\s]/.test(text) && text.length <= 1024;
}

/** @param ca SHA-256 of the root certificate (DER) */
export function openDoor(url: string, ca?: Uint8Array): WitnessDoor {
  const prefix = url.replace(/\/+$/, '');
  const secure = prefix.startsWith('https:');
  const plainAgent = new PlainAgent({ keepAlive: true, maxSockets: 2 });
  let agent: Agent | undefined;

  /** The root is asked for once: whoever has been shown the right one keeps it. */
  async function secured(signal: AbortSignal): Promise<Agent> {
    const root = ca === undefined ? undefined : await rootOf(prefix, ca, signal);
    agent ??= new Agent({ keepAlive: true, maxSockets: 2, ...(root && { ca: root }) });
    return agent;
  }

  async function ask(
    path: string,
    body: Uint8Array | undefined,
    signal: AbortSignal,
  ): Promise<WitnessReply> {
    const by = secure ? { agent: agent ?? (await secured(signal)) } : { agent: plainAgent };
    const { promise, resolve, reject } = Promise.withResolvers<WitnessReply>();
    const sent = (secure ? request : plainRequest)(`${prefix}${path}`, {
      ...by,
      method: body === undefined ? 'GET' : 'POST',
      signal: AbortSignal.any([signal, AbortSignal.timeout(patience)]),
      headers:
        body === undefined
          ? {}
          : { 'content-type': 'text/plain; charset=utf-8', 'content-length': body.length },
    });
    sent.once('error', reject);
    sent.once('response', (response) => {
      const chunks: Buffer[] = [];
      let length = 0;
      response.on('data', (chunk: Buffer) => {
        length += chunk.length;
        if (length > longest) response.destroy(new Error('the answer is too long'));
        else chunks.push(chunk);
      });
      response.once('error', reject);
      response.once('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          type: String(response.headers['content-type'] ?? ''),
          body: Buffer.concat(chunks).toString('utf8'),
        }),
      );
    });
    sent.end(body);
    return promise;
  }

  return {
    post: ask,
    get: (path, signal) => ask(path, undefined, signal),
    [Symbol.dispose]() {
      agent?.destroy();
      plainAgent.destroy();
    },
  };
}

async function rootOf(url: string, fingerprint: Uint8Array, signal: AbortSignal): Promise<string> {
  const root = await shownRoot(url, fingerprint, patience, signal);
  if (root === undefined) throw new Error('another island answers there');
  return root;
}
