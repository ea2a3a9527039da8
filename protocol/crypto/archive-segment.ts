/**
 * A link of the one chain in which the devices of a person keep their history (A3). docs/protocol/archive.md §2
 *
 *     segment = u8 1 ‖ u8 0x50 ‖ account 16 ‖ u32 device ‖ u64 seq ‖ prevHash 32 ‖ u32 listEpoch
 *               ‖ u32 arkEpoch ‖ id 16 ‖ var32 sealed
 *               ‖ signature 64      by the DSK of the device, purpose "archive-segment"
 *     key ‖ nonce = HKDF( salt = id, ARK, "PI/1/archive-segment", 32 + 12 )
 *     sealed  = AES-256-GCM( key, nonce, padded, AD = all before the length of sealed )
 *     padded  = entries (archive-entry.ts), ISO/IEC 7816-4 to a power of two from 512 to 32,768
 *     hash    = SHA-256( "PI/1/hash/archive-segment" ‖ 0x00 ‖ segment )
 *
 * `id` is random, so that every segment has a key of its own; the island sees who wrote how much and when.
 */
import { concat, Reader, utf8Bytes, Writer } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { type AccountId, accountId, type DeviceId, deviceId } from '../wire/ids.ts';
import { limits } from '../wire/limits.ts';
import { fromHex, hex } from '../wire/text.ts';
import { noHash } from './account-state.ts';
import { CryptoFault } from './crypto-fault.ts';
import {
  aesGcm,
  equal,
  hkdf,
  type Random,
  randomBytes,
  type SigningPair,
  sha256Of,
} from './primitives.ts';
import { mustVerify, sign } from './signature.ts';

export interface SegmentHead {
  account: AccountId;
  /** Who wrote it: on the account's list of `listEpoch`. */
  device: DeviceId;
  /** 1 for the first segment of the account, then one more each time. */
  seq: number;
  /** Hash of the segment before; 32 zero bytes first. */
  prevHash: Uint8Array;
  listEpoch: number;
  /** The archive key that opens it. */
  arkEpoch: number;
}

/** A segment that is in form; `openSegment` says whether its device wrote it. */
export interface Segment extends SegmentHead {
  /** 16 random bytes. */
  id: Uint8Array;
  sealed: Uint8Array;
  /** The bytes that were read. */
  bytes: Uint8Array;
  hash: Uint8Array;
  /** What the AEAD covers besides the entries. */
  ad: Uint8Array;
}

const version = 1;
const type = 0x50;
const headBytes = 86;
const hashLabel = utf8Bytes('PI/1/hash/archive-segment\0');
const leastPadded = 512;
const mostPadded = 32_768;

/** The longest run of entries that one segment takes, bytes. */
export const segmentRoom = mostPadded - 1;

export const hashSegment = (bytes: Uint8Array): Uint8Array => sha256Of(hashLabel, bytes);

function pad(plaintext: Uint8Array): Uint8Array {
  if (plaintext.length > segmentRoom) throw new Fault('too_large');
  let size = leastPadded;
  while (size <= plaintext.length) size *= 2;
  const out = new Uint8Array(size);
  out.set(plaintext);
  out[plaintext.length] = 0x80;
  return out;
}

/** One plaintext has one padding: `malformed` for any other. */
function unpad(padded: Uint8Array): Uint8Array {
  let end = padded.length - 1;
  while (end >= 0 && padded[end] === 0) end--;
  const least = padded.length === leastPadded ? 0 : padded.length / 2;
  if (end < least || padded[end] !== 0x80) throw new Fault('malformed');
  return padded.subarray(0, end);
}

function segmentKeys(ark: Uint8Array, id: Uint8Array) {
  if (ark.length !== 32) throw new Fault('malformed');
  const both = hkdf(id, ark, 'PI/1/archive-segment', 44);
  return { key: both.subarray(0, 32), nonce: both.subarray(32) };
}

/**
 * The bytes of a segment with `entries` (at most `segmentRoom` bytes, else `too_large`). `ark`: the archive
 * key of `arkEpoch`.
 */
export function sealSegment(
  head: SegmentHead,
  entries: Uint8Array,
  keys: { ark: Uint8Array; dsk: SigningPair },
  random: Random = randomBytes,
): Uint8Array {
  const padded = pad(entries);
  const id = random(16);
  const out = new Writer(headBytes + padded.length + 84).u8(version).u8(type);
  out.raw(fromHex(head.account)).u32(head.device).u64(head.seq).raw(head.prevHash);
  out.u32(head.listEpoch).u32(head.arkEpoch).raw(id);
  const ad = out.done().slice();
  const { key, nonce } = segmentKeys(keys.ark, id);
  const fields = out.var32(aesGcm.seal(key, nonce, padded, ad)).done();
  const segment = concat(fields, sign('archive-segment', keys.dsk, fields));
  readSegment(segment);
  return segment;
}

/** Form only. */
export function readSegment(bytes: Uint8Array): Segment {
  if (bytes.length > limits.segmentBytes) throw new Fault('too_large');
  const from = new Reader(bytes).header(version, type);
  const account = accountId(hex(from.raw(16)));
  const device = deviceId(from.u32());
  const chain = { seq: from.u64(), prevHash: from.raw(32) };
  const epochs = { listEpoch: from.u32(), arkEpoch: from.u32() };
  const id = from.raw(16);
  const ad = bytes.subarray(0, headBytes);
  const sealed = from.var32(mostPadded + 16);
  from.raw(64);
  from.end();
  const size = sealed.length - 16;
  const lawful =
    chain.seq >= 1 &&
    (chain.seq === 1) === equal(chain.prevHash, noHash) &&
    epochs.listEpoch >= 1 &&
    epochs.arkEpoch >= 1 &&
    size >= leastPadded &&
    (size & (size - 1)) === 0;
  if (!lawful) throw new Fault('malformed');
  const head = { account, device, ...chain, ...epochs };
  return { ...head, id, sealed, bytes, hash: hashSegment(bytes), ad };
}

/** Throws `bad_signature` unless the device with this signing key wrote the segment. */
export function verifySegment({ bytes }: Segment, dskPublic: Uint8Array): void {
  mustVerify('archive-segment', dskPublic, bytes.subarray(0, -64), bytes.subarray(-64));
}

/**
 * The entries of a segment. `dskPublic`: of its device, from the list of its `listEpoch`; `ark`: the archive
 * key of its `arkEpoch`. Throws `bad_signature`, and `CryptoFault` `archive_broken` if the key does not open it.
 */
export function openSegment(segment: Segment, dskPublic: Uint8Array, ark: Uint8Array): Uint8Array {
  verifySegment(segment, dskPublic);
  const { key, nonce } = segmentKeys(ark, segment.id);
  const padded = aesGcm.open(key, nonce, segment.sealed, segment.ad);
  if (padded === undefined) throw new CryptoFault('archive_broken');
  return unpad(padded);
}

/** What is kept of the newest segment to judge the next one by. */
export type KnownSegment = Pick<Segment, 'account' | 'seq' | 'hash' | 'listEpoch' | 'arkEpoch'>;

/**
 * Throws `CryptoFault` `archive_broken` unless `next` follows `previous` (`undefined`: it is the first of
 * `account`): the next number, the hash of the one before, epochs that do not fall.
 */
export function checkNextSegment(
  account: AccountId,
  previous: KnownSegment | undefined,
  next: Segment,
): void {
  const before = previous ?? { account, seq: 0, hash: noHash, listEpoch: 1, arkEpoch: 1 };
  const follows =
    next.account === account &&
    before.account === account &&
    next.seq === before.seq + 1 &&
    equal(next.prevHash, before.hash) &&
    next.listEpoch >= before.listEpoch &&
    next.arkEpoch >= before.arkEpoch;
  if (!follows) throw new CryptoFault('archive_broken');
}
