/**
 * A post before padding. docs/protocol/channel.md §6
 *
 *     u8 1 ‖ u8 0xa2 ‖ id 16 ‖ u64 sentAt ‖ u64 seenSeq ‖ seenHash 32 ‖ body (channel-body.ts)
 *
 * `id` is random; a post is named by its author and its id. `seen`: what the author had of the channel's
 * feed (feed.ts), so that whoever has another feed up to there finds out; 0 and zeros for nothing.
 */
import { Reader, Writer } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { noHash } from './account-state.ts';
import { type ChannelBody, readChannelBody, writeChannelBody } from './channel-body.ts';
import { longestPlaintext } from './padding.ts';
import { equal } from './primitives.ts';

export interface PostPlaintext {
  /** 16 bytes. */
  id: Uint8Array;
  /** Unix milliseconds by the author's clock: to be shown and not to be trusted. */
  sentAt: number;
  /** Place and running hash of the newest item of the feed that the author had. */
  seen: { seq: number; hash: Uint8Array };
  body: ChannelBody;
}

const version = 1;
const type = 0xa2;

/** Nothing is seen of an empty feed, and something of any other. */
function checkSeen(seen: PostPlaintext['seen']): PostPlaintext['seen'] {
  const { seq, hash } = seen;
  if (hash.length !== 32 || (seq === 0) !== equal(hash, noHash)) throw new Fault('malformed');
  return seen;
}

/** Throws `too_large` above what can be padded, `malformed` for fields out of form. */
export function encodePostPlaintext({ id, sentAt, seen, body }: PostPlaintext): Uint8Array {
  if (id.length !== 16) throw new Fault('malformed');
  const { seq, hash } = checkSeen(seen);
  const out = new Writer(256).u8(version).u8(type).raw(id).u64(sentAt).u64(seq).raw(hash);
  writeChannelBody(out, body);
  const bytes = out.done();
  if (bytes.length > longestPlaintext) throw new Fault('too_large');
  return bytes;
}

/** Throws `unknown_type` for a kind of body that is not known here: a newer client made it. */
export function decodePostPlaintext(bytes: Uint8Array): PostPlaintext {
  if (bytes.length > longestPlaintext) throw new Fault('too_large');
  const from = new Reader(bytes).header(version, type);
  const [id, sentAt] = [from.raw(16), from.u64()];
  const seen = checkSeen({ seq: from.u64(), hash: from.raw(32) });
  const body = readChannelBody(from);
  from.end();
  return { id, sentAt, seen, body };
}
