/** The rows of blobs: begun once, growing by what is on the disk, gone for good. docs/protocol/attachments.md §5 */
import { Fault } from '@island/protocol/wire/fault.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import type { MediaStore } from './database.ts';

export interface Blob {
  id: Uint8Array;
  size: number;
  /** Bytes that are on the disk. */
  stored: number;
  deleteHash: Uint8Array;
  day: number;
}

export interface Blobs {
  /** `undefined` for one that was never begun, or is gone. */
  find(id: Uint8Array): Promise<Blob | undefined>;
  /** The blob of this id as it is now, begun if it was not. Throws `blob_gone` for one that was deleted. */
  begin(blob: Omit<Blob, 'stored'>): Promise<Blob>;
  /** From `before` to `stored` bytes, which are on the disk. Throws `blob_gone`, also when somebody else was first. */
  grow(id: Uint8Array, before: number, stored: number): Promise<void>;
  /** Nothing but its name stays, for a while. False when there is no such blob any more. */
  remove(id: Uint8Array): Promise<boolean>;
  /** Bytes that were paid for and are still to come. */
  promised(): Promise<number>;
  /** All that are there. */
  all(): Promise<Blob[]>;
  /** Those whose time is over on `today`. */
  due(today: number): Promise<Blob[]>;
  /** Forgets the names of those that are gone. */
  forget(today: number): Promise<void>;
}

const columns = 'id, size, stored, delete_hash AS deleteHash, day';
/** Days for which a token may still be shown: that of its key and the next, and one for clocks. */
const tokenDays = 3;

export function openBlobs(store: MediaStore): Blobs {
  return {
    async find(id) {
      const [blob] = await store.rows<Row>(
        `SELECT ${columns} FROM blobs WHERE id = ? AND gone = 0`,
        [id],
      );
      return blob;
    },
    begin: ({ id, size, deleteHash, day }) =>
      store.write(async (_db, sql) => {
        await sql.run(
          `INSERT INTO blobs (id, size, stored, delete_hash, day) VALUES (?, ?, 0, ?, ?)
           ON CONFLICT (id) DO NOTHING`,
          [id, size, deleteHash, day],
        );
        const [blob] = await sql.rows<Row>(
          `SELECT ${columns} FROM blobs WHERE id = ? AND gone = 0`,
          [id],
        );
        if (blob === undefined) throw new Fault('blob_gone');
        return blob;
      }),
    async grow(id, before, stored) {
      const changed = await store.write((_db, sql) =>
        sql.run('UPDATE blobs SET stored = ? WHERE id = ? AND stored = ? AND gone = 0', [
          stored,
          id,
          before,
        ]),
      );
      if (changed === 0) throw new Fault('blob_gone');
    },
    async remove(id) {
      const changed = await store.write((_db, sql) =>
        sql.run('UPDATE blobs SET gone = 1 WHERE id = ? AND gone = 0', [id]),
      );
      return changed > 0;
    },
    async promised() {
      const [sum] = await store.rows<{ bytes: number }>(
        'SELECT coalesce(sum(size - stored), 0) AS bytes FROM blobs WHERE gone = 0',
      );
      return sum?.bytes ?? 0;
    },
    all: () => store.rows<Row>(`SELECT ${columns} FROM blobs WHERE gone = 0`),
    due: (today) =>
      store.rows<Row>(
        `SELECT ${columns} FROM blobs WHERE gone = 0 AND
           (day < ? OR (stored < size AND day < ?))`,
        [today - limits.blobDays, today - limits.uploadDays],
      ),
    async forget(today) {
      await store.write((_db, sql) =>
        sql.run('DELETE FROM blobs WHERE gone = 1 AND day < ?', [today - tokenDays]),
      );
    },
  };
}

type Row = {
  id: Buffer;
  size: number;
  stored: number;
  deleteHash: Buffer;
  day: number;
};
