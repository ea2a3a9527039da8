/**
 * Envelopes whose sender can't be asked for now, because there are no tokens to pay with or the directory shows
 * nothing that counts: they lie here with their bytes and are opened later, so that what others sent does not wait for them. docs/protocol/dm.md §6.2
 *
 * Bounded: of one account, of all whom we have not let in, and of the others. What is too much is dropped.
 */
import type { AccountId } from '@island/protocol/wire/ids.ts';
import * as s from '@island/protocol/wire/schema.ts';
import * as v from 'valibot';
import { isAccepted, readContact } from '../people/contacts.ts';
import { bytes64, decodeRecord, encodeRecord } from '../storage/record.ts';
import type { Place, Put, Storage } from '../storage/storage.ts';

const record = v.strictObject({
  body: bytes64,
  /** Whose it says it is. */
  account: s.account,
  /** We had let them in. */
  accepted: v.boolean(),
  /** Unix milliseconds at which it came. */
  at: v.number(),
});

export interface Aside {
  /** The same by which an envelope is known (envelopes.ts). */
  key: string;
  body: Uint8Array;
  account: AccountId;
}

const namespace = 'aside';
/** Of one account, and of all of a kind. */
const bounds = { each: 32, all: 200 };

export const asidePlace = (key: string): Place => ({ namespace, key });

export const isAside = async (storage: Storage, key: string): Promise<boolean> =>
  (await storage.read(namespace, key)) !== undefined;

/** In the order in which they came. */
export async function aside(storage: Storage): Promise<Aside[]> {
  return (await storage.list(namespace))
    .map((row) => ({ ...decodeRecord(record, row), key: row.key }))
    .sort((a, b) => a.at - b.at);
}

/** Rows for those that there is room for; the others are given to `dropped`. */
export async function putAside(
  storage: Storage,
  envelopes: readonly Aside[],
  now: number,
  dropped: () => void,
): Promise<Put[]> {
  const held = (await storage.list(namespace)).map((row) => decodeRecord(record, row));
  const put: Put[] = [];
  for (const [i, { key, body, account }] of envelopes.entries()) {
    const accepted = isAccepted(await readContact(storage, account));
    const same = held.filter((each) => each.accepted === accepted);
    const theirs = same.filter((each) => each.account === account);
    if (same.length >= bounds.all || theirs.length >= bounds.each) {
      dropped();
      continue;
    }
    // Rows of one batch come in its order.
    const row = { body, account, accepted, at: now + i / 1000 };
    held.push(row);
    put.push({ namespace, key, bytes: encodeRecord(row) });
  }
  return put;
}
