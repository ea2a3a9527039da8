/**
 * An attachment as it is stored: in chunks, each readable by itself and only in its place (STREAM).
 * docs/protocol/attachments.md §1
 *
 *     stored       = header ‖ chunk 0 ‖ … ‖ chunk n-1
 *     header       = "PIA1" ‖ u8 log2(chunk) = 16 ‖ salt 16 ‖ prefix 7                              28 bytes
 *     salt‖prefix  = HMAC( fileKey, "PI/1/att-salt" ‖ u64 size ‖ SHA-256( file ) )[0..23)
 *     key ‖ commit = HKDF( salt, fileKey, "PI/1/att", 32 + 32 )
 *     chunk i      = AES-256-GCM( key, nonce = prefix ‖ u32 i ‖ u8 last, padded[64 KiB · i …], AD = header )
 *     padded       = file ‖ zeros up to Padmé(size); an empty file is one empty last chunk
 *
 * Invariant: one key and nonce never seal two plaintexts. What decides the key is the file itself besides the
 * file key, so that neither an upload that is taken up again nor a file key that is used twice breaks it.
 * No byte is given out before its chunk proved authentic.
 */
import { concat, utf8Bytes, Writer } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { CryptoFault } from './crypto-fault.ts';
import { aesGcm, equal, hkdf, hmac } from './primitives.ts';

/** Plaintext bytes of every chunk but the last. */
export const attachmentChunk = 65_536;
export const attachmentHeaderBytes = 28;
const tagBytes = 16;
const head = Uint8Array.of(...utf8Bytes('PIA1'), 16);
const saltLabel = utf8Bytes('PI/1/att-salt');

export interface Range {
  start: number;
  end: number;
}

/** Padmé: at most 12 % more, and only so many sizes that a size tells log log of itself. For sizes below 2^40. */
export function padme(size: number): number {
  if (size < 2) return size;
  const exponent = Math.floor(Math.log2(size));
  const kept = Math.floor(Math.log2(exponent)) + 1;
  const step = 2 ** (exponent - kept);
  return step <= 1 ? size : Math.ceil(size / step) * step;
}

export const chunksOf = (size: number): number =>
  Math.max(1, Math.ceil(padme(size) / attachmentChunk));

/** Bytes of a file of `size` bytes as it is stored. */
export const storedSize = (size: number): number =>
  attachmentHeaderBytes + padme(size) + tagBytes * chunksOf(size);

/** Where chunk `index` lies in the stored bytes. */
export function storedRange(size: number, index: number): Range {
  const start = attachmentHeaderBytes + index * (attachmentChunk + tagBytes);
  return { start, end: start + paddedLength(size, index) + tagBytes };
}

/** The bytes of the file in chunk `index`: fewer than a chunk, or none, where padding begins. */
export function fileRange(size: number, index: number): Range {
  const start = Math.min(size, index * attachmentChunk);
  return { start, end: Math.min(size, start + attachmentChunk) };
}

function paddedLength(size: number, index: number): number {
  if (!Number.isInteger(index) || index < 0 || index >= chunksOf(size))
    throw new Fault('malformed');
  return Math.min(attachmentChunk, padme(size) - index * attachmentChunk);
}

interface Keys {
  header: Uint8Array;
  key: Uint8Array;
  commit: Uint8Array;
}

function keysOf(fileKey: Uint8Array, header: Uint8Array): Keys {
  const both = hkdf(header.subarray(5, 21), fileKey, 'PI/1/att', 64);
  return { header, key: both.subarray(0, 32), commit: both.subarray(32) };
}

function nonceOf(header: Uint8Array, index: number, last: boolean): Uint8Array {
  const out = new Writer(12).raw(header.subarray(21)).u32(index);
  return out.u8(last ? 1 : 0).done();
}

export interface AttachmentSealer {
  readonly header: Uint8Array;
  /** 32 bytes, for the descriptor: another file key or header has another. */
  readonly commit: Uint8Array;
  readonly chunks: number;
  /** Chunk `index`, of exactly the bytes of the file that `fileRange` names. The same bytes each time. */
  seal(index: number, file: Uint8Array): Uint8Array;
  /** The same, into `into`, which is as long as `storedRange` says. */
  sealInto(index: number, file: Uint8Array, into: Uint8Array): void;
}

/**
 * @param fileKey 32 random bytes, made for this file
 * @param digest SHA-256 of the whole file: read it once before anything is sealed. Whoever goes on after a
 * break makes it anew, and begins a new upload if it is another.
 */
export function attachmentSealer(
  fileKey: Uint8Array,
  size: number,
  digest: Uint8Array,
): AttachmentSealer {
  if (fileKey.length !== 32 || digest.length !== 32) throw new Fault('malformed');
  const about = new Writer(64).raw(saltLabel).u64(size).raw(digest).done();
  const { header, key, commit } = keysOf(fileKey, concat(head, hmac(fileKey, about).slice(0, 23)));
  const chunks = chunksOf(size);
  function sealInto(index: number, file: Uint8Array, into: Uint8Array): void {
    const length = paddedLength(size, index);
    const { start, end } = fileRange(size, index);
    if (file.length !== end - start) throw new Fault('malformed');
    const padded = file.length === length ? file : new Uint8Array(length);
    if (padded !== file) padded.set(file);
    aesGcm.sealInto(key, nonceOf(header, index, index === chunks - 1), padded, header, into);
  }
  return {
    header,
    commit,
    chunks,
    seal(index, file) {
      const into = new Uint8Array(paddedLength(size, index) + tagBytes);
      sealInto(index, file, into);
      return into;
    },
    sealInto,
  };
}

export interface AttachmentOpener {
  readonly chunks: number;
  /** The bytes of the file in chunk `index`. Throws `CryptoFault` `attachment_broken`. */
  open(index: number, sealed: Uint8Array): Uint8Array;
}

/**
 * @param known of the descriptor
 * @param header the first bytes that are stored
 * @throws CryptoFault `attachment_broken` for a header that does not belong to the descriptor
 */
export function attachmentOpener(
  known: { fileKey: Uint8Array; size: number; commit: Uint8Array },
  header: Uint8Array,
): AttachmentOpener {
  const { fileKey, size, commit } = known;
  const inForm = header.length === attachmentHeaderBytes && equal(header.subarray(0, 5), head);
  if (!inForm) throw new CryptoFault('attachment_broken');
  const keys = keysOf(fileKey, header);
  if (!equal(keys.commit, commit)) throw new CryptoFault('attachment_broken');
  const chunks = chunksOf(size);
  return {
    chunks,
    open(index, sealed) {
      // One length for each place: a shorter tag is no tag.
      if (sealed.length !== paddedLength(size, index) + tagBytes)
        throw new CryptoFault('attachment_broken');
      const nonce = nonceOf(header, index, index === chunks - 1);
      const padded = aesGcm.open(keys.key, nonce, sealed, header);
      if (padded === undefined) throw new CryptoFault('attachment_broken');
      const { start, end } = fileRange(size, index);
      if (padded.subarray(end - start).some((byte) => byte !== 0))
        throw new CryptoFault('attachment_broken');
      return padded.subarray(0, end - start);
    },
  };
}
