/**
 * What a message says of an attachment: where it is, what opens it, and what it looks like.
 * docs/protocol/attachments.md §2
 *
 *     u8 1 ‖ u8 0x39 ‖ blob 16 ‖ fileKey 32 ‖ u64 size ‖ u64 stored ‖ sha256(stored bytes) 32 ‖ commit 32
 *     ‖ deleteKey 16 ‖ u32 expiresDay ‖ text8 mime ‖ text16 name
 *     ‖ u8 0|1 [ ‖ u16 width ‖ u16 height ‖ var16 thumbnail ]
 *
 * Name, type and preview are the sender's claims; a name never names a place on a disk.
 */
import { Reader, utf8Bytes, Writer } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { limits } from '../wire/limits.ts';
import { storedSize } from './attachment.ts';

export interface Preview {
  /** Of the whole picture, pixels. */
  width: number;
  height: number;
  /** WebP or JPEG. */
  thumbnail: Uint8Array;
}

export interface AttachmentDescriptor {
  /** 16 bytes: what the island calls it. */
  blob: Uint8Array;
  fileKey: Uint8Array;
  /** Bytes of the file. */
  size: number;
  /** SHA-256 of what is stored. */
  digest: Uint8Array;
  commit: Uint8Array;
  /** 16 bytes: whoever has it may delete the blob. */
  deleteKey: Uint8Array;
  /** Unix day from which it may be gone. */
  expiresDay: number;
  mime: string;
  /** Possibly empty. */
  name: string;
  preview: Preview | undefined;
}

const version = 1;
const type = 0x39;
const mimeForm = /^[a-z0-9][a-z0-9!#$&^_.+-]*\/[a-z0-9][a-z0-9!#$&^_.+-]*$/;
/** Separators of paths, control characters, and marks that turn the direction of writing, as in `exe.jpg`. */
const unsafe = /[/\\\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u;

/** A name that may be shown, and offered as the name of a new file. */
export const isFileName = (name: string): boolean =>
  !unsafe.test(name) && name !== '.' && name !== '..';

/** Throws what a reader would throw. */
export function encodeDescriptor(descriptor: AttachmentDescriptor): Uint8Array {
  const { blob, fileKey, size, digest, commit, deleteKey, preview } = descriptor;
  const mime = utf8Bytes(descriptor.mime);
  const out = new Writer(512).u8(version).u8(type).raw(blob).raw(fileKey).u64(size);
  out.u64(storedSize(size)).raw(digest).raw(commit).raw(deleteKey).u32(descriptor.expiresDay);
  out.u8(Math.min(mime.length, 0xff)).raw(mime).text16(descriptor.name);
  if (preview === undefined) out.u8(0);
  else out.u8(1).u16(preview.width).u16(preview.height).var16(preview.thumbnail);
  const bytes = out.done();
  decodeDescriptor(bytes);
  return bytes;
}

export function decodeDescriptor(bytes: Uint8Array): AttachmentDescriptor {
  const from = new Reader(bytes).header(version, type);
  const ids = { blob: from.raw(16), fileKey: from.raw(32), size: from.u64() };
  const stored = from.u64();
  if (stored > limits.blobBytes) throw new Fault('too_large');
  if (stored !== storedSize(ids.size)) throw new Fault('malformed');
  const proofs = { digest: from.raw(32), commit: from.raw(32), deleteKey: from.raw(16) };
  const expiresDay = from.u32();
  const mime = String.fromCharCode(...readMime(from));
  const name = from.text16(limits.fileNameBytes);
  if (!mimeForm.test(mime) || !isFileName(name)) throw new Fault('malformed');
  const preview = readPreview(from);
  from.end();
  return { ...ids, ...proofs, expiresDay, mime, name, preview };
}

function readMime(from: Reader): Uint8Array {
  const length = from.u8();
  if (length > limits.mimeBytes) throw new Fault('too_large');
  return from.raw(length);
}

function readPreview(from: Reader): Preview | undefined {
  const present = from.u8();
  if (present > 1) throw new Fault('malformed');
  if (present === 0) return undefined;
  const preview = { width: from.u16(), height: from.u16() };
  const thumbnail = from.var16(limits.thumbnailBytes);
  if (preview.width === 0 || preview.height === 0 || thumbnail.length === 0)
    throw new Fault('malformed');
  return { ...preview, thumbnail };
}
