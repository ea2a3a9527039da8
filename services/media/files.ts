/**
 * The bytes of a blob: one file, in pieces, each sealed (M5). docs/protocol/attachments.md §5
 *
 *     file    = piece 0 ‖ piece 1 ‖ …
 *     piece i = record( table "blobs", column "piece", row = id 16 ‖ u32 i; 65,536 bytes, the last one fewer )
 *
 * The record is that of docs/protocol/at-rest.md §3; its key is the one of the day on which the blob was begun.
 *
 * Invariant: a piece is written whole, at its own place, by one writer at a time. What `kept` was told is on
 * the disk; what lies behind it is overwritten, and is never told of after a sync that failed.
 */
import { mkdir, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { blobPieceBytes } from '@island/protocol/wire/blob-routes.ts';
import { Writer } from '@island/protocol/wire/bytes.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { hex } from '@island/protocol/wire/text.ts';
import { recordBytes } from '../kit/at-rest-record.ts';
import type { VaultTable } from '../kit/vault.ts';
import { inPieces, openRun } from './intake.ts';
import { openKeeping } from './keeping.ts';
import { openRecords } from './records.ts';

export interface Files {
  /**
   * Takes `body` in behind `offset`, which is between two pieces, up to `end`. Resolves when all of it was kept; throws
   * what kept it from going on, when the whole pieces that came were.
   * @param kept told in order how far whole pieces are on the disk, while more of the body comes
   */
  write(
    blob: { id: Uint8Array; day: number },
    range: { offset: number; end: number },
    body: AsyncIterable<Uint8Array>,
    kept: (stored: number) => Promise<void>,
  ): Promise<void>;
  /** Bytes from `from` to before `to`, both within what is stored. Each chunk is the caller's. */
  read(id: Uint8Array, from: number, to: number): AsyncGenerator<Uint8Array, void>;
  /** Whether there are as many bytes as `stored` says. */
  holds(id: Uint8Array, stored: number): Promise<boolean>;
  remove(id: Uint8Array): Promise<void>;
  /** Names of all files: ids as `hex` writes them. */
  names(): Promise<string[]>;
  removeNamed(name: string): Promise<void>;
}

export async function openFiles(folder: string, table: VaultTable): Promise<Files> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const onDisk = blobPieceBytes + recordBytes;
  const pathOf = (id: Uint8Array) => join(folder, hex(id));
  const placeOf = (offset: number) => Math.floor(offset / blobPieceBytes) * onDisk;

  return {
    async write({ id, day }, { offset, end }, body, kept) {
      await using file = await open(pathOf(id), offset === 0 ? 'w' : 'r+', 0o600).catch(
        (error: unknown) => {
          throw asFault(error);
        },
      );
      const run = openRun(file, placeOf(offset));
      let named = offset > 0;
      const keeping = openKeeping(file, run, async (bytes) => {
        // A file that is new is there after a crash only when its folder says so.
        if (!named) await syncFolder(folder);
        named = true;
        await kept(offset + bytes);
      });
      let failure: unknown;
      let at = offset;
      try {
        for await (const piece of inPieces(body, end - offset)) {
          const row = rowOf(id, Math.floor(at / blobPieceBytes));
          const record = await run.room(piece.length + recordBytes);
          table.seal(await table.keyOf(day), column, row, piece, record);
          at += piece.length;
          run.filled(piece.length);
          await keeping.step();
        }
      } catch (error) {
        failure = error;
      }
      try {
        await run.end().catch((error: unknown) => {
          failure ??= error;
        });
        await keeping.end();
      } catch (error) {
        failure ??= error;
      }
      if (failure !== undefined) throw asFault(failure);
    },
    async *read(id, from, to) {
      const first = Math.floor(from / blobPieceBytes);
      const end = Math.ceil(to / blobPieceBytes);
      // Held open from here on: who deletes the blob meanwhile ends nobody's answer in the middle.
      const file = await open(pathOf(id), 'r').catch((error: NodeJS.ErrnoException) => {
        throw error.code === 'ENOENT' ? new Fault('blob_gone') : error;
      });
      const records = openRecords(file, onDisk, first, end);
      try {
        for (let index = first; index < end; index++) {
          const plain = table.open(column, rowOf(id, index), await records.next());
          const begin = index * blobPieceBytes;
          const wanted = plain.subarray(Math.max(0, from - begin), to - begin);
          const least = Math.min(to, begin + blobPieceBytes) - Math.max(from, begin);
          if (wanted.length !== least) throw new Error('a blob is shorter than it was');
          yield wanted;
        }
      } finally {
        await records.end();
        await file.close();
      }
    },
    async holds(id, stored) {
      const whole = Math.floor(stored / blobPieceBytes) * onDisk;
      const rest = stored % blobPieceBytes;
      const least = whole + (rest === 0 ? 0 : rest + recordBytes);
      if (least === 0) return true;
      try {
        await using file = await open(pathOf(id), 'r');
        return (await file.stat()).size >= least;
      } catch {
        return false;
      }
    },
    remove: (id) => rm(pathOf(id), { force: true }),
    names: () => readdir(folder),
    removeNamed: (name) => rm(join(folder, name), { recursive: true, force: true }),
  };
}

const column = 'piece';

const rowOf = (id: Uint8Array, index: number): Uint8Array =>
  new Writer(20).raw(id).u32(index).done();

async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r');
  await folder.sync();
}

/** A full disk, and a body that stops, are nobody's bug. */
function asFault(error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new Fault('storage_full', undefined, { cause: error });
  }
  if (code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE' || code === 'ABORT_ERR') {
    return new Fault('truncated');
  }
  return error;
}
