/**
 * Those on their way to a device: they have shown who they are and have no keys yet. What their backup
 * code released waits here until they have joined. docs/protocol/devices.md §6
 */
import { randomBytes } from 'node:crypto';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { hex } from '@island/protocol/wire/text.ts';
import { and, eq, gt, isNotNull, lt } from 'drizzle-orm';
import type { Place, Sealing } from '../../kit/sealing.ts';
import type { Database } from '../database.ts';
import { joinings } from '../schema.ts';

/** What a code gave: its slot in the key record and the island's share of it. */
export interface Released {
  /** 16 bytes. */
  loc: Uint8Array;
  /** 32 bytes. */
  share: Uint8Array;
}

export type JoiningRow = typeof joinings.$inferSelect;

const placeOf = (id: string): Place => ({ table: 'joinings', column: 'share', row: id });

/**
 * In the transaction that takes what was shown. Answers the id, which goes into the joining token.
 * @param now Unix seconds
 */
export async function createJoining(
  db: Database,
  shares: Sealing,
  account: AccountId,
  now: number,
  released?: Released,
): Promise<string> {
  const id = hex(randomBytes(16));
  const given = released && {
    loc: Buffer.from(released.loc),
    share: shares.seal(placeOf(id), released.share),
  };
  await db
    .insert(joinings)
    .values({ id, account, expires: now + limits.joiningSeconds, done: false, ...given });
  return id;
}

/** Throws `unauthenticated` for a joining that is over or was never begun. */
export async function findJoining(
  db: Database,
  account: AccountId,
  id: string,
  now: number,
): Promise<JoiningRow> {
  const [row] = await db
    .select()
    .from(joinings)
    .where(and(eq(joinings.id, id), eq(joinings.account, account), gt(joinings.expires, now)));
  if (row === undefined) throw new Fault('unauthenticated');
  return row;
}

/** Throws `not_found` where no code released anything, or what it released opens nothing any more. */
export function releasedTo(shares: Sealing, { id, loc, share }: JoiningRow): Released {
  if (loc === null || share === null) throw new Fault('not_found');
  return { loc, share: shares.open(placeOf(id), share) };
}

/** The device is there: what the code released has done its work. */
export async function finishJoining(db: Database, id: string): Promise<void> {
  await db.update(joinings).set({ done: true, loc: null, share: null }).where(eq(joinings.id, id));
}

/** Those of the account that began with a code and are under way. */
export const begunWithCode = (
  db: Database,
  account: AccountId,
  now: number,
): Promise<JoiningRow[]> =>
  db
    .select()
    .from(joinings)
    .where(and(eq(joinings.account, account), gt(joinings.expires, now), isNotNull(joinings.loc)));

/** The record is a new one, and the slot in it has another share. None: the record has no such slot. */
export async function releaseAnew(
  db: Database,
  shares: Sealing,
  { id }: JoiningRow,
  share: Uint8Array | undefined,
): Promise<void> {
  const set =
    share === undefined ? { loc: null, share: null } : { share: shares.seal(placeOf(id), share) };
  await db.update(joinings).set(set).where(eq(joinings.id, id));
}

/** Sessions of the account were ended: what has given one gives no other by being repeated. */
export async function forgetDone(db: Database, account: AccountId): Promise<void> {
  await db.delete(joinings).where(and(eq(joinings.account, account), eq(joinings.done, true)));
}

/** @param now Unix seconds */
export async function forgetJoinings(db: Database, now: number): Promise<void> {
  await db.delete(joinings).where(lt(joinings.expires, now));
}
