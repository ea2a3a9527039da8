/**
 * Since when somebody is known to have let us in: what we said before was a request, and nothing tells us of
 * its fate. docs/protocol/dm.md §12, §14
 *
 *     let-in   peer   { since }      Unix milliseconds: the first that came of them, or their first delivery key
 */
import type { AccountId } from '@island/protocol/wire/ids.ts';
import * as v from 'valibot';
import { readContact } from '../people/contacts.ts';
import { decodeRecord, encodeRecord } from '../storage/record.ts';
import type { Storage } from '../storage/storage.ts';
import type { Changes } from './erasing.ts';

const record = v.strictObject({ since: v.number() });
const namespace = 'let-in';

async function letInSince(storage: Storage, peer: AccountId): Promise<number | undefined> {
  const row = await storage.read(namespace, peer);
  return row && decodeRecord(record, row).since;
}

/** For the commit by which something of them came that only who let us in sends: when it came, the first of each. */
export async function noteLetIn(
  storage: Storage,
  changes: Pick<Changes, 'put'>,
  came: ReadonlyMap<AccountId, number>,
): Promise<void> {
  for (const [peer, since] of came) {
    const held = await letInSince(storage, peer);
    if (held === undefined || since < held)
      changes.put.push({ namespace, key: peer, bytes: encodeRecord({ since }) });
  }
}

/** Keeps the earliest. */
export function cameFrom(came: Map<AccountId, number>, peer: AccountId, time: number): void {
  came.set(peer, Math.min(time, came.get(peer) ?? time));
}

/** What was sent then: a request that still waits, or did when it was sent; undefined: neither. */
export async function requestThen(
  storage: Storage,
  peer: AccountId,
  sentAt: number,
): Promise<'waits' | 'over' | undefined> {
  const since = await letInSince(storage, peer);
  if (since !== undefined) return sentAt < since ? 'over' : undefined;
  return (await readContact(storage, peer)).key ? undefined : 'waits';
}
