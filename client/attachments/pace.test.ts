/** Parts of an upload are as large as the line is fast. */
import { blobPieceBytes } from '@island/protocol/wire/blob-routes.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import t from 'tap';
import { openPace } from './pace.ts';

/** Puts parts over a line of so many bytes a second, each of which is cut after half a minute. */
async function through(bytesPerSecond: number, total: number) {
  let clock = 0;
  let cut = 0;
  const pace = openPace(() => clock);
  for (let done = 0; done < total; ) {
    const { bytes } = pace;
    const seconds = bytes / bytesPerSecond;
    await pace
      .learn(async () => {
        clock += Math.min(30, seconds) * 1000;
        if (seconds > 30) throw new Error('cut');
        done += bytes;
      })
      .catch(() => {
        done += Math.floor((30 * bytesPerSecond) / blobPieceBytes) * blobPieceBytes;
        cut += 1;
      });
  }
  return { pace, cut };
}

t.test('a fast line is sent the largest parts', async (t) => {
  const { pace, cut } = await through(10_000_000, 100 * limits.blobChunkBytes);
  t.equal(pace.bytes, limits.blobChunkBytes);
  t.equal(cut, 0);
});

t.test('a slow line is cut a few times, then never again', async (t) => {
  for (const rate of [5_000, 30_000, 200_000]) {
    const { pace, cut } = await through(rate, 20 * limits.blobChunkBytes);
    t.ok(cut <= 6, `${cut} at ${rate}`);
    t.ok(pace.bytes % blobPieceBytes === 0 && pace.bytes / rate < 30);
  }
});

t.test('a line that grows faster is sent more again', async (t) => {
  let clock = 0;
  const pace = openPace(() => clock);
  const put = (seconds: number) =>
    pace.learn(async () => {
      clock += seconds * 1000;
    });
  for (let i = 0; i < 20; i++) await put(60);
  t.equal(pace.bytes, blobPieceBytes);
  for (let i = 0; i < 20; i++) await put(0.1);
  t.equal(pace.bytes, limits.blobChunkBytes);
});
