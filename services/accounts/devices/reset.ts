/**
 * A new identity for an account whose keys are lost: asked for, and possible only after a while in which
 * every device of the account sees it and can object. docs/protocol/devices.md §8
 */
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { eq } from 'drizzle-orm';
import type { Database } from '../database.ts';
import { findPerson, type Person } from '../people.ts';
import { people } from '../schema.ts';

/** Seconds for which a reset can be done, from the moment on at which it can: a forgotten one is no open door. */
const openSeconds = limits.refreshSeconds;

/** Seconds until the reset that somebody asked for can be done; nothing when nobody has, or it lapsed. `now`: Unix seconds. */
export function secondsToReset(
  { resetAsked }: Pick<Person, 'resetAsked'>,
  now: number,
): number | undefined {
  if (resetAsked === null) return undefined;
  const due = resetAsked + limits.resetSeconds;
  return now > due + openSeconds ? undefined : Math.max(0, due - now);
}

/** Asked for again, it does not begin anew: answers the seconds that are left. */
export async function beginReset(db: Database, account: AccountId, now: number): Promise<number> {
  const person = await findPerson(db, account);
  if (person === undefined) throw new Fault('unauthenticated');
  const left = secondsToReset(person, now);
  if (left !== undefined) return left;
  await db.update(people).set({ resetAsked: now }).where(eq(people.account, account));
  return limits.resetSeconds;
}

export async function cancelReset(db: Database, account: AccountId): Promise<void> {
  await db.update(people).set({ resetAsked: null }).where(eq(people.account, account));
}

/** Throws `forbidden` when nobody asked for a reset, `reset_waiting` { seconds } before its time. */
export async function checkReset(db: Database, account: AccountId, now: number): Promise<void> {
  const person = await findPerson(db, account);
  const seconds = person && secondsToReset(person, now);
  if (seconds === undefined) throw new Fault('forbidden');
  if (seconds > 0) throw new Fault('reset_waiting', { seconds });
}
