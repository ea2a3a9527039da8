/**
 * Six-digit sign-in (A2): RFC 6238, SHA-1, six digits, 30 seconds, one step of grace either way. A step
 * that was accepted is never accepted again, nor any before it. docs/protocol/accounts.md §5
 */
import { randomBytes } from 'node:crypto';
import { Fault } from '@island/protocol/wire/fault.ts';
import { and, eq, isNotNull, lt } from 'drizzle-orm';
import { Secret, TOTP } from 'otpauth';
import type { Place, Sealing } from '../../kit/sealing.ts';
import type { Database } from '../database.ts';
import type { Person } from '../people.ts';
import { people } from '../schema.ts';

const periodSeconds = 30;
/** 160 bits, as RFC 4226 advises. */
const secretBytes = 20;
/** Steps before and after the present one. */
const grace = 1;

/** A secret in force, or one that was begun, in the row of its person. */
export const totpPlace = (column: 'totp_secret' | 'totp_pending', account: string): Place => ({
  table: 'people',
  column,
  row: account,
});

export const makeSecret = (): Uint8Array<ArrayBuffer> => new Uint8Array(randomBytes(secretBytes));

/** As authenticators take it. */
export const base32 = (secret: Uint8Array<ArrayBuffer>): string =>
  new Secret({ buffer: secret.buffer }).base32;

const authenticator = (secret: Uint8Array<ArrayBuffer>): TOTP =>
  new TOTP({
    algorithm: 'SHA1',
    digits: 6,
    period: periodSeconds,
    secret: new Secret({ buffer: secret.buffer }),
  });

/** The step that the digits belong to, of those that count now. */
export function stepOf(
  secret: Uint8Array<ArrayBuffer>,
  digits: string,
  now: number,
): number | undefined {
  const delta = authenticator(secret).validate({
    token: digits,
    timestamp: now * 1000,
    window: grace,
  });
  return delta === null ? undefined : Math.floor(now / periodSeconds) + delta;
}

/** Throws `wrong_totp` unless the digits are of a step that counts now; the secret opens only in the row it was sealed for. */
export function checkDigits(
  sealing: Sealing,
  { account, totpSecret }: Pick<Person, 'account' | 'totpSecret'>,
  digits: string,
  now: number,
): number {
  if (totpSecret === null) throw new Fault('totp_inactive');
  const secret = sealing.open(totpPlace('totp_secret', account), totpSecret);
  const step = stepOf(secret, digits, now);
  if (step === undefined) throw new Fault('wrong_totp');
  return step;
}

/** One statement: of any number of uses of a step at once one is the first. Throws `totp_used` for the others. */
export async function takeStep(db: Database, account: string, step: number): Promise<void> {
  const taken = await db
    .update(people)
    .set({ totpStep: step })
    .where(
      and(eq(people.account, account), isNotNull(people.totpSecret), lt(people.totpStep, step)),
    )
    .returning({ account: people.account });
  if (taken.length === 0) throw new Fault('totp_used');
}
