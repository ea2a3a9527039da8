/**
 * What was sent to which device, by the hash of the session message: so that a device can ask for it again.
 * docs/protocol/ratchet.md §9.3
 *
 * Invariants: a row is committed together with the ratchet step that made the message, and stands for the
 * device that the message was made for, by its keys: what was sent before a device was there can't be asked
 * for by it. The row holds no words, only where they are; what was deleted since is not sent again.
 */
import type { Party } from '@island/protocol/crypto/handshake.ts';
import { equal } from '@island/protocol/crypto/primitives.ts';
import { type DeviceKey, deviceKey } from '@island/protocol/wire/ids.ts';
import { hex } from '@island/protocol/wire/text.ts';
import * as v from 'valibot';
import { bytes64, decodeRecord, encodeRecord } from '../storage/record.ts';
import type { Place, Put, Row, Storage } from '../storage/storage.ts';
import { repairLimits } from './repair-limits.ts';

const record = v.strictObject({
  /** Unix milliseconds at which it was sealed. */
  at: v.number(),
  /** Of the device that it was sealed for. */
  dik: bytes64,
  /** The place of its message or act; none for what is kept nowhere. */
  place: v.optional(v.string()),
  /** It told one of our own devices of what lies there. */
  sync: v.optional(v.literal(true)),
  /** How often it was sent again. */
  times: v.number(),
});
export type Sent = v.InferOutput<typeof record>;

const namespace = 'sent';
const pageSize = 500;

const keyOf = (device: DeviceKey, hash: Uint8Array): string =>
  `${device} ${hex(hash.subarray(0, 16))}`;

export const sentRow = (peer: Party, hash: Uint8Array, sent: Sent): Put => ({
  namespace,
  key: keyOf(deviceKey(peer.account, peer.device), hash),
  bytes: encodeRecord(sent),
});

/** What can still be asked for by this device, by `hashKey`; `pending`: what the commit in the making says of it. */
export async function sentTo(
  storage: Storage,
  peer: Party,
  now: number,
  pending: readonly Put[] = [],
): Promise<Map<string, Sent>> {
  const device = deviceKey(peer.account, peer.device);
  const prefix = `${device} `;
  const rows: Row[] = [];
  for (let after = prefix; ; ) {
    const page = await storage.list(namespace, { after, limit: pageSize });
    const own = page.filter(({ key }) => key.startsWith(prefix));
    rows.push(...own);
    if (own.length < pageSize) break;
    after = own.at(-1)?.key ?? after;
  }
  const changed = new Map(
    pending.filter((row) => row.namespace === namespace).map((row) => [row.key, row.bytes]),
  );
  const good = rows
    .map((row) => read({ ...row, bytes: changed.get(row.key) ?? row.bytes }))
    .filter(({ sent }) => sent.at > now - repairLimits.sentFor && equal(sent.dik, peer.dik))
    .sort((a, b) => b.sent.at - a.sent.at)
    .slice(0, repairLimits.sentMost);
  return new Map(good.map(({ key, sent }) => [key.slice(prefix.length), sent]));
}

/** Under what `sentTo` has a message. */
export const hashKey = (hash: Uint8Array): string => hex(hash.subarray(0, 16));

const read = (row: Row): { key: string; sent: Sent } => ({
  key: row.key,
  sent: decodeRecord(record, row),
});

/** Rows that nobody can ask for any more are forgotten. */
export async function forgetSent(storage: Storage, now: number): Promise<void> {
  const counts = new Map<string, number>();
  const remove: Place[] = [];
  const rows = (await storage.list(namespace)).map(read).sort((a, b) => b.sent.at - a.sent.at);
  for (const { key, sent } of rows) {
    const [device = ''] = key.split(' ');
    const count = (counts.get(device) ?? 0) + 1;
    counts.set(device, count);
    if (sent.at <= now - repairLimits.sentFor || count > repairLimits.sentMost)
      remove.push({ namespace, key });
  }
  if (remove.length > 0) await storage.commit({ remove });
}
