/** The rows of blobs: begun once, growing by what is on the disk, gone for good. docs/protocol/attachments.md §5 */
import { Fault } from '@island/protocol/wire/fault.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import type { Statements } from '../kit/store-handle.ts';
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
  /** Bytes that were paid for and are still to come. Costs nothing: it is asked before anything is paid. */
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
  /** Bytes still to come; unknown at first, and after a transaction that may not have happened. */
  let coming: number | undefined;

  /** Transactions come one after the other, and each says by how much it changes what is to come. */
  async function change<T>(work: (sql: Statements) => Promise<{ by: number; result: T }>) {
    try {
      return await store.write(async (_db, sql) => {
        const { by, result } = await work(sql);
        if (coming !== undefined) coming += by;
        return result;
      });
    } catch (error) {
      coming = undefined;
      throw error;
    }
  }

  return {
    async find(id) {
      const [blob] = await store.rows<Row>(
        `SELECT ${columns} FROM blobs WHERE id = ? AND gone = 0`,
        [id],
      );
      return blob;
    },
    begin: ({ id, size, deleteHash, day }) =>
      change(async (sql) => {
        const begun = await sql.run(
          `INSERT INTO blobs (id, size, stored, delete_hash, day) VALUES (?, ?, 0, ?, ?)
           ON CONFLICT (id) DO NOTHING`,
          [id, size, deleteHash, day],
        );
        const [blob] = await sql.rows<Row>(
          `SELECT ${columns} FROM blobs WHERE id = ? AND gone = 0`,
          [id],
        );
        if (blob === undefined) throw new Fault('blob_gone');
        return { by: begun > 0 ? size : 0, result: blob };
      }),
    async grow(id, before, stored) {
      const changed = await change(async (sql) => {
        const rows = await sql.run(
          'UPDATE blobs SET stored = ? WHERE id = ? AND stored = ? AND gone = 0',
          [stored, id, before],
        );
        return { by: rows * (before - stored), result: rows };
      });
      if (changed === 0) throw new Fault('blob_gone');
    },
    remove: (id) =>
      change(async (sql) => {
        const [blob] = await sql.rows<Pick<Row, 'size' | 'stored'>>(
          'SELECT size, stored FROM blobs WHERE id = ? AND gone = 0',
          [id],
        );
        if (blob === undefined) return { by: 0, result: false };
        await sql.run('UPDATE blobs SET gone = 1 WHERE id = ?', [id]);
        return { by: blob.stored - blob.size, result: true };
      }),
    async promised() {
      if (coming !== undefined) return coming;
      return store.write(async (_db, sql) => {
        const [sum] = await sql.rows<{ bytes: number }>(
          'SELECT coalesce(sum(size - stored), 0) AS bytes FROM blobs WHERE gone = 0',
        );
        coming = sum?.bytes ?? 0;
        return coming;
      });
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
