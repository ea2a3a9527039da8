/**
 * How often one may ask for what another device left here (Prekey Pogo: whoever drains the one-time
 * prekeys of a device weakens its first messages and learns when it is online). docs/protocol/prekeys.md §5
 */
import { createHmac } from 'node:crypto';
import { Fault } from '@island/protocol/wire/fault.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import type { Cache } from '../kit/cache.ts';
import type { Clock } from '../kit/clock.ts';

export interface HandOutLimits {
  /** Counts one more for `key`. Throws `rate_limited` with the seconds to wait, when it is over `most` in an hour. */
  count(key: string, most: number): Promise<void>;
}

const hour = 3600;
/** Keys counted in the process; the one whose hour began first goes first. */
const keys = 50_000;

/** @param secret 32 bytes: Redis must not learn who wants to write to whom. */
export function createHandOutLimits(cache: Cache, clock: Clock, secret: Uint8Array): HandOutLimits {
  const counters = new Map<string, { count: number; until: number }>();

  /** The same as Redis counts, for when Redis is away. */
  function countHere(key: string, now: number) {
    const kept = counters.get(key);
    if (kept !== undefined && kept.until > now) {
      kept.count += 1;
      return kept;
    }
    const begun = { count: 1, until: now + hour * 1000 };
    counters.delete(key);
    counters.set(key, begun);
    const [oldest] = counters.keys();
    if (counters.size > keys && oldest !== undefined) counters.delete(oldest);
    return begun;
  }

  return {
    async count(name, most) {
      const now = clock.now();
      const digest = createHmac('sha256', secret).update(name).digest();
      const key = base64url(digest.subarray(0, 16));
      // Copied before anything is awaited: others count on meanwhile.
      const { count, until } = countHere(key, now);
      const there = await cache.count(`hand-out:${key}`, hour).catch(() => 0);
      if (Math.max(count, there) > most) {
        throw new Fault('rate_limited', { seconds: Math.ceil((until - now) / 1000) });
      }
    },
  };
}
