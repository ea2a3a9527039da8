/**
 * A file that is read twice, and must be the same both times: first for its SHA-256, which decides how it is sealed,
 * then to be sealed. docs/protocol/attachments.md §1, §4
 *
 * Invariant: no byte of the second reading is given out that was another in the first, so nothing is sealed
 * in two ways under one key and nonce, whenever the file changes. Of each block of the first reading a mark is
 * kept: its tag under a key that is made for this purpose and never leaves, at a tenth of what a hash costs.
 */
import { aesGcm, equal, randomBytes, sha256Stream } from '@island/protocol/crypto/primitives.ts';
import { Writer } from '@island/protocol/wire/bytes.ts';
import { Problem } from '../problem.ts';
import type { Source } from './source.ts';

/** Bytes that are read at once: a multiple of the chunks that are sealed. */
const block = 1_048_576;
const markBytes = 16;
const none = new Uint8Array(0);

export interface ReadTwice {
  /** SHA-256 of the whole. */
  readonly digest: Uint8Array;
  /** Bytes `start` to `end`, of one block, as they were the first time; good until the next call. Throws `file_changed`. */
  again(start: number, end: number): Promise<Uint8Array>;
}

/** Reads all of it. Throws `file_changed` when there is less of it than its size says. */
export async function readTwice(
  source: Source,
  signal: AbortSignal | undefined,
): Promise<ReadTwice> {
  const { size } = source;
  const key = randomBytes(32);
  const marks = new Uint8Array(Math.ceil(size / block) * markBytes);
  const mark = (index: number, bytes: Uint8Array): Uint8Array =>
    aesGcm.seal(key, new Writer(12).u64(0).u32(index).done(), none, bytes);
  // By turns: the next one is read while this one is hashed.
  const buffers = [new Uint8Array(Math.min(block, size)), new Uint8Array(Math.min(block, size))];
  const read = async (index: number): Promise<Uint8Array> => {
    signal?.throwIfAborted();
    const start = index * block;
    const end = Math.min(size, start + block);
    const bytes = await source.read(start, end, buffers[index % 2] ?? none);
    if (bytes.length !== end - start) throw new Problem('file_changed');
    return bytes;
  };

  const hash = sha256Stream();
  let next = size > 0 ? read(0) : undefined;
  for (let index = 0; next !== undefined; index++) {
    const bytes = await next;
    next = (index + 1) * block < size ? read(index + 1) : undefined;
    // Whoever throws below has nobody to wait for it.
    next?.catch(() => undefined);
    hash.update(bytes);
    marks.set(mark(index, bytes), index * markBytes);
  }

  let held: { index: number; bytes: Uint8Array } | undefined;
  return {
    digest: hash.digest(),
    async again(start, end) {
      const index = Math.floor(start / block);
      if (held?.index !== index) {
        held = undefined;
        const bytes = await read(index);
        const known = marks.subarray(index * markBytes, (index + 1) * markBytes);
        if (!equal(mark(index, bytes), known)) throw new Problem('file_changed');
        held = { index, bytes };
      }
      return held.bytes.subarray(start - index * block, end - index * block);
    },
  };
}
