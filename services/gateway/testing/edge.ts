/** For tests: the gateway as the edge sees it, over mTLS with the edge's certificate. */
import { Agent, request } from 'node:https';
import type { ConnectionOptions } from 'node:tls';
import type { Fault } from '@island/protocol/wire/fault.ts';
import {
  type ClientFrame,
  decodeServerFrame,
  encodeClientFrame,
  type ServerFrame,
} from '@island/protocol/wire/frames.ts';
import { socketPath } from '@island/protocol/wire/routes.ts';
import { WebSocket } from 'ws';
import { clientOptions, type Identity } from '../../kit/mtls.ts';
import { eventually } from '../../kit/testing/outcome.ts';

export interface Reply {
  status: number;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  body: string;
  bytes: Uint8Array;
  json(): { code?: Fault['code'] } & Record<string, unknown>;
}

export interface Ask {
  method?: string;
  body?: Uint8Array | string;
  headers?: Readonly<Record<string, string>>;
  /** The client's address as the edge would put it into X-Real-IP. */
  address?: string;
  /** From `agent()`, for many requests over few connections; otherwise each has its own. */
  agent?: Agent;
}

/** One socket of a client. Everything that arrives is kept. */
export interface TestSocket extends Disposable {
  readonly raw: WebSocket;
  readonly frames: ServerFrame[];
  /** Code of the close, once there was one. */
  readonly closed: number | undefined;
  send(frame: ClientFrame): void;
  bytes(data: Uint8Array | string): void;
  /** Sequence numbers of the envelopes so far. */
  seqs(): number[];
  /** Codes of the FAULT frames so far. */
  faults(): string[];
  /** Resolves with the close code. */
  end(): Promise<number>;
}

export interface Edge {
  ask(path: string, ask?: Ask): Promise<Reply>;
  /** @param address of the client, as the edge would say it */
  socket(address?: string): Promise<TestSocket>;
  /** A socket that has got its READY. */
  hello(access: string): Promise<TestSocket>;
  tls(): ConnectionOptions;
  agent(connections: number): Agent;
}

/** @param identity of the peer `edge`, or of another one that tries */
export function testEdge(identity: Identity, port: number): Edge {
  const tls = (): ConnectionOptions => ({
    host: '127.0.0.1',
    port,
    ...clientOptions(identity, 'gateway'),
  });

  async function socket(address = '192.0.2.1'): Promise<TestSocket> {
    const raw = new WebSocket(`wss://127.0.0.1:${port}${socketPath}`, {
      ...clientOptions(identity, 'gateway'),
      perMessageDeflate: false,
      headers: { 'X-Real-IP': address },
    });
    const frames: ServerFrame[] = [];
    let code: number | undefined;
    raw.on('message', (data: Buffer) => frames.push(decodeServerFrame(new Uint8Array(data))));
    raw.on('error', () => undefined);
    raw.on('close', (closed) => {
      code = closed;
    });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    raw.once('open', resolve).once('error', reject);
    await promise;
    return {
      raw,
      frames,
      get closed() {
        return code;
      },
      send: (frame) => raw.send(encodeClientFrame(frame)),
      bytes: (data) => raw.send(data),
      seqs: () => frames.flatMap((frame) => (frame.type === 'envelope' ? [frame.seq] : [])),
      faults: () => frames.flatMap((frame) => (frame.type === 'fault' ? [frame.code] : [])),
      async end() {
        await eventually(() => code !== undefined);
        return code ?? 0;
      },
      [Symbol.dispose]: () => raw.terminate(),
    };
  }

  return {
    tls,
    socket,
    // Node reuses no connection of a request that brings its own `checkServerIdentity`.
    agent: (maxSockets) => new Agent({ keepAlive: true, maxSockets, ...tls() }),
    async hello(access) {
      const opened = await socket();
      opened.send({ type: 'hello', access });
      await eventually(() => opened.frames.length > 0);
      const [first] = opened.frames;
      if (first?.type !== 'ready') throw new Error(`no READY: ${JSON.stringify(first)}`);
      return opened;
    },
    ask(path, ask = {}) {
      const { method = 'GET', body, headers = {}, address = '192.0.2.1', agent } = ask;
      const { promise, resolve, reject } = Promise.withResolvers<Reply>();
      const type = typeof body === 'string' ? 'application/json' : 'application/octet-stream';
      const asked = request({
        ...(agent === undefined ? { ...tls(), agent: false } : { host: '127.0.0.1', port, agent }),
        method,
        path,
        headers: {
          'X-Real-IP': address,
          ...(body === undefined
            ? {}
            : { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) }),
          ...headers,
        },
      } as object);
      asked.once('error', reject).once('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.once('end', () => {
          const bytes = Buffer.concat(chunks);
          const text = bytes.toString();
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: text,
            bytes,
            json: () => JSON.parse(text),
          });
        });
      });
      asked.end(body);
      return promise;
    },
  };
}
