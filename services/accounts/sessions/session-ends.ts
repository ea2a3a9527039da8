/** Which sessions an account has, and how they end. Everything here but the questions belongs into a transaction. docs/protocol/accounts.md §4 */
import { Fault } from '@island/protocol/wire/fault.ts';
import { type AccountId, type DeviceId, deviceId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import {
  and,
  asc,
  desc,
  eq,
  gt,
  inArray,
  isNull,
  lt,
  ne,
  notInArray,
  or,
  type SQL,
} from 'drizzle-orm';
import { endingsPerAnswer } from '../contract.ts';
import type { Database } from '../database.ts';
import { endedSessions, families, refreshTokens } from '../schema.ts';

/** Who asks with an access token, as the gateway says. */
export interface Asker {
  account: AccountId;
  device: DeviceId;
  session: string;
}

const day = 86_400;
/** Seconds for which an end is told to a gateway that may have missed it: longer than any of the session's tokens lives. */
const toldSeconds = limits.accessSeconds + 120;

async function end(db: Database, now: number, ...which: (SQL | undefined)[]): Promise<string[]> {
  const rows = await db
    .update(families)
    .set({ ended: now })
    .where(and(isNull(families.ended), ...which))
    .returning({ id: families.id });
  return rows.map(({ id }) => id);
}

export const endFamily = (db: Database, session: string, now: number): Promise<string[]> =>
  end(db, now, eq(families.id, session));

/** Answers those that ended. */
export const endSession = (
  db: Database,
  account: AccountId,
  session: string,
  now: number,
): Promise<string[]> => end(db, now, eq(families.account, account), eq(families.id, session));

/** The same. Throws `not_found` when the account has no such session that goes on. */
export async function mustEnd(
  db: Database,
  account: AccountId,
  session: string,
  now: number,
): Promise<string[]> {
  const ended = await endSession(db, account, session, now);
  if (ended.length === 0) throw new Fault('not_found');
  return ended;
}

/** All sessions of the account but the one that asks. */
export const endOthers = (db: Database, { account, session }: Asker, now: number) =>
  end(db, now, eq(families.account, account), ne(families.id, session));

/** The sessions of devices that are not among `listed`. */
export const endUnlisted = (
  db: Database,
  account: AccountId,
  listed: readonly DeviceId[],
  now: number,
): Promise<string[]> =>
  end(
    db,
    now,
    eq(families.account, account),
    listed.length === 0 ? undefined : notInArray(families.device, [...listed]),
  );

/** Throws `session_revoked` unless the session is there and goes on: the gateway may not have heard yet. */
export async function mustGoOn(db: Database, asker: Asker, now: number): Promise<void> {
  const { account, device, session } = asker;
  const [family] = await db.select().from(families).where(eq(families.id, session));
  const goesOn =
    family !== undefined &&
    family.account === account &&
    family.device === device &&
    family.ended === null &&
    family.expires > now;
  if (!goesOn) throw new Fault('session_revoked');
}

export async function listSessions(db: Database, { account, session }: Asker, now: number) {
  const rows = await db
    .select()
    .from(families)
    .where(and(eq(families.account, account), isNull(families.ended), gt(families.expires, now)))
    .orderBy(asc(families.begunDay), asc(families.device), asc(families.id));
  return rows.map(({ id, device, begunDay, usedDay }) => ({
    session: id,
    device: deviceId(device),
    begun: begunDay,
    used: usedDay,
    current: id === session,
  }));
}

/** The sessions that ended so lately that a token of theirs may live: one answer of them, in the order of their ids. */
export async function endings(db: Database, now: number, after = ''): Promise<string[]> {
  const rows = await db
    .select({ id: families.id })
    .from(families)
    .where(and(gt(families.ended, now - toldSeconds), gt(families.id, after)))
    .union(
      db
        .select({ id: endedSessions.id })
        .from(endedSessions)
        .where(and(gt(endedSessions.ended, now - toldSeconds), gt(endedSessions.id, after))),
    )
    .orderBy(asc(families.id))
    .limit(endingsPerAnswer);
  return rows.map(({ id }) => id);
}

/** A family goes when its newest token has expired, or a day after it was ended; its tokens go with it. */
export async function forgetSessions(db: Database, now: number): Promise<void> {
  await db.delete(families).where(or(lt(families.expires, now), lt(families.ended, now - day)));
  await db.delete(refreshTokens).where(lt(refreshTokens.expires, now));
  await db.delete(endedSessions).where(lt(endedSessions.ended, now - toldSeconds));
}

/** Beyond these the sessions of one device that were used longest ago end: nobody fills the table. */
const mostOfDevice = 16;

/** After one was begun, which stays. */
export async function endSurplus(
  db: Database,
  { account, device, session }: Asker,
  now: number,
): Promise<string[]> {
  const others = and(
    eq(families.account, account),
    eq(families.device, device),
    ne(families.id, session),
    isNull(families.ended),
  );
  const rows = await db
    .select({ id: families.id })
    .from(families)
    .where(others)
    .orderBy(desc(families.expires))
    .limit(mostOfDevice);
  const surplus = rows.slice(mostOfDevice - 1).map(({ id }) => id);
  return surplus.length === 0 ? [] : end(db, now, inArray(families.id, surplus));
}
