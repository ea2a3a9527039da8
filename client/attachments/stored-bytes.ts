/**
 * What an island is to store of a file, from any place on: sealed while it is sent, and hashed once, in order, however
 * often parts of it are sent. docs/protocol/attachments.md §1, §4
 *
 * Invariant: memory for one chunk, whatever the size. Whoever was given chunks and went away in the middle is not at
 * work any more when the next is given one.
 */
import type { AttachmentSealer } from '@island/protocol/crypto/attachment.ts';
import { type ReadFile, sealedFile } from '@island/protocol/crypto/attachment-stream.ts';
import { sha256Stream } from '@island/protocol/crypto/primitives.ts';

export interface StoredBytes {
  /** Bytes `start` to `end`, `end` not included: each chunk is good until the next is asked for. One at a time. */
  from(start: number, end: number): AsyncGenerator<Uint8Array, void>;
  /** Seals and hashes what is before `start` and was not asked for: it takes long, and no line should wait for it. */
  pass(start: number): Promise<void>;
  /** SHA-256 of all of it, also of what was never asked for. */
  digest(): Promise<Uint8Array>;
  /** Resolves when the file is not read any more. */
  rest(): Promise<void>;
}

/** Bytes that are given at once: more than a TLS connection takes before it says that it has enough. */
const chunkBytes = 262_144;

/**
 * @param read as it was when it was hashed for `sealer`
 * @param total bytes that are stored
 */
export function openStoredBytes(
  sealer: AttachmentSealer,
  { size, total }: { size: number; total: number },
  read: ReadFile,
): StoredBytes {
  const buffer = new Uint8Array(Math.min(chunkBytes, total));
  const hash = sha256Stream();
  let hashed = 0;
  let [at, sealed] = [0, sealedFile(sealer, size, read)];
  let filling: Promise<unknown> = Promise.resolve();
  let asked = 0;

  /** The next bytes behind `at`, before `end`. */
  async function fill(end: number): Promise<Uint8Array> {
    const start = at;
    const room = buffer.subarray(0, Math.min(buffer.length, end - start));
    // Nowhere, should it fail: whoever comes then begins anew.
    at = -1;
    const bytes = room.subarray(0, await sealed.fill(room));
    const fresh = bytes.subarray(Math.max(0, hashed - start));
    hash.update(fresh);
    hashed += fresh.length;
    at = start + bytes.length;
    return bytes;
  }

  async function* from(start: number, end: number): AsyncGenerator<Uint8Array, void> {
    const turn = ++asked;
    await filling.catch(() => undefined);
    // What lies between was stored without being sent from here.
    if (turn === asked && start > hashed) for await (const _ of range(turn, hashed, start));
    yield* range(turn, start, end);
  }

  async function* range(turn: number, start: number, end: number) {
    if (turn === asked && start !== at) {
      sealed = sealedFile(sealer, size, read, start);
      at = start;
    }
    for (let done = start; turn === asked && done < end; ) {
      const next = fill(end);
      filling = next;
      const bytes = await next;
      if (turn !== asked) return;
      done += bytes.length;
      yield bytes;
    }
  }

  async function pass(start: number): Promise<void> {
    if (start > hashed) for await (const _ of from(hashed, start));
  }

  return {
    from,
    pass,
    async digest() {
      await pass(total);
      return hash.digest();
    },
    async rest() {
      asked += 1;
      await filling.catch(() => undefined);
    },
  };
}
