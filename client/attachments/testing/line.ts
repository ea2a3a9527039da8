/** For tests: a client's line to a real media service. Requests pass through an edge of the test, which may cut, alter and count. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream';
import { Reader } from '@island/protocol/wire/bytes.ts';
import { readToken, type Token } from '@island/protocol/wire/token.ts';
import { type TestMedia, testMedia, tokens } from '../../../services/media/testing/media.ts';
import { memoryStorage } from '../../storage/memory.ts';
import type { Storage } from '../../storage/storage.ts';
import { makeChain, serveEdge } from '../../testing/edge.ts';
import { nodeTransport } from '../../transport/node.ts';
import type { Transport } from '../../transport/transport.ts';
import type { UploadOptions } from '../upload.ts';

export interface Passing {
  method: string;
  path: string;
  headers: IncomingMessage['headers'];
  /** How many requests of that method came before. */
  nth: number;
}

export interface TestLine extends AsyncDisposable {
  media: TestMedia;
  transport: Transport;
  /** Every request that came. */
  seen: Passing[];
  /** Bytes of bodies that went each way. */
  bytes: { up: number; down: number };
  /** Called for each request, may be set at any time. */
  line: {
    /** Bytes of the request's body after which the connection is cut. */
    cutUp?: (passing: Passing) => number | undefined;
    /** The answer is lost: the request was done. */
    lose?: (passing: Passing) => boolean;
    /** Of the answer's body: what is passed on of it, and whether the connection is cut then. */
    alter?: (passing: Passing, chunk: Buffer, at: number) => Buffer | 'cut';
  };
  /** A wallet that never empties. */
  take: UploadOptions['tokens'];
  storage: Storage;
}

export async function testLine(): Promise<TestLine> {
  await using held = new AsyncDisposableStack();
  const media = held.use(await testMedia());
  const chain = await makeChain(['localhost']);
  const seen: Passing[] = [];
  const bytes = { up: 0, down: 0 };
  const line: TestLine['line'] = {};
  const storage = memoryStorage();

  async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url: path = '', headers, socket } = request;
    const nth = seen.filter((each) => each.method === method).length;
    const passing = { method, path, headers, nth };
    seen.push(passing);
    const most = line.cutUp?.(passing);
    const body = (async function* () {
      let sent = 0;
      for await (const chunk of request as AsyncIterable<Buffer>) {
        const some = most === undefined ? chunk : chunk.subarray(0, Math.max(0, most - sent));
        sent += some.length;
        bytes.up += some.length;
        yield some;
        if (most === undefined || sent < most) continue;
        socket.destroy();
        throw new Error('cut');
      }
    })();
    const { 'content-length': length, 'blob-key': key, range, cookie, authorization } = headers;
    const passed = { 'content-length': length, 'blob-key': key, range, cookie, authorization };
    const reply = await media.door.ask({
      method,
      path,
      headers: Object.fromEntries(
        Object.entries(passed).flatMap(([name, value]) =>
          typeof value === 'string' ? [[name, value]] : [],
        ),
      ),
      ...(length !== undefined && { body }),
    });
    if (line.lose?.(passing)) {
      await reply.bytes();
      socket.destroy();
      return;
    }
    response.writeHead(reply.status, reply.headers as Record<string, string>);
    let at = 0;
    const altered = async function* () {
      for await (const chunk of reply.body as AsyncIterable<Buffer>) {
        const out = line.alter ? line.alter(passing, chunk, at) : chunk;
        if (out === 'cut') {
          socket.destroy();
          return;
        }
        at += chunk.length;
        bytes.down += out.length;
        yield out;
      }
    };
    pipeline(altered, response, () => undefined);
  }

  const edge = held.use(
    await serveEdge(chain, (request, response) => {
      const { socket } = request;
      pass(request, response).catch(() => socket.destroy());
    }),
  );
  const transport = held.use(nodeTransport({ address: edge.address, root: chain.root }));
  const stack = held.move();
  return {
    media,
    transport,
    seen,
    bytes,
    line,
    storage,
    async take(count, batchOf) {
      const from = new Reader(tokens(count * 8_388_608));
      const taken: Token[] = Array.from({ length: count }, () => readToken(from));
      await storage.commit(batchOf(taken));
      return taken;
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
