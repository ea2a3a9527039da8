/**
 * The end of an account, over all databases: what there is of it here goes in one transaction, then every service is
 * told to let go of it. Each step can be repeated; what a crash leaves behind the next round goes on with.
 * docs/protocol/accounts.md §10
 *
 *     end (here) → directory → delivery → archive → spaces → row in `endings` gone
 */
import { Fault } from '@island/protocol/wire/fault.ts';
import { type AccountId, accountId } from '@island/protocol/wire/ids.ts';
import { eq } from 'drizzle-orm';
import { archive } from '../archive/contract.ts';
import { delivery } from '../delivery/contract.ts';
import { directory } from '../directory/contract.ts';
import type { Bus } from '../kit/bus.ts';
import { unixSeconds } from '../kit/clock.ts';
import type { CallRequest } from '../kit/contract.ts';
import { failure, type Log } from '../kit/log.ts';
import { spaces } from '../spaces/contract.ts';
import type { accounts } from './contract.ts';
import type { Database } from './database.ts';
import { findByName, mustFindPerson } from './people.ts';
import {
  codeSlots,
  endedSessions,
  endings,
  families,
  joinings,
  people,
  records,
  stagedRecords,
} from './schema.ts';
import { mustGoOn } from './sessions/session-ends.ts';
import { weigh } from './sign-in/second-factor.ts';
import { hasShown, type SignIn, stillHolds, takeGrant } from './sign-in/sign-in.ts';

export interface Ending extends SignIn {
  bus: Bus;
  log: Log;
}

type EndRequest = CallRequest<typeof accounts, 'endAccount'>;

/** By its owner: a device that is signed in, who shows what signs in as well. Throws as `login` does. */
export async function endOwnAccount(tools: Ending, request: EndRequest): Promise<void> {
  const { store, clock, nonces, attempts } = tools;
  const { account, device, session, second, nonce, origin } = request;
  const asker = { account, device, session };
  nonces.check(nonce);
  const person = await mustFindPerson(store.read, account);
  await mustGoOn(store.read, asker, unixSeconds(clock));
  const { name } = person;
  await attempts.admit('password', name, origin);
  if (!(await hasShown(tools, { ...request, name }, person, device)))
    throw new Fault('wrong_credentials');
  nonces.show(nonce);
  const weighed = await weigh(tools, person, second, { origin, device });
  await close(tools, account, async (db) => {
    const now = unixSeconds(clock);
    await mustGoOn(db, asker, now);
    await nonces.spend(db, nonce);
    await stillHolds(db, person);
    await takeGrant(db, request, now);
    await weighed.take(db);
  });
}

/** By the operator, also of somebody who has not been let in yet. Throws `unknown_person`. */
export async function endNamedAccount(tools: Ending, name: string): Promise<void> {
  const person = await findByName(tools.store.read, name);
  if (person === undefined) throw new Fault('unknown_person');
  await close(tools, accountId(person.account), async () => undefined);
}

/** From here on the account is over, whatever fails afterwards. */
async function close(
  tools: Ending,
  account: AccountId,
  mayEnd: (db: Database) => Promise<void>,
): Promise<void> {
  const { store, clock, sessions } = tools;
  const ended = await store.write(async (db) => {
    await mayEnd(db);
    return forgetAccount(db, account, unixSeconds(clock));
  });
  sessions.announce(account, ended);
  await tryLetGo(tools, account);
}

/** @returns its sessions, which end with it */
async function forgetAccount(db: Database, account: AccountId, now: number): Promise<string[]> {
  const rows = await db
    .select({ id: families.id })
    .from(families)
    .where(eq(families.account, account));
  for (const { id } of rows)
    await db.insert(endedSessions).values({ id, ended: now }).onConflictDoNothing();
  for (const table of [joinings, stagedRecords, codeSlots, records, families, people])
    await db.delete(table).where(eq(table.account, account));
  await db.insert(endings).values({ account }).onConflictDoNothing();
  return rows.map(({ id }) => id);
}

/** Every service lets go of the account. Throws what one of them throws: whoever comes next asks all again. */
async function letGo({ store, bus }: Pick<Ending, 'store' | 'bus'>, account: AccountId) {
  // The directory first: from then on nobody finds the account, so nothing new comes for it.
  await bus.call(directory, 'end', { account });
  await bus.call(delivery, 'end', { account });
  await bus.call(archive, 'end', { account });
  await bus.call(spaces, 'end', { account });
  await store.write((db) => db.delete(endings).where(eq(endings.account, account)));
  // No copy of what was deleted stays in the write-ahead log.
  await store.rows('PRAGMA wal_checkpoint(TRUNCATE)');
}

async function tryLetGo(tools: Pick<Ending, 'store' | 'bus' | 'log'>, account: AccountId) {
  try {
    await letGo(tools, account);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    tools.log.warn('ending_waits', failure(error));
  }
}

/** What was left behind by a crash, or waits for a service that was away. */
export async function goOnEnding(tools: Pick<Ending, 'store' | 'bus' | 'log'>): Promise<void> {
  for (const { account } of await tools.store.read.select().from(endings))
    await tryLetGo(tools, accountId(account));
}
