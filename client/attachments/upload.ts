/**
 * Takes a file to the island: sealed while it is read, in parts, going on after a lost connection, and
 * after an end of the program by being called again with the same file. docs/protocol/attachments.md §4
 *
 * Invariant: keys, tokens and what they are for are committed before anything leaves, so that nothing is
 * paid twice; what is sealed follows from keys and file alone, so that nothing is sealed in two ways.
 */
import { attachmentSealer, storedSize } from '@island/protocol/crypto/attachment.ts';
import type {
  AttachmentDescriptor,
  Preview,
} from '@island/protocol/crypto/attachment-descriptor.ts';
import { sha256 } from '@island/protocol/crypto/primitives.ts';
import { blobPieceBytes } from '@island/protocol/wire/blob-routes.ts';
import { concat } from '@island/protocol/wire/bytes.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import type { Token } from '@island/protocol/wire/token.ts';
import { insist } from '../insist.ts';
import { Problem } from '../problem.ts';
import type { Batch, Storage } from '../storage/storage.ts';
import type { Transport } from '../transport/transport.ts';
import { beginBlob, deleteBlob, putPart } from './blobs.ts';
import { safeFileName } from './file-name.ts';
import { openPace } from './pace.ts';
import { type ReadTwice, readTwice } from './read-twice.ts';
import type { Source } from './source.ts';
import { openStoredBytes, type StoredBytes } from './stored-bytes.ts';
import { openUploadRow, type Upload } from './upload-row.ts';

export interface UploadOptions {
  transport: Transport;
  storage: Storage;
  /** Takes so many media tokens out of the wallet, in one commit with the batch that keeps them for this upload. */
  tokens(
    count: number,
    batchOf: (tokens: readonly Token[]) => Batch,
    signal?: AbortSignal,
  ): Promise<readonly Token[]>;
  source: Source;
  /** As the person calls it; made safe here. */
  name: string;
  /** `type/subtype`; what is not in form becomes `application/octet-stream`. */
  mime: string;
  preview?: Preview | undefined;
  /** Bytes that are on their way or stored, of how many: all of them when all are stored. */
  onProgress?: ((done: number, total: number) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Resolves when the island has all of it. Throws `attachment_too_large`, `file_changed`, what `tokens` throws, and
 * what a call does that does not pass; then, and when aborted, the same call goes on later.
 */
export async function uploadAttachment(options: UploadOptions): Promise<AttachmentDescriptor> {
  const { storage, source, signal } = options;
  if (storedSize(source.size) > limits.blobBytes)
    throw new Problem('attachment_too_large', { limit: limits.blobBytes / 2 ** 20 });
  const file = await readTwice(source, signal);
  await using row = await openUploadRow(storage, file.digest, source.size);
  for (let attempt = 0; ; attempt++) {
    const upload = row.present ?? (await row.begin(options.tokens, signal));
    try {
      const descriptor = await send(options, upload, file);
      await row.end();
      return descriptor;
    } catch (error) {
      // Begun too long ago, or undone by somebody who had the key: it is paid anew, once.
      const over = error instanceof Fault && overFor.has(error.code);
      if (over || (error instanceof Problem && error.code === 'file_changed')) await row.end();
      if (!over || attempt > 0) throw error;
    }
  }
}

const overFor: ReadonlySet<string> = new Set([
  'blob_gone',
  'token_invalid',
  'token_spent',
  'token_needed',
  'forbidden',
]);

async function send(
  options: UploadOptions,
  upload: Upload,
  file: ReadTwice,
): Promise<AttachmentDescriptor> {
  const { transport, source, name, mime, preview, signal } = options;
  const { fileKey, deleteKey: key, tokens } = upload;
  const { size } = source;
  const total = storedSize(size);
  const payment = { size: total, tokens: concat(...tokens), deleteHash: sha256(key) };
  const begin = () => beginBlob(transport, payment, signal);
  const where = async () => (await begin()).offset;
  const begun = await insist(begin, { signal });
  const { id } = begun;
  let digest: Uint8Array;

  const sealer = attachmentSealer(fileKey, size, file.digest);
  const stored = openStoredBytes(sealer, { size, total }, file.again);
  try {
    await deliver(options, { id, key, offset: begun.offset, total, where }, stored);
    digest = await stored.digest();
  } catch (error) {
    if (error instanceof Problem && error.code === 'file_changed')
      await deleteBlob(transport, id, key, signal).catch(() => undefined);
    throw error;
  } finally {
    await stored.rest();
  }
  return {
    blob: id,
    fileKey,
    size,
    digest,
    commit: sealer.commit,
    deleteKey: key,
    expiresDay: begun.expires,
    mime:
      mimeForm.test(mime) && mime.length <= limits.mimeBytes ? mime : 'application/octet-stream',
    name: safeFileName(name),
    preview,
  };
}

const mimeForm = /^[a-z0-9][a-z0-9!#$&^_.+-]*\/[a-z0-9][a-z0-9!#$&^_.+-]*$/;

/** Sends what is not stored yet, in parts: the first moderate, larger while the line is fast. */
async function deliver(
  { transport, onProgress, signal }: UploadOptions,
  {
    id,
    key,
    offset,
    total,
    where,
  }: { id: Uint8Array; key: Uint8Array; offset: number; total: number; where(): Promise<number> },
  stored: StoredBytes,
): Promise<void> {
  const pace = openPace();
  const tell = openTelling(total, onProgress);
  /** What was handed to the line is told of; that all is done, only when it is stored. */
  async function* told(start: number, end: number): AsyncGenerator<Uint8Array, void> {
    let at = start;
    for await (const chunk of stored.from(start, end)) {
      yield chunk;
      at += chunk.length;
      if (at < total) tell(at);
    }
  }

  tell(offset);
  for (let at = offset; at < total; ) {
    const from = at;
    let sure = true;
    at = await insist(
      async () => {
        // Of what was on its way when the line broke, a part may have arrived: asked before it is sent again.
        const now = sure ? from : await where();
        sure = false;
        if (now !== from) return now;
        await stored.pass(from);
        for (;;) {
          const end = Math.min(total, from + pace.bytes);
          const part = { length: end - from, chunks: told(from, end) };
          const put = () => putPart(transport, { id, key, offset: from }, part, signal);
          const place = await pace.learn(put).catch(placeOf);
          if (place !== undefined) return place;
          if (part.length <= blobPieceBytes) throw new Fault('too_large');
        }
      },
      { signal },
    );
    // The island has less than it said only if it was put back to an older copy.
    if (at <= from) throw new Fault('blob_gone');
    tell(at);
  }
}

/** Bytes between two tellings, at least, but for the first and the last. */
const telling = 1_048_576;

/** It never goes back: what was lost on a line is sent again. */
function openTelling(
  total: number,
  onProgress: UploadOptions['onProgress'],
): (done: number) => void {
  let told = Number.NEGATIVE_INFINITY;
  return (done) => {
    if (done < told + telling && done < total) return;
    told = done;
    onProgress?.(done, total);
  };
}

/** Where the island says the upload goes on; `undefined` when it takes no part that is so large. */
function placeOf(error: unknown): number | undefined {
  if (!(error instanceof Fault)) throw error;
  if (error.code === 'too_large') return undefined;
  const offset = error.code === 'upload_offset' ? error.details?.['offset'] : undefined;
  if (typeof offset !== 'number') throw error;
  return offset;
}
