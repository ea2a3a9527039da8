/**
 * What is known of the fate of what we sent, and what others are still to be told. docs/protocol/dm.md §12
 *
 *     receipts        direction ‖ ' ' ‖ peer ‖ ' ' ‖ id             { delivered?, read? }     Unix milliseconds
 *     receipts-due    peer ‖ ' ' ‖ kind ‖ ' ' ‖ id                  { at }                    when it may go
 */
import { type AccountId, accountId } from '@island/protocol/wire/ids.ts';
import * as v from 'valibot';
import { decodeRecord, encodeRecord } from '../storage/record.ts';
import type { Place, Put, Storage } from '../storage/storage.ts';
import type { TargetOf } from './fold.ts';

const record = v.strictObject({ delivered: v.optional(v.number()), read: v.optional(v.number()) });
export type Receipt = v.InferOutput<typeof record>;
export type ReceiptKind = 'delivered' | 'read';

const receipts = 'receipts';
const due = 'receipts-due';

const receiptKey = ({ direction, id }: TargetOf, peer: AccountId): Place => ({
  namespace: receipts,
  key: `${direction} ${peer} ${id}`,
});

export async function receiptOf(
  storage: Storage,
  target: TargetOf,
  peer: AccountId,
): Promise<Receipt> {
  const { namespace, key } = receiptKey(target, peer);
  const row = await storage.read(namespace, key);
  return row ? decodeRecord(record, row) : {};
}

export const readReceipt = ({ key, bytes }: Put): Receipt =>
  decodeRecord(record, { key, bytes, version: 0 });

export const receiptRow = (target: TargetOf, peer: AccountId, receipt: Receipt): Put => ({
  ...receiptKey(target, peer),
  bytes: encodeRecord(receipt),
});

/** Everything of a message. */
export const receiptPlaces = (target: TargetOf, peer: AccountId): Place[] => [
  receiptKey(target, peer),
  duePlace(peer, 'delivered', target.id),
  duePlace(peer, 'read', target.id),
];

export const duePlace = (peer: AccountId, kind: ReceiptKind, id: string): Place => ({
  namespace: due,
  key: `${peer} ${kind} ${id}`,
});
const dueRecord = v.strictObject({ at: v.number() });

export const dueRow = (peer: AccountId, kind: ReceiptKind, id: string, at: number): Put => ({
  ...duePlace(peer, kind, id),
  bytes: encodeRecord({ at }),
});

export interface Due {
  peer: AccountId;
  kind: ReceiptKind;
  id: string;
  at: number;
  place: Place & { version: number };
}

/** By peer and kind. */
export async function dueReceipts(storage: Storage): Promise<Due[]> {
  return (await storage.list(due)).map((row) => {
    const [peer = '', kind, id = ''] = row.key.split(' ');
    const { at } = decodeRecord(dueRecord, row);
    const place = { namespace: due, key: row.key, version: row.version };
    return { peer: accountId(peer), kind: kind === 'read' ? 'read' : 'delivered', id, at, place };
  });
}
