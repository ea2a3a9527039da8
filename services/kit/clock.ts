/** Time as an argument, so that tests need not wait. */
export interface Clock {
  /** Unix milliseconds. */
  now(): number;
}

export const systemClock: Clock = { now: () => Date.now() };

export const unixSeconds = (clock: Clock): number => Math.floor(clock.now() / 1000);

/** Days since 1970-01-01 UTC. */
export const unixDay = (clock: Clock): number => Math.floor(clock.now() / 86_400_000);
