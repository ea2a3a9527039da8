/**
 * The order of a channel's posts, as one running hash: two readers who have the same hash at one place
 * have seen the same posts of the same authors up to there, and no two orders have one hash.
 * docs/protocol/channel.md §7
 *
 *     leaf   = SHA-256("PI/1/hash/post" ‖ 0 ‖ post)
 *     feed_n = SHA-256("PI/1/hash/feed" ‖ 0 ‖ feed_{n-1} 32 ‖ u64 n ‖ u64 accepted ‖ author 16 ‖ u32 device ‖ leaf 32)
 *     feed_0 = 32 zeros
 *
 * A post that was removed keeps its leaf: the hash goes on over the gap.
 */
import { utf8Bytes, Writer } from '../wire/bytes.ts';
import type { AccountId, DeviceId } from '../wire/ids.ts';
import { fromHex } from '../wire/text.ts';
import { noHash } from './account-state.ts';
import { CryptoFault } from './crypto-fault.ts';
import { sha256 } from './primitives.ts';

export interface FeedItem {
  /** Place in the channel: 1 for its first post, then one more each time. */
  seq: number;
  /** Newest entry of the space's log when the island took the post. */
  accepted: number;
  author: AccountId;
  device: DeviceId;
  /** `hashPost` of the post, 32 bytes. */
  leaf: Uint8Array;
}

/** Where a feed is: the newest item that it has, and the running hash after it. */
export interface FeedHead {
  readonly seq: number;
  readonly hash: Uint8Array;
  /** `accepted` of that item. */
  readonly accepted: number;
}

export const emptyFeed: FeedHead = { seq: 0, hash: noHash, accepted: 0 };

const label = utf8Bytes('PI/1/hash/feed\0');

/** The head after `item`. Throws `feed_broken` unless it is the next one and `accepted` does not fall. */
export function nextFeedHead(head: FeedHead, item: FeedItem): FeedHead {
  const { seq, accepted, author, device, leaf } = item;
  const follows = seq === head.seq + 1 && accepted >= head.accepted && leaf.length === 32;
  if (!follows) throw new CryptoFault('feed_broken');
  const out = new Writer(label.length + 116).raw(label).raw(head.hash).u64(seq).u64(accepted);
  const hash = sha256(out.raw(fromHex(author)).u32(device).raw(leaf).done());
  return { seq, hash, accepted };
}

/** The head after all of `items`, in their order. Faults as `nextFeedHead`. */
export const feedHeadAfter = (head: FeedHead, items: readonly FeedItem[]): FeedHead =>
  items.reduce(nextFeedHead, head);
