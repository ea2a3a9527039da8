/**
 * The feed of a channel as this home has read it. docs/protocol/channel.md §7
 *
 *     feeds          channel    { ranges, head }     stretches without a gap, ascending, and how each begins and ends
 *     feed channel   place      what stands there
 *     feed-waiting   channel place    chain, author, device of a post whose chain is not here
 */
import { noHash } from '@island/protocol/crypto/account-state.ts';
import type { FeedHead } from '@island/protocol/crypto/feed.ts';
import type { ChannelId } from '@island/protocol/wire/ids.ts';
import * as s from '@island/protocol/wire/schema.ts';
import * as v from 'valibot';
import { bytes64, decodeRecord, encodeRecord } from '../storage/record.ts';
import { appendedKey, type Place, type Put, type Row } from '../storage/storage.ts';
import { type Changes, expected, type Reading } from './rows.ts';

const range = v.strictObject({
  from: v.number(),
  /** The running hash in front of `from`. */
  before: bytes64,
  /** Less than `from` where there is nothing yet. */
  to: v.number(),
  after: bytes64,
  /** Of the last. */
  accepted: v.number(),
});

const feed = v.strictObject({
  ranges: v.array(range),
  /** The newest place that the island has named. */
  head: v.number(),
});

const item = v.strictObject({
  accepted: v.number(),
  author: s.account,
  device: s.device,
  /** The running hash behind it. */
  feed: bytes64,
  /** waiting: its chain is not here; gone: the island has it no more. */
  state: v.picklist(['open', 'waiting', 'refused', 'gone']),
  why: v.optional(v.string()),
  /** The bytes, for as long as they could not be opened. */
  post: v.optional(bytes64),
  id: v.optional(v.string()),
  sentAt: v.optional(v.number()),
  body: v.optional(bytes64),
  /** On whose word the chain is the author's. */
  sharedBy: v.optional(s.account),
  /** It calls this home's person by a mention. */
  calls: v.optional(v.boolean()),
});

const waiting = v.strictObject({
  chain: v.string(),
  author: s.account,
  device: s.device,
  /** Unix milliseconds. */
  since: v.number(),
});

export type FeedRange = v.InferOutput<typeof range>;
export type Feed = v.InferOutput<typeof feed>;
export type FeedItemRow = v.InferOutput<typeof item>;
export type Waiting = v.InferOutput<typeof waiting> & { channel: ChannelId; seq: number };

const feeds = 'feeds';
const waits = 'feed-waiting';
export const itemsOf = (channel: ChannelId): string => `feed ${channel}`;

export async function readFeed(
  storage: Pick<Reading, 'read'>,
  channel: ChannelId,
): Promise<Feed & { row: Row | undefined }> {
  const row = await storage.read(feeds, channel);
  return row ? { ...decodeRecord(feed, row), row } : { ranges: [], head: 0, row };
}

export function changeFeed(
  changes: Changes,
  channel: ChannelId,
  { row, ...changed }: Feed & { row: Row | undefined },
): void {
  const place = { namespace: feeds, key: channel };
  expected(changes, place, row);
  changes.put.push({ ...place, bytes: encodeRecord(changed) });
}

export const feedPlace = (channel: ChannelId): Place => ({ namespace: feeds, key: channel });

/** What this home has seen of the feed, for who posts. */
export async function seenOf(
  storage: Pick<Reading, 'read'>,
  channel: ChannelId,
): Promise<Pick<FeedHead, 'seq' | 'hash'>> {
  const newest = (await readFeed(storage, channel)).ranges.at(-1);
  return newest && newest.to > 0
    ? { seq: newest.to, hash: newest.after }
    : { seq: 0, hash: noHash };
}

export const itemRow = (channel: ChannelId, seq: number, row: FeedItemRow): Put => ({
  namespace: itemsOf(channel),
  key: appendedKey(seq),
  bytes: encodeRecord(row),
});

export const decodeItem = (row: Row): FeedItemRow => decodeRecord(item, row);

export async function readItem(
  storage: Pick<Reading, 'read'>,
  channel: ChannelId,
  seq: number,
): Promise<FeedItemRow | undefined> {
  const row = await storage.read(itemsOf(channel), appendedKey(seq));
  return row && decodeItem(row);
}

const waitingPlace = (channel: ChannelId, seq: number): Place => ({
  namespace: waits,
  key: `${channel} ${appendedKey(seq)}`,
});

export const waitingRow = ({ channel, seq, ...row }: Waiting): Put => ({
  ...waitingPlace(channel, seq),
  bytes: encodeRecord(row),
});

export const waitsNoMore = waitingPlace;

export async function waitingPosts(storage: Pick<Reading, 'list'>): Promise<Waiting[]> {
  return (await storage.list(waits)).map((row) => {
    const [channel, seq] = row.key.split(' ');
    return { ...decodeRecord(waiting, row), channel: channel as ChannelId, seq: Number(seq) };
  });
}
