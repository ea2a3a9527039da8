/**
 * What somebody shows beside their password: six digits or a backup code. It is weighed first, and taken
 * in the transaction that gives what it was for, so that each is good once. docs/protocol/accounts.md §5, §6
 */
import { Fault } from '@island/protocol/wire/fault.ts';
import { accountId, type DeviceId } from '@island/protocol/wire/ids.ts';
import { type Clock, unixSeconds } from '../../kit/clock.ts';
import type { CallRequest } from '../../kit/contract.ts';
import type { Sealing } from '../../kit/sealing.ts';
import type { accounts } from '../contract.ts';
import type { Database } from '../database.ts';
import { useCode } from '../devices/code-slots.ts';
import type { Released } from '../devices/joinings.ts';
import type { Person } from '../people.ts';
import type { Attempts } from './attempts.ts';
import { checkDigits, takeStep } from './totp.ts';

export type Second = CallRequest<typeof accounts, 'totpEnd'>['second'];

export interface Seconds {
  clock: Clock;
  attempts: Attempts;
  sealing: Sealing;
}

export interface Weighed {
  /** What a code releases. Throws `totp_used` or `wrong_code` for what was used meanwhile. */
  take(db: Database): Promise<Released | undefined>;
  /** Once it was taken: the tries of before count no longer. */
  forgive(): Promise<void>;
}

const nothing: Weighed = { take: async () => undefined, forgive: async () => undefined };

/**
 * Throws `second_factor_needed`, `wrong_totp`, `totp_used`, `wrong_code` or `rate_limited`; so it belongs behind
 * the check of the password. A code is taken also where none is needed; six digits then say nothing.
 * @param device of the account, if one asks: its tries in an hour are counted for itself, so that who has only the
 *   password, or another device, can't keep it out
 */
export async function weigh(
  { clock, attempts, sealing }: Seconds,
  person: Person,
  second: Second | undefined,
  { origin, device }: { origin: Uint8Array; device?: DeviceId },
): Promise<Weighed> {
  const account = accountId(person.account);
  if (second !== undefined && 'code' in second) {
    await attempts.admitCode(account, origin);
    const { code } = second;
    return {
      take: async (db) => ({
        loc: code.loc,
        share: await useCode(db, sealing, account, code),
      }),
      forgive: () => attempts.forgiveCode(account, origin),
    };
  }
  if (person.totpSecret === null) return nothing;
  if (second === undefined) throw new Fault('second_factor_needed');
  await attempts.admit('totp', person.name, origin);
  await attempts.admitTotp(account, device);
  const step = checkDigits(sealing, person, second.totp, unixSeconds(clock));
  return {
    async take(db) {
      await takeStep(db, account, step);
      return undefined;
    },
    forgive: () => attempts.forgive('totp', person.name, origin),
  };
}
