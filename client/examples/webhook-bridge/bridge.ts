/**
 * An incoming webhook: who knows the secret path posts into a channel. Listens on loopback alone; TLS and the way from
 * elsewhere are for a proxy in front of it.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface BridgeParts {
  /** Behind `/hook/`; whoever has it posts. */
  secret: string;
  /** 0 for a free one. */
  port: number;
  /** Queues a post; resolves with its id. */
  post(text: string): Promise<string>;
}

export interface Bridge extends AsyncDisposable {
  port: number;
}

/** Bytes of a request; characters of a post; requests at once; milliseconds for one. */
export const bounds = { body: 16_384, text: 4_000, atOnce: 16, time: 10_000 } as const;

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

class Refusal extends Error {
  readonly status: number;
  constructor(status: number, text: string) {
    super(text);
    this.status = status;
  }
}

export async function openBridge({ secret, port, post }: BridgeParts): Promise<Bridge> {
  const path = digest(`/hook/${secret}`);
  let busy = 0;

  async function take(request: IncomingMessage): Promise<string> {
    // In the same time whatever it is: a path is not found out letter by letter.
    if (!timingSafeEqual(digest(request.url ?? ''), path)) throw new Refusal(404, 'not found');
    if (request.method !== 'POST') throw new Refusal(405, 'only POST');
    if (busy >= bounds.atOnce) throw new Refusal(429, 'too many at once');
    busy += 1;
    try {
      return await post(textOf(await bodyOf(request), request.headers['content-type'] ?? ''));
    } finally {
      busy -= 1;
    }
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const say = (status: number, body: object): void => {
      if (status >= 400) response.setHeader('connection', 'close');
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(`${JSON.stringify(body)}\n`);
    };
    try {
      say(202, { id: await take(request) });
    } catch (error) {
      if (error instanceof Refusal) say(error.status, { error: error.message });
      else say(502, { error: error instanceof Error ? error.message : 'not posted' });
    }
  }

  const server = createServer({ requestTimeout: bounds.time, headersTimeout: bounds.time });
  server.maxConnections = 4 * bounds.atOnce;
  server.on('request', (request, response) => void answer(request, response));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Refused as soon as it is too long, and not when it has come. */
async function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > bounds.body) throw new Refusal(413, `at most ${bounds.body} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

/** `{ "text": … }` as Slack has it, `{ "content": … }` as Discord does, or a text as it is. */
export function textOf(body: string, type: string): string {
  const text = /^application\/json\b/.test(type) ? member(body) : body;
  const trimmed = text.trim();
  if (trimmed === '') throw new Refusal(400, 'there is no text');
  if (trimmed.length > bounds.text) throw new Refusal(413, `at most ${bounds.text} characters`);
  return trimmed;
}

function member(body: string): string {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    throw new Refusal(400, 'that is no JSON');
  }
  if (typeof value === 'object' && value !== null)
    for (const name of ['text', 'content'])
      if (name in value) {
        const text: unknown = (value as Record<string, unknown>)[name];
        if (typeof text === 'string') return text;
      }
  throw new Refusal(400, 'there is no "text" and no "content"');
}
