/** Waiting before another attempt. */
import fc from 'fast-check';
import t from 'tap';
import { backoff, pause } from './backoff.ts';

t.test('waits double up to the ceiling, with up to half taken off at random', (t) => {
  const waits = (random: number) =>
    [1, 2, 3, 4, 5, 60].map((failures) => backoff({ first: 100, most: 1000 }, failures, random));
  t.strictSame(waits(0.999999), [100, 200, 400, 800, 1000, 1000]);
  t.strictSame(waits(0), [50, 100, 200, 400, 500, 500]);
  t.end();
});

t.test('a wait is never negative, never above the ceiling, whatever is asked', (t) => {
  fc.assert(
    fc.property(
      fc.integer(),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (failures, random) => {
        const wait = backoff({ first: 20, most: 500 }, failures, random);
        return wait >= 10 && wait <= 500;
      },
    ),
    { verbose: true },
  );
  t.end();
});

t.test(
  'a pause ends when its signal is aborted, and at once when that has happened already',
  async (t) => {
    const stop = new AbortController();
    const start = performance.now();
    const pausing = pause(60_000, stop.signal, true);
    stop.abort();
    await pausing;
    await pause(60_000, stop.signal);
    t.ok(performance.now() - start < 1000);
  },
);
