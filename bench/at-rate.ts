/** Work that comes at a rate that others decide, whether or not what came before is done. */
import { setTimeout as pause } from 'node:timers/promises';

/**
 * Milliseconds that each piece of work took, ascending. They count from the moment in which it was due: what waits
 * because the process is busy has waited.
 */
export async function atRate(
  perSecond: number,
  seconds: number,
  work: (at: number) => Promise<unknown>,
): Promise<number[]> {
  const took: number[] = [];
  const flying: Promise<unknown>[] = [];
  const since = performance.now();
  for (let at = 0; at < perSecond * seconds; at++) {
    const due = since + (at * 1000) / perSecond;
    const early = due - performance.now();
    if (early > 1) await pause(early);
    const from = Math.min(due, performance.now());
    flying.push(work(at).then(() => took.push(performance.now() - from)));
  }
  await Promise.all(flying);
  return took.sort((a, b) => a - b);
}
