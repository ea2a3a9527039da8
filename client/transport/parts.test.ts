/** Parts of attachments that are made while they are sent, over a line that is slower than whoever makes them. */
import { createHash, randomBytes } from 'node:crypto';
import { setImmediate as breath } from 'node:timers/promises';
import t from 'tap';
import { makeChain, serveEdge } from '../testing/edge.ts';
import { nodeTransport } from './node.ts';

const chain = await makeChain(['localhost']);
let received: { length: number; digest: Buffer } | undefined;
const edge = await serveEdge(chain, async (request, response) => {
  const hash = createHash('sha256');
  let length = 0;
  try {
    for await (const chunk of request) {
      // Slower than who sends: what does not fit into the line has to wait.
      await breath();
      hash.update(chunk);
      length += chunk.length;
    }
  } catch {
    return;
  }
  received = { length, digest: hash.digest() };
  response.end('{"offset":0}');
});
t.teardown(() => edge[Symbol.asyncDispose]());
const transport = nodeTransport({ address: edge.address, root: chain.root });
t.teardown(() => transport[Symbol.asyncDispose]());

const put = (length: number, chunks: AsyncIterable<Uint8Array>, signal?: AbortSignal) =>
  transport.blob({
    method: 'PUT',
    path: '/v1/blobs/x?offset=0',
    part: { length, chunks },
    ...(signal && { signal }),
  });

t.test(
  'a chunk was written to the end when the next is asked for: its place may be used again',
  async (t) => {
    for (const size of [16_385, 65_552, 262_144]) {
      const buffer = new Uint8Array(size);
      const hash = createHash('sha256');
      const count = Math.ceil(24_000_000 / size);
      async function* chunks() {
        for (let i = 0; i < count; i++) {
          buffer.set(randomBytes(size));
          hash.update(buffer);
          yield buffer;
          buffer.fill(0);
        }
      }
      const answer = await put(size * count, chunks());
      t.equal(answer.status, 200);
      for await (const _ of answer.body);
      t.equal(received?.length, size * count);
      t.ok(received?.digest.equals(hash.digest()), `chunks of ${size}`);
    }
  },
);

t.test('what the chunks throw, the request throws', async (t) => {
  async function* chunks() {
    yield randomBytes(65_536);
    throw new Error('the file changed');
  }
  await t.rejects(put(1_000_000, chunks()), { message: 'the file changed' });
});

t.test('a part that is given up ends its chunks', async (t) => {
  const stop = new AbortController();
  const { promise, resolve } = Promise.withResolvers<void>();
  async function* chunks() {
    try {
      for (let i = 0; ; i++) {
        if (i === 3) stop.abort(new Error('enough'));
        yield randomBytes(65_536);
      }
    } finally {
      resolve();
    }
  }
  await t.rejects(put(100_000_000, chunks(), stop.signal), { message: 'enough' });
  await promise;
});
