/**
 * From a payment to a blob that is complete. docs/protocol/attachments.md §5
 *
 * Invariants: nothing is paid twice, because the blob's name follows from the payment and the payment
 * from the request; the row never says more than the disk has; a blob is there for readers when its
 * last byte is.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { blobPieceBytes, tokensFor } from '@island/protocol/wire/blob-routes.ts';
import { utf8Bytes, Writer } from '@island/protocol/wire/bytes.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { tokenBytes, tokenClasses } from '@island/protocol/wire/token.ts';
import { type Clock, unixDay } from '../kit/clock.ts';
import type { Blob, Blobs } from './blobs.ts';
import type { Files } from './files.ts';
import type { AtBlob } from './turns.ts';

/** Throws `token_invalid`, `token_spent`, `unavailable`. Repeated with the same arguments it succeeds again. */
export type Spend = (tokens: Uint8Array[], context: Uint8Array) => Promise<void>;

export interface Payment {
  size: number;
  /** One after the other. */
  tokens: Uint8Array;
  deleteHash: Uint8Array;
}

export interface Uploads {
  begin(payment: Payment): Promise<{ id: Uint8Array; offset: number; expires: number }>;
  /** Takes in `length` bytes at `offset`; answers how many are stored then. */
  put(
    part: { id: Uint8Array; key: Uint8Array; offset: number; length: number },
    body: AsyncIterable<Uint8Array>,
  ): Promise<number>;
  /** Of one that is there for whoever has its key, complete or not. */
  own(id: Uint8Array, key: Uint8Array): Promise<Blob>;
  /** One that is complete. Throws `blob_gone`. */
  whole(id: Uint8Array): Promise<Blob>;
  remove(id: Uint8Array, key: Uint8Array): Promise<void>;
}

export interface UploadParts {
  blobs: Blobs;
  files: Files;
  at: AtBlob;
  spend: Spend;
  /** Throws `storage_full` when the disk can't keep so many more bytes. */
  needRoom(bytes: number): Promise<void>;
  clock: Clock;
}

export function openUploads({ blobs, files, at, spend, needRoom, clock }: UploadParts): Uploads {
  async function find(id: Uint8Array): Promise<Blob> {
    const blob = await blobs.find(id);
    if (blob === undefined) throw new Fault('blob_gone');
    return blob;
  }

  async function own(id: Uint8Array, key: Uint8Array): Promise<Blob> {
    const blob = await find(id);
    if (!timingSafeEqual(sha256(key), blob.deleteHash)) throw new Fault('forbidden');
    return blob;
  }

  return {
    own,
    async begin({ size, tokens, deleteHash }) {
      if (size > limits.blobBytes) throw new Fault('too_large');
      const needed = tokensFor(size);
      if (tokens.length !== needed * tokenBytes) throw new Fault('token_needed', { needed });
      const payment = { size, tokens, deleteHash };
      const id = idOf(payment);
      return at(id, async () => {
        let blob = await blobs.find(id);
        if (blob === undefined) {
          const each = apart(tokens);
          if (each.some(([kind]) => kind !== tokenClasses.media)) throw new Fault('token_invalid');
          await needRoom(size);
          await spend(each, contextOf(payment));
          blob = await blobs.begin({ id, size, deleteHash, day: unixDay(clock) });
        }
        return { id, offset: blob.stored, expires: blob.day + limits.blobDays };
      });
    },
    async put({ id, key, offset, length }, body) {
      // Before a place in the queue is taken: strangers keep nobody waiting.
      await own(id, key);
      return at(id, async () => {
        const { size, stored, day } = await own(id, key);
        if (offset !== stored) throw new Fault('upload_offset', { offset: stored });
        const end = offset + length;
        if (length > limits.blobChunkBytes || end > size) throw new Fault('too_large');
        if (length === 0 || (end < size && end % blobPieceBytes !== 0))
          throw new Fault('malformed');
        let before = stored;
        await files.write({ id, day }, { offset, end }, body, async (now) => {
          await blobs.grow(id, before, now);
          before = now;
        });
        return before;
      });
    },
    async whole(id) {
      const blob = await find(id);
      if (blob.stored < blob.size) throw new Fault('blob_gone');
      return blob;
    },
    async remove(id, key) {
      await own(id, key);
      await at(id, async () => {
        await blobs.remove(id);
        await files.remove(id);
      });
    },
  };
}

const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

/**
 * What the tokens are spent for: SHA-256("PI/1/blob" ‖ u64 size ‖ deleteHash 32 ‖ tokens)[0..16). The tokens are part
 * of it, in their order: with another one among them, those that were spent already are not good again.
 */
const contextOf = (request: Payment): Uint8Array => sixteen('PI/1/blob', request);

/** The same under "PI/1/blob-id": nobody who has not the tokens can tell it, also not from the context. */
const idOf = (request: Payment): Uint8Array => sixteen('PI/1/blob-id', request);

function sixteen(label: string, { size, deleteHash, tokens }: Payment): Uint8Array {
  const out = new Writer(64).raw(utf8Bytes(label)).u64(size).raw(deleteHash).raw(tokens);
  return sha256(out.done()).subarray(0, 16);
}

const apart = (tokens: Uint8Array): Uint8Array[] =>
  Array.from({ length: tokens.length / tokenBytes }, (_, i) =>
    tokens.subarray(i * tokenBytes, (i + 1) * tokenBytes),
  );
