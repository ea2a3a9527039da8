/**
 * The way to one witness: HTTPS to the address that the operator gave, with the system's roots, or with the one root
 * of an island, known by its SHA-256. docs/protocol/transparency.md §7
 *
 * Who answers is decided by signatures alone; TLS keeps others from reading and from answering in vain. Without it
 * only this machine is asked.
 */
import { X509Certificate } from 'node:crypto';
import { Agent as PlainAgent, request as plainRequest } from 'node:http';
import { Agent, request } from 'node:https';
import { isIP } from 'node:net';
import { connect, type DetailedPeerCertificate } from 'node:tls';
import { equal, sha256 } from '@island/protocol/crypto/primitives.ts';

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
/** A chain is short; one without end is not followed. */
const longestChain = 8;

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

  async function secured(): Promise<Agent> {
    const root = ca === undefined ? undefined : await fetchRoot(prefix, ca);
    agent ??= new Agent({ keepAlive: true, maxSockets: 2, ...(root && { ca: root }) });
    return agent;
  }

  async function ask(
    path: string,
    body: Uint8Array | undefined,
    signal: AbortSignal,
  ): Promise<WitnessReply> {
    const by = secure ? { agent: agent ?? (await secured()) } : { agent: plainAgent };
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

/**
 * PEM of the root, from a handshake over which nothing is sent: an island shows its root with its chain. Whether its
 * certificate leads to it is then decided by an ordinary, verified handshake.
 */
async function fetchRoot(url: string, fingerprint: Uint8Array): Promise<string> {
  for (const der of await chain(url)) {
    if (!equal(sha256(der), fingerprint)) continue;
    const root = new X509Certificate(der);
    if (root.ca && root.checkIssued(root) && root.verify(root.publicKey)) return root.toString();
  }
  throw new Error('another island answers there');
}

function chain(url: string): Promise<Uint8Array[]> {
  const { hostname, port } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array[]>();
  const socket = connect({
    host,
    port: Number(port || 443),
    ...(isIP(host) === 0 && { servername: host }),
    minVersion: 'TLSv1.2',
    // The chain is only looked at; the root is recognised by its hash.
    rejectUnauthorized: false,
  });
  socket.setTimeout(patience, () => socket.destroy(new Error('nobody answers in time')));
  socket.once('secureConnect', () => {
    const found: Uint8Array[] = [];
    let next: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
    while (next?.raw && found.length < longestChain) {
      found.push(next.raw);
      next = next.issuerCertificate === next ? undefined : next.issuerCertificate;
    }
    socket.destroy();
    resolve(found);
  });
  socket.once('error', reject);
  return promise;
}
