/**
 * People: reserved as `pending` together with a use of their invite, `active` once the directory
 * has their keys. docs/protocol/accounts.md §1
 */
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { and, count, eq, isNotNull, lt } from 'drizzle-orm';
import type { Database } from './database.ts';
import { returnInvite, takeInvite } from './invites.ts';
import { people } from './schema.ts';

export type Person = typeof people.$inferSelect;
export type Reservation = Omit<Person, 'state' | 'since' | 'invite' | 'registration'> & {
  invite: Buffer;
  registration: Buffer;
};

const day = 86_400;

/** Seconds a registration may be repeated after a lost answer; then the invite is forgotten. */
export const repeatable = day;

export async function findPerson(db: Database, account: AccountId): Promise<Person | undefined> {
  const [person] = await db.select().from(people).where(eq(people.account, account));
  return person;
}

export async function findByName(db: Database, name: string): Promise<Person | undefined> {
  const [person] = await db.select().from(people).where(eq(people.name, name));
  return person;
}

export async function checkNameFree(db: Database, name: string): Promise<void> {
  if ((await findByName(db, name)) !== undefined) throw new Fault('name_taken');
}

/**
 * Reserves name, account and one use of the invite, in one transaction (the caller's).
 * False when the account is there already: then the caller looks whether this is a repetition.
 */
export async function reserve(db: Database, person: Reservation, now: number): Promise<boolean> {
  if ((await findPerson(db, person.account as AccountId)) !== undefined) return false;
  await takeInvite(db, person.invite, now);
  await checkNameFree(db, person.name);
  await db.insert(people).values({ ...person, state: 'pending', since: now });
  return true;
}

const pending = (account: string) => and(eq(people.account, account), eq(people.state, 'pending'));

/** A repetition is under way: the reservation begins anew. False when it is none any more. */
export async function renew(
  db: Database,
  account: AccountId,
  verifier: string,
  now: number,
): Promise<boolean> {
  const rows = await db
    .update(people)
    .set({ verifier, since: now })
    .where(pending(account))
    .returning({ account: people.account });
  return rows.length > 0;
}

/** True when the person is active now, false when the reservation is gone. */
export async function activate(db: Database, account: AccountId): Promise<boolean> {
  const rows = await db
    .update(people)
    .set({ state: 'active' })
    .where(eq(people.account, account))
    .returning({ account: people.account });
  return rows.length > 0;
}

/** Undoes a reservation that is still pending; `before`: only if it has not been touched since. */
export async function release(db: Database, account: string, before = Infinity): Promise<void> {
  const [person] = await db.select().from(people).where(pending(account));
  if (person === undefined || person.since >= before) return;
  await db.delete(people).where(pending(account));
  if (person.invite !== null) await returnInvite(db, person.invite);
}

export const pendingBefore = (db: Database, before: number): Promise<{ account: string }[]> =>
  db
    .select({ account: people.account })
    .from(people)
    .where(and(eq(people.state, 'pending'), lt(people.since, before)));

export async function countPeople(db: Database): Promise<number> {
  const [row] = await db.select({ n: count() }).from(people).where(eq(people.state, 'active'));
  return row?.n ?? 0;
}

/** Forgets by which invite somebody came, and the time of day when. */
export async function forgetRegistrations(db: Database, now: number): Promise<void> {
  const old = await db
    .select({ account: people.account, since: people.since })
    .from(people)
    .where(
      and(eq(people.state, 'active'), isNotNull(people.invite), lt(people.since, now - repeatable)),
    );
  for (const { account, since } of old) {
    await db
      .update(people)
      .set({ invite: null, registration: null, since: since - (since % day) })
      .where(eq(people.account, account));
  }
}
