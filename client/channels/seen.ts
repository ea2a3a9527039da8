/**
 * What others say that they have seen of the feed, beside what this home has. docs/protocol/channel.md §6, §7
 *
 *     channel-seen channel   place    { hash, by }      of places that were not read here yet
 */
import { equal } from '@island/protocol/crypto/primitives.ts';
import type { AccountId, ChannelId } from '@island/protocol/wire/ids.ts';
import * as s from '@island/protocol/wire/schema.ts';
import * as v from 'valibot';
import { bytes64, decodeRecord, encodeRecord } from '../storage/record.ts';
import { appendedKey } from '../storage/storage.ts';
import type { Difference } from './differences.ts';
import type { Changes, Reading } from './rows.ts';

const record = v.strictObject({ hash: bytes64, by: s.account });
export const claimsIn = (channel: ChannelId): string => `channel-seen ${channel}`;

interface SeenBy {
  /** The place of the post that says so. */
  seq: number;
  author: AccountId;
  seen: { seq: number; hash: Uint8Array };
}

/** What this device has not read is looked at when it is. */
export async function checkSeen(
  changes: Changes,
  channel: ChannelId,
  { seq, author, seen }: SeenBy,
  feedAt: (seq: number) => Promise<Uint8Array | undefined>,
): Promise<Difference | undefined> {
  if (seen.seq === 0) return undefined;
  const difference = { why: 'seen', seq: seen.seq, by: author } as const;
  // Nobody has seen what came behind their own post.
  if (seen.seq >= seq) return difference;
  const own = await feedAt(seen.seq);
  if (own) return equal(own, seen.hash) ? undefined : difference;
  const place = { namespace: claimsIn(channel), key: appendedKey(seen.seq) };
  changes.put.push({ ...place, bytes: encodeRecord({ hash: seen.hash, by: author }) });
  return undefined;
}

/** Places that were read now, and what others had said of them. */
export async function checkClaims(
  reading: Reading,
  changes: Changes,
  channel: ChannelId,
  items: readonly { seq: number; feed: Uint8Array }[],
): Promise<Difference | undefined> {
  const namespace = claimsIn(channel);
  let found: Difference | undefined;
  const first = items[0];
  const last = items.at(-1);
  if (first === undefined || last === undefined) return undefined;
  const feeds = new Map(items.map(({ seq, feed }) => [appendedKey(seq), feed]));
  for (const row of await reading.list(namespace, { after: appendedKey(first.seq - 1) })) {
    const feed = feeds.get(row.key);
    if (feed === undefined) continue;
    const { hash, by } = decodeRecord(record, row);
    changes.remove.push({ namespace, key: row.key });
    if (!equal(feed, hash)) found ??= { why: 'seen', seq: Number(row.key), by };
  }
  return found;
}
