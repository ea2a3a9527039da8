/** Parts that are long, or come together: kept while they come, in their order, each byte once. docs/protocol/attachments.md §5 */
import { randomBytes } from 'node:crypto';
import { limits } from '@island/protocol/wire/limits.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import t from 'tap';
import { eventually } from '../kit/testing/outcome.ts';
import { type TestBlob, testMedia } from './testing/media.ts';

const media = await testMedia();
t.teardown(() => media[Symbol.asyncDispose]());
const piece = 65_536;
const mebibyte = 1_048_576;

/** A part that stops in the middle, and goes on or breaks off when it is told to. */
function halting(blob: TestBlob, offset: number, bytes: Uint8Array, at: number) {
  const { promise, resolve } = Promise.withResolvers<void>();
  const stop = new AbortController();
  const body = async function* () {
    for (let from = 0; from < at; from += piece)
      yield bytes.subarray(from, Math.min(at, from + piece));
    await promise;
    for (let from = at; from < bytes.length; from += piece)
      yield bytes.subarray(from, from + piece);
  };
  const reply = media.door.ask({
    method: 'PUT',
    path: `${blob.path}?offset=${offset}`,
    headers: { 'blob-key': base64url(blob.key), 'content-length': String(bytes.length) },
    body: body(),
    signal: stop.signal,
  });
  reply.catch(() => undefined);
  return { reply, goOn: resolve, breakOff: () => stop.abort() };
}

t.test('of a long part what came is kept while the rest is still to come', async (t) => {
  const bytes = randomBytes(limits.blobChunkBytes);
  const blob = await media.begun(bytes.length);
  const part = halting(blob, 0, bytes, 13 * mebibyte);
  await eventually(async () => (await media.stored(blob)) >= 8 * mebibyte);
  t.ok((await media.stored(blob)) <= 13 * mebibyte);
  part.goOn();
  t.same(await (await part.reply).json(), { offset: bytes.length });
  t.ok((await (await media.get(blob)).bytes()).equals(bytes));
});

t.test('no part is longer than the limit', async (t) => {
  const blob = await media.begun(2 * limits.blobChunkBytes);
  const reply = await media.put(blob, 0, randomBytes(limits.blobChunkBytes + piece));
  t.equal((await reply.json())['code'], 'too_large');
  t.equal(await media.stored(blob), 0);
});

t.test(
  'a part that comes before the one that it follows is stored behind it, if that is on its way',
  async (t) => {
    const bytes = randomBytes(12 * mebibyte);
    const blob = await media.begun(bytes.length);
    const half = 6 * mebibyte;
    const first = halting(blob, 0, bytes.subarray(0, half), 5 * mebibyte);
    await eventually(async () => (await media.stored(blob)) >= 4 * mebibyte);
    const second = media.put(blob, half, bytes.subarray(half));
    first.goOn();
    t.same(await (await first.reply).json(), { offset: half });
    t.same(await (await second).json(), { offset: bytes.length });
    t.ok((await (await media.get(blob)).bytes()).equals(bytes));
  },
);

t.test(
  'a part whose predecessor breaks off, or never comes, is refused with the place, and nothing of it counts',
  async (t) => {
    const bytes = randomBytes(12 * mebibyte);
    const blob = await media.begun(bytes.length);
    const half = 6 * mebibyte;
    const early = await media.put(blob, half, bytes.subarray(half));
    t.match(await early.json(), { code: 'upload_offset', details: { offset: 0 } });
    const first = halting(blob, 0, bytes.subarray(0, half), 5 * mebibyte + 100);
    await eventually(async () => (await media.stored(blob)) >= 4 * mebibyte);
    const second = media.put(blob, half, bytes.subarray(half));
    first.breakOff();
    t.match(await (await second).json(), {
      code: 'upload_offset',
      details: { offset: 5 * mebibyte },
    });
    const rest = await media.put(blob, 5 * mebibyte, bytes.subarray(5 * mebibyte));
    t.same(await rest.json(), { offset: bytes.length });
    t.ok((await (await media.get(blob)).bytes()).equals(bytes));
  },
);

t.test(
  'two clients at one blob, with parts of other lengths: each byte is stored once',
  async (t) => {
    const bytes = randomBytes(20 * mebibyte);
    const blob = await media.begun(bytes.length);
    const run = async (length: number) => {
      for (let at = 0; at < bytes.length; ) {
        const reply = await media.put(blob, at, bytes.subarray(at, at + length));
        const answer = await reply.json();
        const details = answer['details'] as { offset: number } | undefined;
        at = Number(answer['offset'] ?? details?.offset);
      }
    };
    await Promise.all([run(3 * mebibyte), run(11 * mebibyte)]);
    t.ok((await (await media.get(blob)).bytes()).equals(bytes));
  },
);
