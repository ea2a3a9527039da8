/** For tests: random numbers that come again with the same seed. */

export interface Dice {
  /** From 0 to 1, without 1. */
  roll(): number;
  /** A whole number from 0, below `n`. */
  below(n: number): number;
  /** Throws for an empty list. */
  pick<T>(from: readonly T[]): T;
}

/** Mulberry32: every seed from 0 to 2^32 - 1 is another sequence. */
export function dice(seed: number): Dice {
  let state = seed >>> 0;
  const roll = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (n: number): number => Math.floor(roll() * n);
  return {
    roll,
    below,
    pick(from) {
      const found = from[below(from.length)];
      if (found === undefined) throw new Error('nothing to pick from');
      return found;
    },
  };
}
