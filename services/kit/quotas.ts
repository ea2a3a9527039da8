/**
 * How often something may be done within a stretch of time, by key. Redis holds a restarted process
 * to what was done before; without Redis the process counts alone: never an open door.
 */
import { createHmac } from 'node:crypto';
import { Fault } from '@island/protocol/wire/fault.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import type { Cache } from './cache.ts';
import type { Clock } from './clock.ts';

export interface Quotas {
  /**
   * Counts one more for `key`, in a stretch of `seconds` that begins with its first.
   * Throws `rate_limited` with the seconds to wait, when it is over `most`.
   */
  count(key: string, most: number, seconds: number): Promise<void>;
  /** Begins anew for `key` in its stretch of `seconds`. */
  forgive(key: string, seconds: number): Promise<void>;
}

export interface QuotaParts {
  cache: Cache;
  clock: Clock;
  /** 32 bytes: Redis sees keyed hashes only, not who does what. */
  secret: Uint8Array;
  /** What the keys in Redis begin with. */
  prefix: string;
}

/** Keys counted in the process; the one whose stretch began first goes first. */
const keys = 50_000;

export function createQuotas({ cache, clock, secret, prefix }: QuotaParts): Quotas {
  const counters = new Map<string, { count: number; until: number }>();

  /** The same as Redis counts, for when Redis is away. */
  function countHere(key: string, seconds: number, now: number) {
    const kept = counters.get(key);
    if (kept !== undefined && kept.until > now) {
      kept.count += 1;
      return kept;
    }
    const begun = { count: 1, until: now + seconds * 1000 };
    counters.delete(key);
    counters.set(key, begun);
    const [oldest] = counters.keys();
    if (counters.size > keys && oldest !== undefined) counters.delete(oldest);
    return begun;
  }

  const keyOf = (name: string, seconds: number): string => {
    const digest = createHmac('sha256', secret).update(`${seconds}\0${name}`).digest();
    return base64url(digest.subarray(0, 16));
  };

  return {
    async forgive(name, seconds) {
      const key = keyOf(name, seconds);
      counters.delete(key);
      await cache.remove(`${prefix}:${key}`).catch(() => undefined);
    },
    async count(name, most, seconds) {
      const now = clock.now();
      const key = keyOf(name, seconds);
      // Copied before anything is awaited: others count on meanwhile.
      const { count, until } = countHere(key, seconds, now);
      const there = await cache.count(`${prefix}:${key}`, seconds).catch(() => 0);
      if (Math.max(count, there) > most) {
        throw new Fault('rate_limited', { seconds: Math.ceil((until - now) / 1000) });
      }
    },
  };
}
