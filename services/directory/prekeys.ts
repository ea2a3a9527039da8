/** The prekeys that devices left here: kept, replaced, counted, handed out. docs/protocol/prekeys.md */
import { createHash } from 'node:crypto';
import { type OneTimeBatch, oneTimeOf } from '@island/protocol/crypto/prekeys.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId, DeviceId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { and, asc, count, eq, gt, isNotNull, isNull, lt, or } from 'drizzle-orm';
import { retentionDays } from '../kit/retention.ts';
import type { Database } from './database.ts';
import type { CheckedPrekeys } from './prekey-check.ts';
import { batches, oneTimePrekeys, standingPrekeys } from './schema.ts';

export interface DeviceOf {
  account: AccountId;
  device: DeviceId;
}

type Kind = (typeof standingPrekeys.$inferSelect)['kind'];
const day = 86_400;
/** D4. */
const usedSeconds = retentionDays.usedPrekeys * day;

const of = (table: typeof standingPrekeys | typeof oneTimePrekeys | typeof batches, at: DeviceOf) =>
  and(eq(table.account, at.account), eq(table.device, at.device));

/** Within the caller's transaction. Throws `stale_prekeys` when an id is not newer than what is here. `now`: Unix seconds. */
export async function storePrekeys(
  db: Database,
  at: DeviceOf,
  prekeys: CheckedPrekeys,
  now: number,
): Promise<void> {
  const { signedPrekey, lastResort, batch } = prekeys;
  if (signedPrekey)
    await replace(db, at, 'signed', signedPrekey.opened.id, signedPrekey.bytes, now);
  if (lastResort) await replace(db, at, 'last-resort', lastResort.opened.id, lastResort.bytes, now);
  if (batch) await addBatch(db, at, batch.opened, batch.bytes);
}

async function standing(db: Database, at: DeviceOf, kind: Kind) {
  const [row] = await db
    .select({ id: standingPrekeys.id, bytes: standingPrekeys.bytes })
    .from(standingPrekeys)
    .where(
      and(
        of(standingPrekeys, at),
        eq(standingPrekeys.kind, kind),
        isNull(standingPrekeys.replaced),
      ),
    );
  return row;
}

async function replace(
  db: Database,
  at: DeviceOf,
  kind: Kind,
  id: number,
  bytes: Uint8Array,
  now: number,
): Promise<void> {
  const current = await standing(db, at, kind);
  // The very same again: an answer was lost.
  if (current?.bytes.equals(bytes) === true) return;
  if (current !== undefined && id <= current.id) throw new Fault('stale_prekeys');
  await db
    .update(standingPrekeys)
    .set({ replaced: now })
    .where(
      and(
        of(standingPrekeys, at),
        eq(standingPrekeys.kind, kind),
        isNull(standingPrekeys.replaced),
      ),
    );
  await db.insert(standingPrekeys).values({ ...at, kind, id, bytes: Buffer.from(bytes) });
}

async function addBatch(
  db: Database,
  at: DeviceOf,
  batch: OneTimeBatch,
  bytes: Uint8Array,
): Promise<void> {
  const hash = createHash('sha256').update(bytes).digest();
  const [newest] = await db.select().from(batches).where(of(batches, at));
  if (newest?.hash.equals(hash) === true) return;
  if (newest !== undefined && batch.firstId < newest.next) throw new Fault('stale_prekeys');
  const next = batch.firstId + batch.prekeys.length;
  await db
    .insert(batches)
    .values({ ...at, next, hash })
    .onConflictDoUpdate({ target: [batches.account, batches.device], set: { next, hash } });
  const { expiresDay } = batch;
  const rows = batch.prekeys.map(({ id }, index) => {
    return { ...at, id, bytes: Buffer.from(oneTimeOf(batch, index)), expiresDay };
  });
  await db.insert(oneTimePrekeys).values(rows);
  // Two batches at most: a device can't fill the disk by refilling what nobody asked for.
  const oldest = next - 2 * limits.batchSize;
  await db
    .delete(oneTimePrekeys)
    .where(
      and(of(oneTimePrekeys, at), isNull(oneTimePrekeys.handed), lt(oneTimePrekeys.id, oldest)),
    );
}

const unused = (at: DeviceOf, today: number) =>
  and(
    of(oneTimePrekeys, at),
    isNull(oneTimePrekeys.handed),
    gt(oneTimePrekeys.expiresDay, today - 1),
  );

export async function countUnused(db: Database, at: DeviceOf, now: number): Promise<number> {
  const [row] = await db
    .select({ n: count() })
    .from(oneTimePrekeys)
    .where(unused(at, Math.floor(now / day)));
  return row?.n ?? 0;
}

export interface Bundle {
  device: DeviceId;
  signedPrekey: Uint8Array;
  /** One of these two. */
  oneTime?: Uint8Array;
  lastResort?: Uint8Array;
}

/**
 * Everything a sender needs for one device, within the caller's transaction: so a one-time prekey is
 * handed out once, however many ask together. After `limits.oneTimePerDay` of them in a day, or when
 * none is left, the last-resort prekey in its place. `now`: Unix seconds.
 */
export async function handOut(db: Database, at: DeviceOf, now: number): Promise<Bundle> {
  const signed = await standing(db, at, 'signed');
  const lastResort = await standing(db, at, 'last-resort');
  if (signed === undefined || lastResort === undefined) throw new Fault('unknown_device');
  const bundle = { device: at.device, signedPrekey: signed.bytes };
  const oneTime = await takeOneTime(db, at, now);
  return oneTime === undefined
    ? { ...bundle, lastResort: lastResort.bytes }
    : { ...bundle, oneTime };
}

async function takeOneTime(
  db: Database,
  at: DeviceOf,
  now: number,
): Promise<Uint8Array | undefined> {
  const [today] = await db
    .select({ n: count() })
    .from(oneTimePrekeys)
    .where(and(of(oneTimePrekeys, at), gt(oneTimePrekeys.handed, now - day)));
  if ((today?.n ?? 0) >= limits.oneTimePerDay) return undefined;
  const [next] = await db
    .select({ id: oneTimePrekeys.id, bytes: oneTimePrekeys.bytes })
    .from(oneTimePrekeys)
    .where(unused(at, Math.floor(now / day)))
    .orderBy(asc(oneTimePrekeys.id))
    .limit(1);
  if (next === undefined) return undefined;
  await db
    .update(oneTimePrekeys)
    .set({ handed: now })
    .where(and(of(oneTimePrekeys, at), eq(oneTimePrekeys.id, next.id)));
  return next.bytes;
}

/** All of a device that left the list: nobody shall begin a session with it any more (A4). */
export async function dropPrekeys(db: Database, at: DeviceOf): Promise<void> {
  for (const table of [standingPrekeys, oneTimePrekeys, batches]) {
    await db.delete(table).where(of(table, at));
  }
}

/** D4, and what has expired or was replaced long enough ago. `now`: Unix seconds. */
export async function forgetPrekeys(db: Database, now: number): Promise<void> {
  const used = and(isNotNull(oneTimePrekeys.handed), lt(oneTimePrekeys.handed, now - usedSeconds));
  const expired = lt(oneTimePrekeys.expiresDay, Math.floor(now / day));
  await db.delete(oneTimePrekeys).where(or(used, expired));
  const replaced = now - limits.prekeyKeptDays * day;
  await db.delete(standingPrekeys).where(lt(standingPrekeys.replaced, replaced));
}
