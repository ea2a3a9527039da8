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
import { sealedFile } from '@island/protocol/crypto/attachment-stream.ts';
import { sha256, sha256Stream } from '@island/protocol/crypto/primitives.ts';
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
import { openPace, type Pace } from './pace.ts';
import { type ReadTwice, readTwice } from './read-twice.ts';
import type { Source } from './source.ts';
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
  /** Bytes that are stored, of how many. */
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
  const { transport, source, name, mime, preview, onProgress, signal } = options;
  const { fileKey, deleteKey: key, tokens } = upload;
  const { size } = source;
  const total = storedSize(size);
  const payment = { size: total, tokens: concat(...tokens), deleteHash: sha256(key) };
  const begin = () => beginBlob(transport, payment, signal);
  const where = async () => (await begin()).offset;
  const begun = await insist(begin, { signal });
  const { id } = begun;

  const sealer = attachmentSealer(fileKey, size, file.digest);
  const sealed = sealedFile(sealer, size, file.again);
  const stored = sha256Stream();
  const pace = openPace();
  let done = begun.offset;
  let sending: Promise<void> = Promise.resolve();
  onProgress?.(done, total);
  // Two by turns: while one is on its way, the other is filled.
  let [part, other] = [partOf(total), partOf(total)];
  try {
    for (let start = 0; start < total; start += part.length) {
      const bytes = part.subarray(0, await sealed.fill(part));
      stored.update(bytes);
      await sending;
      if (start + bytes.length > done) {
        sending = deliver(options, { id, key, start, done, where, pace }, bytes).then((now) => {
          done = now;
          onProgress?.(done, total);
        });
        sending.catch(() => undefined);
      }
      [part, other] = [other, part];
    }
    await sending;
  } catch (error) {
    if (error instanceof Problem && error.code === 'file_changed') {
      await sending.catch(() => undefined);
      await deleteBlob(transport, id, key, signal).catch(() => undefined);
    }
    throw error;
  }
  return {
    blob: id,
    fileKey,
    size,
    digest: stored.digest(),
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

/** Sends what of `bytes`, which begin at `start`, is not stored yet. Answers how much is stored then. */
async function deliver(
  { transport, signal }: UploadOptions,
  at: {
    id: Uint8Array;
    key: Uint8Array;
    start: number;
    done: number;
    where(): Promise<number>;
    pace: Pace;
  },
  bytes: Uint8Array,
): Promise<number> {
  const { id, key, start, where, pace } = at;
  const end = start + bytes.length;
  let offset = Math.max(at.done, start);
  for (let sure = true; ; sure = true) {
    const from = offset;
    offset = await insist(
      async () => {
        // Of what was on its way when the line broke, a part may have arrived: asked before it is sent again.
        const now = sure ? from : await where();
        sure = false;
        if (now !== from) return now;
        const part = bytes.subarray(from - start, from - start + pace.bytes);
        const put = () => putPart(transport, { id, key, offset: from }, part, signal);
        return pace.learn(put).catch(placeOf);
      },
      { signal },
    );
    if (offset >= end) return offset;
    // The island has less than it said only if it was put back to an older copy.
    if (offset < start || offset === from) throw new Fault('blob_gone');
  }
}

/** Where the island says the upload goes on. */
function placeOf(error: unknown): number {
  const offset =
    error instanceof Fault && error.code === 'upload_offset'
      ? error.details?.['offset']
      : undefined;
  if (typeof offset !== 'number') throw error;
  return offset;
}

const partOf = (total: number): Uint8Array =>
  new Uint8Array(Math.min(total, limits.blobChunkBytes));
