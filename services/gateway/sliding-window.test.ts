/** The limit of a socket by itself, with the time as an argument. */
import t from 'tap';
import { SlidingWindow } from './sliding-window.ts';

t.test(
  'T6: no window of one second holds more than 30, however the messages are spaced',
  async (t) => {
    const window = new SlidingWindow(30, 1000);
    const taken: number[] = [];
    let seed = Date.now() % 100_000;
    const printed = seed;
    for (let now = 0; now < 60_000; ) {
      seed = (seed * 16_807) % 2_147_483_647;
      now += seed % 60;
      if (window.take(now)) taken.push(now);
    }
    for (const [at, start] of taken.entries()) {
      const within = taken.slice(at, at + 31).filter((time) => time < start + 1000);
      if (within.length > 30) t.fail(`seed ${printed}: ${within.length} after ${start} ms`);
    }
    t.ok(taken.length > 1000, 'and it does let through');
  },
);

t.test('T6: refused messages do not prolong the refusal', async (t) => {
  const window = new SlidingWindow(30, 1000);
  for (let i = 0; i < 30; i++) t.ok(window.take(0));
  for (let now = 1; now < 1000; now += 10) t.notOk(window.take(now));
  t.ok(window.take(1000));
});
