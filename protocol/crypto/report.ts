/**
 * Posts shown to those who moderate, with what proves their words. docs/protocol/channel.md §9
 *
 *     report = u8 1 ‖ u8 0xa3 ‖ space 16 ‖ channel 16 ‖ u8 n 1 to 16 × { u64 seq ‖ message key 32 } ‖ u8 reason ‖ text16 comment
 *     reason: 1 spam · 2 harassment · 3 violence · 4 sexual · 5 illegal · 6 other
 *
 * The posts come from the island, their places and hashes from the feed. A message key opens its own post
 * and no other: the commitment in the post says so, and no key can make other words of the same post.
 */
import { Reader, utf8Bytes, Writer } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import type { ChannelId, SpaceId } from '../wire/ids.ts';
import { fromHex } from '../wire/text.ts';
import { fixed, readChoice, readEach, writeEach } from './body-fields.ts';
import { readChannel, readSpace } from './channel-key-body.ts';
import { unpad } from './padding.ts';
import { openCiphertext, type Post, type PostContext, verifyPost } from './post.ts';

export const reportReasons = [
  'spam',
  'harassment',
  'violence',
  'sexual',
  'illegal',
  'other',
] as const;
export type ReportReason = (typeof reportReasons)[number];

/** A post by its place in the feed, and the key that opens it (`messageKeyAt`), 32 bytes. */
export interface ReportedPost {
  seq: number;
  messageKey: Uint8Array;
}

export interface Report {
  space: SpaceId;
  channel: ChannelId;
  /** In the order of their places, none twice. */
  posts: readonly ReportedPost[];
  reason: ReportReason;
  comment: string;
}

const version = 1;
const type = 0xa3;

export const reportLimits = {
  posts: 16,
  /** UTF-8 bytes. */
  commentBytes: 2000,
} as const;

/** The longest report, bytes. */
export const longestReport = 38 + reportLimits.posts * 40 + reportLimits.commentBytes;

export function encodeReport({ space, channel, posts, reason, comment }: Report): Uint8Array {
  if (utf8Bytes(comment).length > reportLimits.commentBytes) throw new Fault('too_large');
  const out = new Writer(longestReport).u8(version).u8(type);
  out.raw(fromHex(space)).raw(fromHex(channel));
  writeEach(
    out,
    checkPlaces(posts),
    ({ seq, messageKey }) => out.u64(seq).raw(fixed(messageKey, 32)),
    reportLimits.posts,
  );
  return out
    .u8(reportReasons.indexOf(reason) + 1)
    .text16(comment)
    .done();
}

export function decodeReport(bytes: Uint8Array): Report {
  if (bytes.length > longestReport) throw new Fault('too_large');
  const from = new Reader(bytes).header(version, type);
  const [space, channel] = [readSpace(from), readChannel(from)];
  const post = () => ({ seq: from.u64(), messageKey: from.raw(32) });
  const posts = checkPlaces(readEach(from, post, reportLimits.posts));
  const reason = readChoice(from, reportReasons);
  const comment = from.text16(reportLimits.commentBytes);
  from.end();
  return { space, channel, posts, reason, comment };
}

function checkPlaces(posts: readonly ReportedPost[]): readonly ReportedPost[] {
  let last = 0;
  for (const { seq } of posts) {
    if (seq <= last) throw new Fault('malformed');
    last = seq;
  }
  return posts;
}

/**
 * The plaintext of a reported post, for `decodePostPlaintext`. `context` as in `openPost`; `signing`: of the
 * post's chain, where this device has it. `proved` is false where it has not: the words are those that were
 * posted, but whoever has the message key may have posted them in the author's name if the island helped.
 * Throws `undecryptable` for a key that is not this post's, `bad_signature`, and `malformed` as `openPost`.
 */
export function openReportedPost(
  post: Post,
  context: PostContext,
  messageKey: Uint8Array,
  signing: Uint8Array | undefined,
): { plaintext: Uint8Array; proved: boolean } {
  const opened = openCiphertext(post, context, messageKey);
  if (signing) verifyPost(opened, signing);
  return { plaintext: unpad(opened.padded), proved: signing !== undefined };
}
