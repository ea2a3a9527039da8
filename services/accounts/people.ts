/**
 * People: reserved as `pending` together with a use of their invite, or `waiting` for the operator's word,
 * `active` once the directory has their keys. docs/protocol/accounts.md §1
 */
import { Fault } from '@island/protocol/wire/fault.ts';
import { type AccountId, accountId } from '@island/protocol/wire/ids.ts';
import { and, count, eq, inArray, isNotNull, lt, or } from 'drizzle-orm';
import { returnInvite } from './admission/invites.ts';
import type { Database } from './database.ts';
import { people } from './schema.ts';

export type Person = typeof people.$inferSelect;
/** All that a row begins with. */
export type Reservation = Pick<
  Person,
  | 'account'
  | 'name'
  | 'state'
  | 'role'
  | 'salt'
  | 'memory'
  | 'passes'
  | 'lanes'
  | 'verifier'
  | 'passwordKey'
  | 'oidcSubject'
  | 'codeSalt'
  | 'codeMemory'
  | 'codePasses'
  | 'codeLanes'
  | 'invite'
> & { registration: Buffer };

const day = 86_400;

/** Seconds a registration may be repeated after a lost answer; then the invite is forgotten. */
const repeatable = day;

export async function findPerson(db: Database, account: AccountId): Promise<Person | undefined> {
  const [person] = await db.select().from(people).where(eq(people.account, account));
  return person;
}

/** Of somebody whose session goes on: never missing. */
export async function mustFindPerson(db: Database, account: AccountId): Promise<Person> {
  const person = await findPerson(db, account);
  if (person?.state !== 'active') throw new Fault('unauthenticated');
  return person;
}

export async function findByName(db: Database, name: string): Promise<Person | undefined> {
  const [person] = await db.select().from(people).where(eq(people.name, name));
  return person;
}

export async function checkNameFree(db: Database, name: string): Promise<void> {
  if ((await findByName(db, name)) !== undefined) throw new Fault('name_taken');
}

/** Belongs into the transaction that takes the invite. Throws `name_taken`. */
export async function reserve(db: Database, person: Reservation, now: number): Promise<void> {
  await checkNameFree(db, person.name);
  await db.insert(people).values({ ...person, since: now });
}

const pending = (account: string) => and(eq(people.account, account), eq(people.state, 'pending'));
/** May become `active`: who was let in stays `admitted` until then, so that a failure does not cost the operator's word. */
const underway = ['pending', 'admitted'] as const;

/** A repetition is under way: the reservation begins anew, with another password perhaps. False when it is none any more. */
export async function renew(
  db: Database,
  account: AccountId,
  password: Partial<Pick<Person, 'verifier' | 'passwordKey'>>,
  now: number,
): Promise<boolean> {
  const rows = await db
    .update(people)
    .set({ ...password, since: now })
    .where(and(eq(people.account, account), inArray(people.state, underway)))
    .returning({ account: people.account });
  return rows.length > 0;
}

/** True when the person is active now, false when the reservation is gone. */
export async function activate(db: Database, account: AccountId): Promise<boolean> {
  const rows = await db
    .update(people)
    .set({ state: 'active' })
    .where(and(eq(people.account, account), inArray(people.state, [...underway, 'active'])))
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

/** Those of them who have joined. */
export async function whoIs(
  db: Database,
  asked: { names: readonly string[]; accounts: readonly AccountId[] },
): Promise<{ name: string; account: AccountId }[]> {
  const either = or(inArray(people.name, asked.names), inArray(people.account, asked.accounts));
  const found = await db
    .select({ name: people.name, account: people.account })
    .from(people)
    .where(and(eq(people.state, 'active'), either));
  return found.map(({ name, account }) => ({ name, account: accountId(account) }));
}

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
      and(
        eq(people.state, 'active'),
        isNotNull(people.registration),
        lt(people.since, now - repeatable),
      ),
    );
  for (const { account, since } of old) {
    await db
      .update(people)
      .set({ invite: null, registration: null, since: since - (since % day) })
      .where(eq(people.account, account));
  }
}
