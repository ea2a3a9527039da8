/**
 * The bytes of a blob: one file, in pieces, each sealed (M5). docs/protocol/attachments.md §5
 *
 *     file    = piece 0 ‖ piece 1 ‖ …
 *     piece i = record( table "blobs", column "piece", row = id 16 ‖ u32 i; 65,536 bytes, the last one fewer )
 *
 * The record is that of docs/protocol/at-rest.md §3; its key is the one of the day on which the blob was begun.
 *
 * Invariant: a piece is written whole, at its own place, by one writer at a time. What `written`
 * answered is on the disk after `sync`; what lies behind the last whole piece is overwritten.
 */
import { type FileHandle, mkdir, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { blobPieceBytes } from '@island/protocol/wire/blob-routes.ts';
import { Writer } from '@island/protocol/wire/bytes.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { hex } from '@island/protocol/wire/text.ts';
import { recordBytes } from '../kit/at-rest-record.ts';
import type { VaultTable } from '../kit/vault.ts';
import { inPieces, openRun } from './intake.ts';
import { openRecords } from './records.ts';

export interface Files {
  /**
   * Takes `body` in behind `offset`, which is between two pieces, up to `end`. Answers how far whole pieces are on the
   * disk, with what kept it from going on.
   */
  write(
    blob: { id: Uint8Array; day: number },
    range: { offset: number; end: number },
    body: AsyncIterable<Uint8Array>,
  ): Promise<{ stored: number; failure?: unknown }>;
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
    async write({ id, day }, { offset, end }, body) {
      let file: FileHandle;
      try {
        file = await open(pathOf(id), offset === 0 ? 'w' : 'r+', 0o600);
      } catch (error) {
        return { stored: offset, failure: asFault(error) };
      }
      const run = openRun(file, placeOf(offset));
      let failure: unknown;
      let at = offset;
      try {
        for await (const piece of inPieces(body, end - offset)) {
          const row = rowOf(id, Math.floor(at / blobPieceBytes));
          const record = await run.room(piece.length + recordBytes);
          table.seal(await table.keyOf(day), column, row, piece, record);
          at += piece.length;
          run.filled(piece.length);
        }
      } catch (error) {
        failure = asFault(error);
      }
      let stored = offset;
      try {
        await run.end().catch((error: unknown) => {
          failure ??= asFault(error);
        });
        if (run.written > 0) await file.datasync();
        // A file that is new is there after a crash only when its folder says so.
        if (run.written > 0 && offset === 0) await syncFolder(folder);
        stored += run.written;
      } catch (error) {
        failure = asFault(error);
      } finally {
        await file.close();
      }
      return failure === undefined ? { stored } : { stored, failure };
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
