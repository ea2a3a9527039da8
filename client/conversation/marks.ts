/**
 * What was read, on this device and on the others of the account. docs/protocol/dm.md §12
 *
 *     read-marks   peer      { upTo, due }      of messages up to this stamp; due: not looked at here yet
 *
 * A stamp is the time of sending by the sender's clock, but not after the message came: all devices have the
 * same, and a clock that runs ahead marks nothing that is still to come.
 */
import type { AccountId } from '@island/protocol/wire/ids.ts';
import * as v from 'valibot';
import { shownPlace } from '../messages/messages.ts';
import { decodeRecord, encodeRecord } from '../storage/record.ts';
import type { Put, Storage } from '../storage/storage.ts';
import type { Changes } from './erasing.ts';
import { expiringRows, keyOfPlace, talks, type Unread, unreadIn, unreadPlace } from './places.ts';

const record = v.strictObject({ upTo: v.number(), due: v.boolean() });
const namespace = 'read-marks';

const markRow = (peer: AccountId, upTo: number, due: boolean): Put => ({
  namespace,
  key: peer,
  bytes: encodeRecord({ upTo, due }),
});

/** 0 where nothing was read. */
export async function markOf(storage: Storage, peer: AccountId | undefined): Promise<number> {
  const row = peer && (await storage.read(namespace, peer));
  return row ? decodeRecord(record, row).upTo : 0;
}

/** Another device says so; what comes of it does `applyMarks`. */
export async function takeMark(
  storage: Storage,
  changes: Pick<Changes, 'put'>,
  peer: AccountId,
  readUpTo: number,
  now: number,
): Promise<void> {
  const upTo = Math.min(readUpTo, now);
  if (upTo > (await markOf(storage, peer))) changes.put.push(markRow(peer, upTo, true));
}

/** These were read, just now: they are unread no more and their time begins. */
export function readNow(
  changes: Pick<Changes, 'put' | 'remove'>,
  name: string,
  read: readonly Unread[],
  now: number,
): void {
  for (const { at, timer } of read) {
    const key = keyOfPlace(at);
    changes.remove.push(unreadPlace(name, at), shownPlace(key));
    if (timer !== undefined) changes.put.push(...expiringRows(name, key, timer, now));
  }
}

/** For the commit by which something was read here. */
export async function raiseMark(
  storage: Storage,
  changes: Pick<Changes, 'put'>,
  peer: AccountId,
  upTo: number,
): Promise<void> {
  const row = await storage.read(namespace, peer);
  const held = row ? decodeRecord(record, row) : { upTo: 0, due: false };
  if (upTo > held.upTo) changes.put.push(markRow(peer, upTo, held.due));
}

/** False when no mark is new. */
export async function applyMarks(
  storage: Storage,
  changes: Changes,
  now: number,
): Promise<boolean> {
  const due = (await storage.list(namespace))
    .map((row) => ({ row, ...decodeRecord(record, row) }))
    .filter((mark) => mark.due);
  if (due.length === 0) return false;
  const known = await talks(storage);
  for (const { row, upTo } of due) {
    const peer = row.key as AccountId;
    for (const { name } of known.filter((talk) => talk.peer === peer)) {
      const unread = await unreadIn(storage, name);
      const read = unread.filter((each) => each.peer === peer && each.stamp <= upTo);
      readNow(changes, name, read, now);
    }
    changes.put.push(markRow(peer, upTo, false));
    changes.expect.push({ namespace, key: peer, version: row.version });
  }
  return true;
}
