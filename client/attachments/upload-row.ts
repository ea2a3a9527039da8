/** An upload that is under way, as it is kept: by what it is of, so that the same file goes on where it was. */

import { storedSize } from '@island/protocol/crypto/attachment.ts';
import { randomBytes } from '@island/protocol/crypto/primitives.ts';
import { tokensFor } from '@island/protocol/wire/blob-routes.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { base64url, hex } from '@island/protocol/wire/text.ts';
import { encodeToken, type Token } from '@island/protocol/wire/token.ts';
import * as v from 'valibot';
import { bytes64, decodeRecord, encodeRecord } from '../storage/record.ts';
import { type Batch, type Storage, untilCommitted } from '../storage/storage.ts';

export interface Upload {
  fileKey: Uint8Array;
  /** Continues the upload, and deletes the blob. */
  deleteKey: Uint8Array;
  /** What it was paid with, as written. */
  tokens: Uint8Array[];
}

export interface UploadRow extends AsyncDisposable {
  readonly present: Upload | undefined;
  begin(
    take: (
      count: number,
      batchOf: (tokens: readonly Token[]) => Batch,
      signal?: AbortSignal,
    ) => Promise<readonly Token[]>,
    signal: AbortSignal | undefined,
  ): Promise<Upload>;
  /** It is done, or over. */
  end(): Promise<void>;
}

const namespace = 'uploads';
const record = v.strictObject({
  fileKey: bytes64,
  deleteKey: bytes64,
  tokens: v.array(bytes64),
  /** Unix day on which it was begun. */
  day: v.optional(v.number()),
});

const dayOf = (time: number): number => Math.floor(time / 86_400_000);

/** The island has given them up by then, as far as nobody is at them: their keys and tokens are good for nothing. */
export async function forgetUploads(storage: Storage, now: number = Date.now()): Promise<void> {
  for (const row of await storage.list(namespace)) {
    const { day = 0 } = decodeRecord(record, row);
    if (day >= dayOf(now) - limits.uploadDays) continue;
    using lock = await storage.tryLock(`upload ${row.key}`);
    if (lock) await storage.commit({ remove: [{ namespace, key: row.key }] });
  }
}

/** The same file under way elsewhere in this home has its own row: two uploads of it do not meet. */
export async function openUploadRow(
  storage: Storage,
  digest: Uint8Array,
  size: number,
): Promise<UploadRow> {
  const name = base64url(digest);
  const lock = await storage.tryLock(`upload ${name}`);
  const key = lock === undefined ? hex(randomBytes(16)) : name;
  const row = await storage.read(namespace, key);
  let present: Upload | undefined = row && decodeRecord(record, row);
  return {
    get present() {
      return present;
    },
    async begin(take, signal) {
      const keys = { fileKey: randomBytes(32), deleteKey: randomBytes(16) };
      const upload = (tokens: readonly Token[]): Upload => ({
        ...keys,
        tokens: tokens.map(encodeToken),
      });
      const day = dayOf(Date.now());
      const batchOf = (tokens: readonly Token[]): Batch => ({
        put: [{ namespace, key, bytes: encodeRecord({ ...upload(tokens), day }) }],
      });
      const count = tokensFor(storedSize(size));
      present = upload(await untilCommitted(() => take(count, batchOf, signal)));
      return present;
    },
    async end() {
      present = undefined;
      await storage.commit({ remove: [{ namespace, key }] });
    },
    async [Symbol.asyncDispose]() {
      lock?.[Symbol.dispose]();
    },
  };
}
