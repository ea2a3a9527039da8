/** What is stored of a file, from any place: the same bytes each time, hashed once. docs/protocol/attachments.md §1, §4 */
import { createHash, randomBytes } from 'node:crypto';
import { attachmentSealer, storedSize } from '@island/protocol/crypto/attachment.ts';
import { sha256 } from '@island/protocol/crypto/primitives.ts';
import t from 'tap';
import { openStoredBytes } from './stored-bytes.ts';

const size = 3_000_000;
const total = storedSize(size);
const file = randomBytes(size);
const sealer = attachmentSealer(randomBytes(32), size, sha256(file));

function opened(pause: () => Promise<void> = async () => undefined) {
  let reading = 0;
  const stored = openStoredBytes(sealer, { size, total }, async (start, end) => {
    reading += 1;
    if (reading > 1) throw new Error('read by two at once');
    await pause();
    reading -= 1;
    return file.subarray(start, end);
  });
  const range = async (start: number, end: number) => {
    const chunks: Buffer[] = [];
    for await (const chunk of stored.from(start, end)) chunks.push(Buffer.from(chunk));
    return Buffer.concat(chunks);
  };
  return { stored, range };
}

const whole = await opened().range(0, total);
const digest = createHash('sha256').update(whole).digest();

t.test('any range is that of the whole, in whatever order they are asked for', async (t) => {
  const { stored, range } = opened();
  for (const [start, end] of [
    [0, 1],
    [0, 600_000],
    [65_536, 700_000],
    [1_310_720, 2_000_000],
    [27, 28],
    [total - 1, total],
    [total, total],
  ] as const) {
    const some = await range(start, end);
    t.ok(some.equals(whole.subarray(start, end)), `${start} to ${end}`);
  }
  t.ok(digest.equals(await stored.digest()), 'hashed once, and in order');
});

t.test('what was stored before is hashed without being asked for', async (t) => {
  t.ok(digest.equals(await opened().stored.digest()));
  const { stored, range } = opened();
  await range(2_031_616, total);
  t.ok(digest.equals(await stored.digest()));
});

t.test('who goes away in the middle of a chunk does not disturb who comes next', async (t) => {
  const { stored, range } = opened(() => new Promise((resolve) => setImmediate(resolve)));
  const left = [stored.from(0, total), stored.from(65_536, total)];
  const chunks: Promise<unknown>[] = [];
  for (const each of left) {
    await each.next();
    chunks.push(each.next());
  }
  t.ok((await range(131_072, total)).equals(whole.subarray(131_072)));
  for (const chunk of chunks) t.same(await chunk, { value: undefined, done: true });
  t.ok(digest.equals(await stored.digest()));
});

t.test(
  'a file that can no longer be read ends all of it, and nothing is read any more',
  async (t) => {
    let reads = 0;
    const stored = openStoredBytes(sealer, { size, total }, async () => {
      reads += 1;
      throw new Error('gone');
    });
    await t.rejects(stored.from(0, total).next(), { message: 'gone' });
    await t.rejects(stored.digest(), { message: 'gone' });
    await stored.rest();
    t.equal(reads, 2);
  },
);
