/** Waiting for a moment of the clock on the wall rather than for a span: a machine that slept wakes up late, not wrong. */

import { pause } from './backoff.ts';
import { type Clock, systemClock } from './clock.ts';

/** Timers stand still while a machine sleeps, so the clock is looked at this often (ms). */
const glance = 30_000;

/** Resolves at `when` (Unix ms) or as soon as `signal` is aborted. Never keeps the process alive by itself. */
export async function until(
  when: number,
  signal?: AbortSignal,
  clock: Clock = systemClock,
): Promise<void> {
  for (let left = when - clock.now(); left > 0; left = when - clock.now()) {
    if (signal?.aborted === true) return;
    await pause(Math.min(left, glance), signal);
  }
}
