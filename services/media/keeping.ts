/**
 * What was written is put on the disk and told of while more is written: a body is long, and neither it nor the disk
 * waits for the other. docs/protocol/attachments.md §5
 *
 * Invariant: `kept` is told of what was synced, in order, one call at a time; after one that failed, and after a
 * sync that failed, of nothing more: a disk forgets what it could not write.
 */
import type { FileHandle } from 'node:fs/promises';
import type { Run } from './intake.ts';

export interface Keeping {
  /** Begins to keep what was written, when it is enough. Throws what was before could not be kept. */
  step(): Promise<void>;
  /** Keeps the rest. Throws the same. */
  end(): Promise<void>;
}

/**
 * Bytes that are kept at once. While they are, as many more are taken in: a crash costs no more than twice as
 * many, and so much of a body, at most, is in the system and not on the disk.
 */
const step = 4_194_304;

/** @param kept how many bytes of `run` are on the disk */
export function openKeeping(
  file: Pick<FileHandle, 'datasync'>,
  run: Pick<Run, 'written'>,
  kept: (bytes: number) => Promise<void>,
): Keeping {
  let begun = 0;
  let keeping: Promise<void> = Promise.resolve();

  /** Only what was written before the sync begins is on the disk after it. */
  async function keep(bytes: number): Promise<void> {
    await file.datasync();
    await kept(bytes);
  }

  return {
    async step() {
      if (run.written - begun < step) return;
      await keeping;
      begun = run.written;
      keeping = keep(begun);
      // It throws at the next step.
      keeping.catch(() => undefined);
    },
    async end() {
      await keeping;
      if (run.written > begun) await keep(run.written);
    },
  };
}
