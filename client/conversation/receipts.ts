/**
 * Telling others that their messages came and were read, and hearing it of ours. docs/protocol/dm.md §12
 *
 * Receipts are for texts of accepted contacts only. For anybody else, for reactions, or for what could not be
 * read there are none: they would tell a stranger when which device is on (Careless Whisper, 2411.11194).
 * They go after a random time, several together.
 */
import type { Body } from '@island/protocol/crypto/body.ts';
import { randomBytes } from '@island/protocol/crypto/primitives.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { fromHex, hex } from '@island/protocol/wire/text.ts';
import { type Contact, readContact } from '../people/contacts.ts';
import { passing } from '../sending/outbox.ts';
import type { Put, Storage } from '../storage/storage.ts';
import { findMessage } from './places.ts';
import {
  type Due,
  dueReceipts,
  dueRow,
  type Receipt,
  type ReceiptKind,
  readReceipt,
  receiptOf,
  receiptRow,
} from './receipt-rows.ts';
import { readSettings } from './settings.ts';

/** Milliseconds until a receipt goes. */
const least = 1_000;
const most = 30_000;
/** Ids in one receipt. */
const batch = 64;

/** For the commit by which a message came or was read: what its sender is to be told. */
export async function oweReceipt(
  storage: Storage,
  { state }: Contact,
  peer: AccountId,
  kind: ReceiptKind,
  ids: readonly string[],
  now: number,
): Promise<Put[]> {
  if (state !== 'accepted' || ids.length === 0) return [];
  if (!(await readSettings(storage))[kind]) return [];
  const at = now + least + Math.random() * (most - least);
  return ids.map((id) => dueRow(peer, kind, id, at));
}

export interface Sending {
  storage: Storage;
  now: () => number;
  /** What somebody known is called now. */
  nameOf: (peer: AccountId) => Promise<string | undefined>;
}

/** Queues what is due, together with what is owed to the same person; answers when the next is. */
export async function sendDue(sending: Sending): Promise<number | undefined> {
  const { storage, now } = sending;
  const owed = Object.groupBy(await dueReceipts(storage), ({ peer, kind }) => `${peer} ${kind}`);
  let next: number | undefined;
  for (const all of Object.values(owed)) {
    const first = Math.min(...(all ?? []).map(({ at }) => at));
    if (first > now()) next = Math.min(next ?? first, first);
    else
      for (let i = 0; i < (all ?? []).length; i += batch)
        await send(all?.slice(i, i + batch) ?? [], sending);
  }
  return next;
}

async function send(owed: readonly Due[], { storage, now, nameOf }: Sending): Promise<void> {
  const [first] = owed;
  if (!first) return;
  const { peer, kind } = first;
  const name = await nameOf(peer);
  // Both may have changed since.
  const { state } = await readContact(storage, peer);
  const told = (await readSettings(storage))[kind] && state === 'accepted';
  const ids = owed.map(({ id }) => fromHex(id));
  const body = { kind: 'receipt', read: kind === 'read', ids } as const;
  const row =
    name !== undefined && told && passing(name, { id: randomBytes(16), sentAt: now(), body });
  const places = owed.map(({ place }) => place);
  await storage.commit({ append: row ? [row] : [], remove: places, expect: places });
}

/** For the commit of a receipt that came. What names nothing of ours counts for nothing. */
export async function takeReceipt(
  { storage, put, now }: { storage: Storage; put: Put[]; now: () => number },
  peer: AccountId,
  name: string,
  { read, ids }: Extract<Body, { kind: 'receipt' }>,
): Promise<void> {
  const settings = await readSettings(storage);
  const shown = { delivered: settings.delivered, read: read && settings.read };
  if (!shown.delivered && !shown.read) return;
  for (const bytes of ids) {
    const target = { direction: 'out', id: hex(bytes) } as const;
    if (!(await findMessage(storage, target, peer, name))) continue;
    const place = receiptRow(target, peer, {});
    const earlier = put.findLast(
      (row) => row.namespace === place.namespace && row.key === place.key,
    );
    const held: Receipt = earlier ? readReceipt(earlier) : await receiptOf(storage, target, peer);
    const at = now();
    const next: Receipt = {
      ...(shown.delivered && { delivered: at }),
      ...(shown.read && { read: at }),
      ...held,
    };
    put.push(receiptRow(target, peer, next));
  }
}
