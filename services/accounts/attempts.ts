/**
 * How often one address may try one name: a bucket for each pair, so that nobody can lock out
 * somebody who signs in from elsewhere. docs/protocol/accounts.md §3
 */
import { createHmac } from 'node:crypto';
import { Fault } from '@island/protocol/wire/fault.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import type { Cache } from '../kit/cache.ts';
import type { Clock } from '../kit/clock.ts';
import { TokenBuckets } from '../kit/token-buckets.ts';

export interface Attempts {
  /** Takes one attempt. Throws `rate_limited` with the seconds until the next. */
  admit(name: string, origin: Uint8Array): Promise<void>;
  /** A success: the pair begins anew. */
  forgive(name: string, origin: Uint8Array): Promise<void>;
}

const { signInAttempts, signInRefillSeconds } = limits;
/** A bucket that was empty is full again after this long. */
const windowSeconds = signInAttempts * signInRefillSeconds;
/** What a bucket lets through within one window at most: it full, and its refill. Redis holds a restarted process to it. */
const mostInWindow = 2 * signInAttempts;
/** Pairs kept in the process; the one tried longest ago goes first. */
const pairs = 50_000;

/** @param secret 32 bytes: Redis sees keyed hashes only, neither names nor who tried them. */
export function createAttempts(cache: Cache, clock: Clock, secret: Uint8Array): Attempts {
  const buckets = new TokenBuckets({
    perSecond: 1 / signInRefillSeconds,
    burst: signInAttempts,
    keys: pairs,
  });

  const keyOf = (name: string, origin: Uint8Array): string =>
    base64url(createHmac('sha256', secret).update(origin).update(name).digest().subarray(0, 16));

  return {
    async admit(name, origin) {
      const key = keyOf(name, origin);
      const seconds = buckets.take(key, clock.now());
      if (seconds > 0) refuse(seconds);
      // Without Redis the buckets of this process alone decide: never an open door.
      const inWindow = await cache.count(`sign-in:${key}`, windowSeconds).catch(() => 0);
      if (inWindow > mostInWindow) refuse(windowSeconds);
    },
    async forgive(name, origin) {
      const key = keyOf(name, origin);
      buckets.forgive(key);
      await cache.remove(`sign-in:${key}`).catch(() => undefined);
    },
  };
}

function refuse(seconds: number): never {
  throw new Fault('rate_limited', { seconds });
}
