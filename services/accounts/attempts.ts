/**
 * How often one address may try one name: a counter for each pair, so that nobody can lock out
 * somebody who signs in from elsewhere. docs/protocol/accounts.md §3
 */
import { createHmac } from 'node:crypto';
import { Fault } from '@island/protocol/wire/fault.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import type { Cache } from '../kit/cache.ts';
import type { Clock } from '../kit/clock.ts';

export interface Attempts {
  /** Counts one attempt. Throws `rate_limited` with the seconds to wait. */
  admit(name: string, origin: Uint8Array): Promise<void>;
  /** A success: the pair begins anew. */
  forgive(name: string, origin: Uint8Array): Promise<void>;
}

/** After `signInAttempts` at once, one every `signInRefillSeconds` in the long run. */
const windowSeconds = limits.signInAttempts * limits.signInRefillSeconds;
/** Pairs counted in the process; the oldest go first. */
const pairs = 50_000;

/** @param secret 32 bytes: Redis sees keyed hashes only, neither names nor who tried them. */
export function createAttempts(cache: Cache, clock: Clock, secret: Uint8Array): Attempts {
  const counters = new Map<string, { count: number; until: number }>();

  const keyOf = (name: string, origin: Uint8Array): string =>
    base64url(createHmac('sha256', secret).update(origin).update(name).digest().subarray(0, 16));

  function countHere(key: string): number {
    const now = clock.now();
    const kept = counters.get(key);
    const counter =
      kept !== undefined && kept.until > now
        ? kept
        : { count: 0, until: now + windowSeconds * 1000 };
    counter.count += 1;
    counters.delete(key);
    counters.set(key, counter);
    const oldest = counters.keys().next();
    if (counters.size > pairs && oldest.done !== true) counters.delete(oldest.value);
    return counter.count;
  }

  return {
    async admit(name, origin) {
      const key = keyOf(name, origin);
      let count = countHere(key);
      if (count <= limits.signInAttempts) {
        // Without Redis the counter of this process alone decides: never an open door.
        count = Math.max(count, await cache.count(`signin:${key}`, windowSeconds).catch(() => 0));
      }
      if (count > limits.signInAttempts) {
        throw new Fault('rate_limited', { seconds: limits.signInRefillSeconds });
      }
    },
    async forgive(name, origin) {
      const key = keyOf(name, origin);
      counters.delete(key);
      await cache.remove(`signin:${key}`).catch(() => undefined);
    },
  };
}
