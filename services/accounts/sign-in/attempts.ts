/**
 * How often one may try: a password, six digits, a backup code. Each is counted for a pair of a name and
 * an address, so that nobody can lock out somebody who signs in from elsewhere; six digits are few and
 * addresses cheap, so they are counted for each device, and for all who have none, from everywhere as well. docs/protocol/accounts.md §7
 */
import { createHmac } from 'node:crypto';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId, DeviceId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { base64url, hex } from '@island/protocol/wire/text.ts';
import type { Cache } from '../../kit/cache.ts';
import type { Clock } from '../../kit/clock.ts';
import { createQuotas } from '../../kit/quotas.ts';
import { TokenBuckets } from '../../kit/token-buckets.ts';

/** What fills up again, and is full again after a success. */
const kinds = {
  password: { burst: limits.signInAttempts, refillSeconds: limits.signInRefillSeconds },
  totp: { burst: limits.totpAttempts, refillSeconds: limits.totpRefillSeconds },
} as const;
export type Kind = keyof typeof kinds;

/** All throw `rate_limited` with the seconds until the next try. `origin` is a keyed hash of an address. */
export interface Attempts {
  admit(kind: Kind, name: string, origin: Uint8Array): Promise<void>;
  /** A success: the pair begins anew. */
  forgive(kind: Kind, name: string, origin: Uint8Array): Promise<void>;
  /** Six digits for this account, from wherever: by one of its devices, or by all who have none. */
  admitTotp(account: AccountId, device?: DeviceId): Promise<void>;
  admitCode(account: AccountId, origin: Uint8Array): Promise<void>;
  /** A code that was right: who has one is nobody who guesses, so all eight can be used in one hour. */
  forgiveCode(account: AccountId, origin: Uint8Array): Promise<void>;
  /** A new archive key by this device, for no reason that the island sees. */
  admitRotation(account: AccountId, device: DeviceId): Promise<void>;
  /** Somebody new whom nobody invited. */
  admitStranger(origin: Uint8Array): Promise<void>;
}

const hour = 3600;
/** Pairs of each kind kept in the process; the one tried longest ago goes first. */
const pairs = 50_000;

/** @param secret 32 bytes: Redis sees keyed hashes only, neither names nor who tried them. */
export function createAttempts(cache: Cache, clock: Clock, secret: Uint8Array): Attempts {
  const bucketsOf = ({ burst, refillSeconds }: (typeof kinds)[Kind]) =>
    new TokenBuckets({ perSecond: 1 / refillSeconds, burst, keys: pairs });
  const buckets = { password: bucketsOf(kinds.password), totp: bucketsOf(kinds.totp) };
  const quotas = createQuotas({ cache, clock, secret, prefix: 'tries' });

  const keyOf = (kind: Kind, name: string, origin: Uint8Array): string => {
    const mac = createHmac('sha256', secret).update(`${kind}\0`).update(origin).update(name);
    return base64url(mac.digest().subarray(0, 16));
  };

  return {
    async admit(kind, name, origin) {
      const key = keyOf(kind, name, origin);
      const { burst, refillSeconds } = kinds[kind];
      const seconds = buckets[kind].take(key, clock.now());
      if (seconds > 0) refuse(seconds);
      // Without Redis the buckets of this process alone decide: never an open door. With it a process that
      // was restarted is held to what a bucket lets through in the time that it takes to fill: it full, and its refill.
      const windowSeconds = burst * refillSeconds;
      const inWindow = await cache.count(`sign-in:${key}`, windowSeconds).catch(() => 0);
      if (inWindow > 2 * burst) refuse(windowSeconds);
    },
    async forgive(kind, name, origin) {
      const key = keyOf(kind, name, origin);
      buckets[kind].forgive(key);
      await cache.remove(`sign-in:${key}`).catch(() => undefined);
    },
    admitTotp: (account, device) =>
      device === undefined
        ? quotas.count(`totp\0${account}`, limits.totpAttemptsPerHour, hour)
        : quotas.count(`totp\0${account}\0${device}`, limits.totpDeviceAttemptsPerHour, hour),
    admitRotation: (account, device) =>
      quotas.count(`rotation\0${account}\0${device}`, limits.rotationsPerDay, 24 * hour),
    admitStranger: (origin) =>
      quotas.count(`stranger\0${hex(origin)}`, limits.registrationsPerHour, hour),
    async admitCode(account, origin) {
      const key = `code\0${account}\0${hex(origin)}`;
      await quotas.count(key, limits.codeAttemptsPerHour, hour);
      await quotas.count(key, limits.codeAttemptsPerDay, 24 * hour);
    },
    async forgiveCode(account, origin) {
      const key = `code\0${account}\0${hex(origin)}`;
      await quotas.forgive(key, hour);
      await quotas.forgive(key, 24 * hour);
    },
  };
}

function refuse(seconds: number): never {
  throw new Fault('rate_limited', { seconds });
}
