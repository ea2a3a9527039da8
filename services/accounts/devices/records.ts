/**
 * The record of an account's keys: what the island checks of it, and the present one with the shares of
 * its code slots. docs/protocol/devices.md §6
 */
import { has } from '@island/protocol/crypto/account-state.ts';
import type { DeviceList } from '@island/protocol/crypto/device-list.ts';
import {
  type KeyRecord,
  openKeyRecord,
  readKeyRecord,
  type UnverifiedRecord,
} from '@island/protocol/crypto/key-record.ts';
import { checkRecordList, checkRecordSuccessor } from '@island/protocol/crypto/key-record-order.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { hex } from '@island/protocol/wire/text.ts';
import { eq } from 'drizzle-orm';
import type { Sealing } from '../../kit/sealing.ts';
import type { Database } from '../database.ts';
import { people, records } from '../schema.ts';
import { replaceSlots, type Shared, usedSlots } from './code-slots.ts';

/** A record as it comes. */
export interface Keeping {
  record: Uint8Array;
  shares: readonly { loc: Uint8Array; share: Uint8Array }[];
}

/** A record that belongs to its list, and a share for each of its slots, in their order. */
export interface CheckedRecord extends Shared {
  record: KeyRecord;
}

/**
 * What can be said of a record by itself and its list: signature, list, device slots, shares.
 * Throws `bad_signature`, `record_broken`, `kdf_too_weak` and faults of form.
 */
export function checkKeeping(keeping: Keeping, list: DeviceList): CheckedRecord {
  const record = openKeyRecord(keeping.record, list.aik);
  checkRecordList(record, list);
  const given = new Map(keeping.shares.map(({ loc, share }) => [hex(loc), share]));
  const shares = record.slots.flatMap(({ loc }) => given.get(hex(loc)) ?? []);
  const complete =
    shares.length === record.slots.length && keeping.shares.length === record.slots.length;
  if (!complete) throw new Fault('record_broken');
  return { record, shares };
}

/** The first record of an account, in the transaction that makes the person; its form is checked by `checkKeeping`. */
export async function storeFirst(
  db: Database,
  shares: Sealing,
  checked: CheckedRecord,
): Promise<void> {
  if (checked.record.version !== 1) throw new Fault('record_broken');
  await storeRecord(db, shares, checked, undefined, 0);
}

/** Verified before it was stored. */
export async function presentRecord(
  db: Database,
  account: AccountId,
): Promise<UnverifiedRecord | undefined> {
  const [row] = await db
    .select({ bytes: records.bytes })
    .from(records)
    .where(eq(records.account, account));
  return row && readKeyRecord(row.bytes);
}

/** 0 when there is none. */
export async function recordVersion(db: Database, account: AccountId): Promise<number> {
  const [row] = await db
    .select({ version: records.version })
    .from(records)
    .where(eq(records.account, account));
  return row?.version ?? 0;
}

/**
 * Throws `stale_record` when the record does not know the newest one, or has slots of codes that were used;
 * `record_broken` when it does not follow; `list_broken` when its list removes devices and keeps the AIK.
 * Answers the record of before.
 */
export async function checkNext(
  db: Database,
  { record }: CheckedRecord,
  list: DeviceList,
  now: number,
): Promise<UnverifiedRecord> {
  const previous = await presentRecord(db, record.account);
  if (previous === undefined) throw new Fault('record_broken');
  const newList = list.epoch > previous.listEpoch;
  checkRecordSuccessor(previous, record, newList && has(list, 'reset'));
  if (newList && has(list, 'revoke')) {
    if (!has(list, 'rotate') && !has(list, 'reset')) throw new Fault('list_broken');
    if (record.arkEpoch === previous.arkEpoch) throw new Fault('record_broken');
  }
  const used = new Set((await usedSlots(db, previous, now)).map(hex));
  if (record.slots.some(({ loc }) => used.has(hex(loc)))) throw new Fault('stale_record');
  return previous;
}

/** Makes a record the present one, with its shares and what the codes are hashed with. */
export async function storeRecord(
  db: Database,
  sealing: Sealing,
  shared: Shared,
  previous: UnverifiedRecord | undefined,
  now: number,
): Promise<void> {
  const { record } = shared;
  const { account, version, codes } = record;
  const row = { version, hash: Buffer.from(record.hash), bytes: Buffer.from(record.bytes) };
  await db
    .insert(records)
    .values({ account, ...row })
    .onConflictDoUpdate({ target: records.account, set: row });
  await db
    .update(people)
    .set({
      codeSalt: Buffer.from(codes.salt),
      codeMemory: codes.kdf.memory,
      codePasses: codes.kdf.passes,
      codeLanes: codes.kdf.lanes,
    })
    .where(eq(people.account, account));
  await replaceSlots(db, sealing, shared, previous, now);
}
