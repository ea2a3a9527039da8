/**
 * Attachments as streams: sealed while they are read, opened while they come, in pieces of any length.
 * docs/protocol/attachments.md §1
 */
import { Fault } from '../wire/fault.ts';
import {
  type AttachmentSealer,
  attachmentChunk,
  attachmentHeaderBytes,
  attachmentOpener,
  fileRange,
  storedRange,
  storedSize,
} from './attachment.ts';
import type { AttachmentDescriptor } from './attachment-descriptor.ts';
import { CryptoFault } from './crypto-fault.ts';
import { equal, sha256Stream } from './primitives.ts';

/** Reads bytes `start` to `end` of the file, `end` not included: all of them. Good until the next call. */
export type ReadFile = (start: number, end: number) => Promise<Uint8Array>;

export interface SealedFile {
  /** Fills `into` with the next bytes that are stored; with fewer at the end, then with none. */
  fill(into: Uint8Array): Promise<number>;
}

/**
 * What is stored, from byte `from` on: where an upload that broke off goes on. Each chunk is sealed where it is
 * wanted; only one that does not fit there goes over a buffer of its own.
 *
 * `fill` throws `malformed` if the file gives other lengths than `size` promised.
 */
export function sealedFile(
  sealer: AttachmentSealer,
  size: number,
  read: ReadFile,
  from = 0,
): SealedFile {
  const total = storedSize(size);
  if (from > total) throw new Fault('malformed');
  const first = storedRange(size, 0);
  const spare = new Uint8Array(first.end - first.start);
  const behind = Math.max(0, from - attachmentHeaderBytes);
  let index = Math.min(sealer.chunks, Math.floor(behind / spare.length));
  let skip = from < attachmentHeaderBytes ? 0 : from - attachmentHeaderBytes - index * spare.length;
  /** Sealed, or of the header, and still to be given out. */
  let rest = sealer.header.subarray(from);

  return {
    async fill(into) {
      let filled = 0;
      for (;;) {
        const some = rest.subarray(0, into.length - filled);
        into.set(some, filled);
        filled += some.length;
        rest = rest.subarray(some.length);
        if (filled === into.length || index === sealer.chunks) return filled;
        const stored = storedRange(size, index);
        const length = stored.end - stored.start;
        const whole = skip === 0 && into.length - filled >= length;
        const at = whole ? into.subarray(filled, filled + length) : spare.subarray(0, length);
        const { start, end } = fileRange(size, index);
        sealer.sealInto(index, start === end ? none : await read(start, end), at);
        index += 1;
        if (whole) filled += length;
        else rest = at.subarray(skip);
        skip = 0;
      }
    },
  };
}

const none = new Uint8Array(0);

/**
 * The file, chunk by chunk, each one authentic. Whoever stores what comes keeps it apart until the end: only
 * then is it known to be all of it and the very bytes that were sent.
 * @param stored the whole of what is stored, in pieces of any length, each needed until the next is asked for
 * @throws CryptoFault `attachment_broken` for anything altered, missing or further
 */
export async function* openedAttachment(
  descriptor: AttachmentDescriptor,
  stored: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const { size, digest } = descriptor;
  const hash = sha256Stream();
  const input = inLengths(stored, lengthsOf(size), (piece) => hash.update(piece));
  const first = await input.next();
  // Its own: the next piece comes in the same place.
  const opener = attachmentOpener(descriptor, Uint8Array.from(first.value ?? none));
  let index = 0;
  for await (const chunk of input) yield opener.open(index++, chunk);
  if (index !== opener.chunks || !equal(hash.digest(), digest))
    throw new CryptoFault('attachment_broken');
}

/** Lengths of the header and of every chunk. */
function* lengthsOf(size: number): Generator<number> {
  yield attachmentHeaderBytes;
  const total = storedSize(size);
  for (let index = 0, at = attachmentHeaderBytes; at < total; index++) {
    const { start, end } = storedRange(size, index);
    yield end - start;
    at = end;
  }
}

/**
 * Pieces of any length as pieces of these lengths, each good until the next; one too few or a byte too many is
 * `attachment_broken`.
 */
async function* inLengths(
  pieces: AsyncIterable<Uint8Array>,
  lengths: Iterable<number>,
  seen: (piece: Uint8Array) => void,
): AsyncGenerator<Uint8Array, undefined> {
  const wanted = lengths[Symbol.iterator]();
  const buffer = new Uint8Array(attachmentChunk + 16);
  let next = wanted.next();
  let filled = 0;
  for await (const piece of pieces) {
    seen(piece);
    for (let at = 0; at < piece.length; ) {
      if (next.done) throw new CryptoFault('attachment_broken');
      const part = piece.subarray(at, at + next.value - filled);
      buffer.set(part, filled);
      filled += part.length;
      at += part.length;
      if (filled < next.value) continue;
      yield buffer.subarray(0, filled);
      next = wanted.next();
      filled = 0;
    }
  }
  if (!next.done) throw new CryptoFault('attachment_broken');
  return undefined;
}
