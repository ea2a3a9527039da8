/**
 * A post: one message in a channel, one ciphertext for everybody who may read it (M3).
 * docs/protocol/channel.md §6
 *
 *     post       = header ‖ commitment 32 ‖ var16 ciphertext
 *     header     = u8 1 ‖ u8 0xa1 ‖ channel 16 ‖ u64 logSeq ‖ chain 16 ‖ u32 iteration ‖ prev 32 ‖ nonce 16
 *     key 32 ‖ nonce' 12 ‖ commitment 32 = HKDF(salt nonce, message key, "PI/1/SK/MK", 76)
 *     ad         = "PI/1/SK" ‖ 0 ‖ header ‖ author 16 ‖ u32 device ‖ logHash 32
 *     ciphertext = ChaCha20-Poly1305(key, nonce', signature 64 ‖ padded plaintext, ad ‖ commitment)
 *     signature  = by the chain's signing key, purpose "channel-post", over SHA-256(ad) ‖ padded plaintext
 *     hash       = SHA-256("PI/1/hash/post" ‖ 0 ‖ post)      prev: that of the post before in the chain, zeros first
 *
 * The random nonce salts the message key: from a store that was copied or put back no pair of key and
 * nonce comes twice. The island does not see the signature: it could prove to others who wrote what.
 */
import { concat, Reader, utf8Bytes, Writer } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { type AccountId, type ChannelId, channelId, type DeviceId } from '../wire/ids.ts';
import { fromHex, hex } from '../wire/text.ts';
import { noHash } from './account-state.ts';
import { CryptoFault } from './crypto-fault.ts';
import { paddedSizes } from './padding.ts';
import { chacha, equal, hkdf, type SigningPair, sha256, sha256Of } from './primitives.ts';
import { mustVerify, sign } from './signature.ts';

export interface PostHead {
  channel: ChannelId;
  /** The newest entry of the space's log that the author knew, at least 1. */
  logSeq: number;
  /** 16 bytes. */
  chain: Uint8Array;
  iteration: number;
  /** Hash of the post before in the chain; zeros for iteration 0 and only there. */
  prev: Uint8Array;
  /** 16 random bytes. */
  nonce: Uint8Array;
}

/** A post that is in form; nothing of it is proved. */
export interface Post extends PostHead {
  commitment: Uint8Array;
  ciphertext: Uint8Array;
  /** The bytes that were read, and their hash, which is also the leaf of the feed (feed.ts). */
  bytes: Uint8Array;
  hash: Uint8Array;
}

/** What an author seals into a post besides its bytes: a reader who takes another for it opens nothing. */
export interface PostContext {
  author: AccountId;
  device: DeviceId;
  /** Hash of the space's log at `logSeq`, by what this side knows of the log. */
  logHash: Uint8Array;
}

const version = 1;
const type = 0xa1;
const headerBytes = 94;
const commitmentBytes = 32;
const cipherAt = headerBytes + commitmentBytes + 2;
const signatureBytes = 64;
/** Bytes of the ciphertext that are not padded plaintext: signature and tag. */
const around = signatureBytes + 16;
const cipherSizes: ReadonlySet<number> = new Set(paddedSizes.map((size) => size + around));

/** The longest post, bytes. */
export const longestPost = cipherAt + Math.max(...cipherSizes);

const hashLabel = utf8Bytes('PI/1/hash/post\0');
const adLabel = utf8Bytes('PI/1/SK\0');
const messageInfo = utf8Bytes('PI/1/SK/MK');
const adBytes = adLabel.length + headerBytes + 16 + 4 + 32;

export const hashPost = (bytes: Uint8Array): Uint8Array => sha256Of(hashLabel, bytes);

/** Form only. */
export function decodePost(bytes: Uint8Array): Post {
  if (bytes.length > longestPost) throw new Fault('too_large');
  const from = new Reader(bytes).header(version, type);
  const channel = channelId(hex(from.raw(16)));
  const [logSeq, chain, iteration] = [from.u64(), from.raw(16), from.u32()];
  const [prev, nonce] = [from.raw(32), from.raw(16)];
  const commitment = from.raw(commitmentBytes);
  const ciphertext = from.var16(longestPost - cipherAt);
  from.end();
  const first = equal(prev, noHash);
  if (logSeq < 1 || first !== (iteration === 0) || !cipherSizes.has(ciphertext.length)) {
    throw new Fault('malformed');
  }
  const head = { channel, logSeq, chain, iteration, prev, nonce };
  return { ...head, commitment, ciphertext, bytes, hash: hashPost(bytes) };
}

/** ad ‖ commitment: the whole is what the AEAD covers, all but the commitment what the signature does. */
function associated(
  header: Uint8Array,
  { author, device, logHash }: PostContext,
  commitment: Uint8Array,
): Uint8Array {
  if (logHash.length !== 32) throw new Fault('malformed');
  const out = new Writer(adBytes + commitmentBytes).raw(adLabel).raw(header);
  return out.raw(fromHex(author)).u32(device).raw(logHash).raw(commitment).done();
}

const postKeys = (messageKey: Uint8Array, nonce: Uint8Array) => {
  const keys = hkdf(nonce, messageKey, messageInfo, 76);
  return {
    key: keys.subarray(0, 32),
    nonce: keys.subarray(32, 44),
    commitment: keys.subarray(44),
  };
};

const signedFields = (ad: Uint8Array, padded: Uint8Array): Uint8Array =>
  concat(sha256(ad.subarray(0, adBytes)), padded);

/** The bytes of a post. `padded`: from `pad`. */
export function encodePost(
  head: PostHead,
  context: PostContext,
  keys: { messageKey: Uint8Array; signing: SigningPair },
  padded: Uint8Array,
): Uint8Array {
  const out = new Writer(cipherAt + padded.length + around).u8(version).u8(type);
  out.raw(fromHex(head.channel)).u64(head.logSeq).raw(head.chain).u32(head.iteration);
  const header = out.raw(head.prev).raw(head.nonce).done();
  if (header.length !== headerBytes) throw new Fault('malformed');
  const { key, nonce, commitment } = postKeys(keys.messageKey, head.nonce);
  const ad = associated(header, context, commitment);
  const plain = new Uint8Array(signatureBytes + padded.length);
  plain.set(sign('channel-post', keys.signing, signedFields(ad, padded)));
  plain.set(padded, signatureBytes);
  return out
    .raw(commitment)
    .var16(chacha.seal(key, nonce, plain, ad))
    .done();
}

/** What was inside a post; whether its author wrote it is not checked yet. */
export interface UnverifiedPost {
  padded: Uint8Array;
  signature: Uint8Array;
  ad: Uint8Array;
}

/**
 * Opens a post with its message key. Throws `undecryptable` if the key is not the one that the post was
 * made with, or author, device, log or any byte differ from what its author sealed.
 */
export function openCiphertext(
  post: Post,
  context: PostContext,
  messageKey: Uint8Array,
): UnverifiedPost {
  const { key, nonce, commitment } = postKeys(messageKey, post.nonce);
  // Poly1305 alone lets one ciphertext open under two keys; the commitment does not.
  if (!equal(commitment, post.commitment)) throw new CryptoFault('undecryptable');
  const ad = associated(post.bytes.subarray(0, headerBytes), context, commitment);
  const plain = chacha.open(key, nonce, post.ciphertext, ad);
  if (plain === undefined) throw new CryptoFault('undecryptable');
  const signature = plain.subarray(0, signatureBytes);
  return { padded: plain.subarray(signatureBytes), signature, ad };
}

/** Throws `bad_signature` unless the holder of the chain's signing key (public 32) wrote the post. */
export function verifyPost({ padded, signature, ad }: UnverifiedPost, signing: Uint8Array): void {
  mustVerify('channel-post', signing, signedFields(ad, padded), signature);
}

/**
 * How a post stands to the one that was read before it in its chain (`undefined`: none was). `gap`: some
 * between the two are missing, `broken`: its author says that another post was there, or none.
 */
export function linkOf(
  before: Pick<Post, 'iteration' | 'hash'> | undefined,
  post: Pick<Post, 'iteration' | 'prev'>,
): 'first' | 'follows' | 'gap' | 'broken' {
  if (before === undefined) return post.iteration === 0 ? 'first' : 'gap';
  if (post.iteration <= before.iteration) return 'broken';
  if (post.iteration > before.iteration + 1) return 'gap';
  return equal(post.prev, before.hash) ? 'follows' : 'broken';
}
