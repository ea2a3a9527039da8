/** For tests: a channel with people in it who post and read, and no island between them. */
import { seededRandom } from '../../vectors/seeded.ts';
import { accountId, channelId, deviceId, spaceId } from '../../wire/ids.ts';
import { admitChain } from '../chain-admission.ts';
import type { FeedItem } from '../feed.ts';
import { decodePost, type PostContext } from '../post.ts';
import { encodePostPlaintext } from '../post-plaintext.ts';
import type { PlacedPost, ReceivedChain } from '../received-chain.ts';
import { channelKeyOf, makeChain, type SenderChain, sealPost } from '../sender-chain.ts';

export const space = spaceId('50'.repeat(16));
export const channel = channelId('c0'.repeat(16));
export const ann = accountId('a1'.repeat(16));
export const bob = accountId('b2'.repeat(16));
export const mallory = accountId('ee'.repeat(16));
export const one = deviceId(1);
/** 2026-11-01, ms. */
export const now = 1_793_500_000_000;
export const log = { logSeq: 7, logHash: new Uint8Array(32).fill(0x70) };
export const annHere: PostContext = { author: ann, device: one, logHash: log.logHash };
export const from = { author: ann, device: one };

export const plaintextOf = (text: string): Uint8Array =>
  encodePostPlaintext({
    id: new Uint8Array(16).fill(3),
    sentAt: now,
    seen: { seq: 0, hash: new Uint8Array(32) },
    body: { kind: 'text', text },
  });

/** A chain of Ann's device, new, and what is drawn for it. */
export function annsChain(seed: string, epoch = 5): SenderChain {
  return makeChain({ space, channel, epoch }, now, seededRandom(seed));
}

/** Posts of `chain` with these texts, and the chain after them. */
export function postAll(
  chain: SenderChain,
  texts: readonly string[],
): { chain: SenderChain; posts: PlacedPost[] } {
  let at = chain;
  const posts = texts.map((text) => {
    const sealed = sealPost(at, { author: ann, device: one, ...log }, plaintextOf(text));
    at = sealed.chain;
    return { post: decodePost(sealed.post), context: annHere };
  });
  return { chain: at, posts };
}

/** The chain as a reader has it who is let in at its next post. */
export const readerOf = (chain: SenderChain): ReceivedChain =>
  admitChain([], channelKeyOf(chain, log), from).chain;

/** What a feed says of so many posts of Ann's. */
export const annsFeed = (count: number): FeedItem[] =>
  postAll(annsChain('feed'), Array.from({ length: count }, String)).posts.map(({ post }, i) => ({
    seq: i + 1,
    accepted: 7 + i,
    author: ann,
    device: one,
    leaf: post.hash,
  }));
