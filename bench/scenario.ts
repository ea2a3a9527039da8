/** One row of the benchmark: the same work done by the island and by a yardstick, in the same run. */
export interface Scenario {
  /** What is done, in a few words. */
  name: string;
  /** Of both figures. */
  unit: string;
  /** The ratio aimed at: above one means that ours is better by that much. Absent: no aim was set. */
  target?: number;
  better: 'higher' | 'lower';
  yardstickName: string;
  /** Runs both sides by turns. Throws `Skipped` where the yardstick can't be had. */
  measure(effort: Effort): Promise<Measured>;
}

/** What somebody asked for: figures to trust, or a look in passing. */
export interface Effort {
  quick: boolean;
  /** As large as it gets, however long that takes. */
  nightly: boolean;
}

export interface Measured {
  ours: number;
  yardstick: number;
  /** What a reader of the figures has to know, printed below the table. */
  notes?: readonly string[];
}

/** There is nothing to measure against on this machine; the message says why, in a sentence. */
export class Skipped extends Error {
  override name = 'Skipped';
}

/** CPU seconds that this process, with all its threads, spends on `work`. */
async function cpuSeconds(work: () => Promise<unknown>): Promise<number> {
  globalThis.gc?.();
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

export const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;

/** A side of a comparison: does its work once and answers how many units that were. */
export type Side = () => Promise<number>;

/**
 * Units per CPU second of both sides. Each gets one round to warm up; then they take turns, so that a
 * neighbour on the machine slows both. The figures are medians.
 */
export async function perCpuSecond(
  ours: Side,
  yardstick: Side,
  rounds = 5,
): Promise<{ ours: number; yardstick: number }> {
  const rates: [number[], number[]] = [[], []];
  for (let round = -1; round < rounds; round++) {
    for (const [i, side] of [ours, yardstick].entries()) {
      let units = 0;
      const seconds = await cpuSeconds(async () => {
        units = await side();
      });
      if (round >= 0) rates[i]?.push(units / seconds);
    }
  }
  return { ours: median(rates[0]), yardstick: median(rates[1]) };
}
