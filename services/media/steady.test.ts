/** A body that trickles ends; one that is slow does not, nor one whose reader is. */
import { PassThrough, type Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { steady } from './steady.ts';

const pace = { window: 100, least: 10, look: 20 };

/** Chunks of so many bytes, with a pause before each. */
function every(milliseconds: number, bytes: number, count: number): Readable {
  const body = new PassThrough();
  let left = count;
  const timer = setInterval(() => {
    if (body.destroyed || left-- === 0) {
      clearInterval(timer);
      body.end();
    } else body.write(Buffer.alloc(bytes));
  }, milliseconds);
  return body;
}

async function bytesOf(body: Readable, slow = 0): Promise<number> {
  let bytes = 0;
  for await (const chunk of steady(body, pace)) {
    bytes += chunk.length;
    if (slow > 0) await pause(slow);
  }
  return bytes;
}

t.test('a trickle and silence end, with the connection', async (t) => {
  for (const body of [every(20, 1, 100), every(2_000, 1, 1)]) {
    await t.rejects(bytesOf(body), { code: 'too_slow' });
    t.ok(body.destroyed);
  }
});

t.test('a slow body that moves comes to its end', async (t) => {
  t.equal(await bytesOf(every(10, 20, 30)), 600);
});

t.test('a disk that is slow is not the sender’s fault', async (t) => {
  t.equal(await bytesOf(every(1, 1, 4), 150), 4);
});
