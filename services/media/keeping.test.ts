/** What was written is told of when it is on the disk, in order, and not after a disk that failed. docs/protocol/attachments.md §5 */
import t from 'tap';
import { openKeeping } from './keeping.ts';

const mebibyte = 1_048_576;

/** A disk on which a sync ends when it is told to. */
function slowDisk() {
  const syncs: { end(): void; fail(error: Error): void }[] = [];
  const run = { written: 0 };
  const kept: number[] = [];
  const file = {
    datasync() {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      syncs.push({ end: resolve, fail: reject });
      return promise;
    },
  };
  const keeping = openKeeping(file, run, async (bytes) => void kept.push(bytes));
  return { syncs, run, kept, keeping };
}

t.test('what is told of was written before its sync began, and the sync has ended', async (t) => {
  const { syncs, run, kept, keeping } = slowDisk();
  run.written = 3 * mebibyte;
  await keeping.step();
  t.equal(syncs.length, 0, 'a little is kept with what follows');
  run.written = 4 * mebibyte;
  await keeping.step();
  run.written = 7 * mebibyte;
  await keeping.step();
  t.same([syncs.length, kept], [1, []]);
  syncs[0]?.end();
  const ended = keeping.end();
  await new Promise((resolve) => setImmediate(resolve));
  t.same([syncs.length, kept], [2, [4 * mebibyte]]);
  syncs[1]?.end();
  await ended;
  t.same(kept, [4 * mebibyte, 7 * mebibyte]);
});

t.test('no more than one sync at a time: a disk that is behind holds the body up', async (t) => {
  const { syncs, run, keeping } = slowDisk();
  run.written = 4 * mebibyte;
  await keeping.step();
  run.written = 8 * mebibyte;
  let stepped = false;
  const step = keeping.step().then(() => {
    stepped = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  t.same([syncs.length, stepped], [1, false]);
  syncs[0]?.end();
  await step;
  t.equal(syncs.length, 2);
  syncs[1]?.end();
  await keeping.end();
  t.equal(syncs.length, 2, 'nothing is left to keep');
});

t.test('after a sync that failed nothing is told of, whatever later ones would say', async (t) => {
  const { syncs, run, kept, keeping } = slowDisk();
  run.written = 4 * mebibyte;
  await keeping.step();
  syncs[0]?.fail(new Error('EIO'));
  run.written = 9 * mebibyte;
  await t.rejects(keeping.step(), { message: 'EIO' });
  await t.rejects(keeping.end(), { message: 'EIO' });
  t.same([syncs.length, kept], [1, []]);
});
