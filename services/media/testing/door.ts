/** For tests: the door of media as the edge sees it, over mTLS with the edge's certificate. */
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { clientOptions, type Identity } from '../../kit/mtls.ts';

export interface AskMedia {
  method: string;
  path: string;
  headers?: Readonly<Record<string, string>>;
  /** An iterable is sent as it comes; its length has to be among the headers. */
  body?: Uint8Array | AsyncIterable<Uint8Array>;
  /** The client's address as the edge would put it into X-Real-IP. */
  address?: string;
  signal?: AbortSignal;
}

export interface MediaReply {
  status: number;
  headers: IncomingMessage['headers'];
  body: IncomingMessage;
  bytes(): Promise<Buffer>;
  json(): Promise<Record<string, unknown>>;
}

export interface MediaDoor extends Disposable {
  ask(ask: AskMedia): Promise<MediaReply>;
}

/** @param identity of the peer `edge`, or of another one that tries */
export function mediaDoor(identity: Identity, port: number): MediaDoor {
  const agent = new Agent({ keepAlive: true, ...clientOptions(identity, 'media') } as object);
  return {
    ask({ method, path, headers = {}, body, address = '192.0.2.1', signal }) {
      const { promise, resolve, reject } = Promise.withResolvers<MediaReply>();
      const asked = request({
        host: '127.0.0.1',
        port,
        agent,
        method,
        path,
        signal,
        headers: {
          'X-Real-IP': address,
          ...(body !== undefined && {
            'Content-Type': method === 'POST' ? 'application/json' : 'application/octet-stream',
          }),
          ...(body instanceof Uint8Array && { 'Content-Length': body.length }),
          ...headers,
        },
      } as object);
      asked.once('response', (response) =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: response,
          bytes: () => buffer(response),
          json: async () => JSON.parse((await buffer(response)).toString()),
        }),
      );
      asked.on('error', reject);
      if (body === undefined || body instanceof Uint8Array) asked.end(body);
      else
        Readable.from(body, { objectMode: false })
          .on('error', () => asked.destroy())
          .pipe(asked);
      return promise;
    },
    [Symbol.dispose]: () => agent.destroy(),
  };
}
