/**
 * From a body to the disk: cut into pieces, which are sealed into one of two buffers while the other is written.
 *
 * Invariant: a body of any length costs one piece and two buffers of memory, and nothing of it is left to the
 * collector.
 */
import type { FileHandle } from 'node:fs/promises';
import { blobPieceBytes } from '@island/protocol/wire/blob-routes.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { release } from '@island/protocol/wire/release.ts';
import { recordBytes } from '../kit/at-rest-record.ts';

/**
 * Whole pieces of `most` bytes in all, the last one shorter; nothing of a piece that does not become whole. Each is good
 * until the next; whoever gave the body has no use for it any more.
 */
export async function* inPieces(
  body: AsyncIterable<Uint8Array>,
  most: number,
): AsyncGenerator<Buffer> {
  const piece = Buffer.allocUnsafe(blobPieceBytes);
  let filled = 0;
  let left = most;
  for await (const chunk of body) {
    for (let at = 0; at < chunk.length; ) {
      const size = Math.min(blobPieceBytes, left);
      const part = chunk.subarray(at, at + size - filled);
      if (part.length === 0) throw new Fault('too_large');
      piece.set(part, filled);
      filled += part.length;
      at += part.length;
      if (filled < size) continue;
      yield piece.subarray(0, size);
      left -= size;
      filled = 0;
    }
    release(chunk);
  }
  if (left > 0) throw new Fault('truncated');
}

/** Records that lie one behind the other. */
export interface Run {
  /** Where the next record is to be. */
  room(length: number): Promise<Buffer>;
  /** It is there, with so many bytes in it. */
  filled(plain: number): void;
  /** Writes what is not written. Throws when that, or what was before, could not be. */
  end(): Promise<void>;
  /** Bytes within the records that were handed to the system. */
  readonly written: number;
}

/** Records that are written at once. */
const atOnce = 4;
const bufferBytes = atOnce * (blobPieceBytes + recordBytes);

/** @param place in the file, of the first record */
export function openRun(file: FileHandle, place: number): Run {
  let [buffer, other] = [Buffer.alloc(0), Buffer.alloc(0)];
  let length = 0;
  let plain = 0;
  let written = 0;
  let writing: Promise<void> = Promise.resolve();
  let at = place;

  async function flush(): Promise<void> {
    await writing;
    const [bytes, more, to] = [buffer.subarray(0, length), plain, at];
    writing = writeAll(file, bytes, to).then(() => {
      written += more;
    });
    writing.catch(() => undefined);
    at += length;
    [buffer, other, length, plain] = [other, buffer, 0, 0];
  }

  return {
    get written() {
      return written;
    },
    async room(wanted) {
      if (length + wanted > bufferBytes) await flush();
      if (buffer.length === 0) buffer = Buffer.allocUnsafeSlow(bufferBytes);
      return buffer.subarray(length, length + wanted);
    },
    filled(bytes) {
      length += bytes + recordBytes;
      plain += bytes;
    },
    async end() {
      if (length > 0) await flush();
      await writing;
      for (const each of [buffer, other]) release(each);
    },
  };
}

async function writeAll(file: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, at + done);
    done += bytesWritten;
  }
}
