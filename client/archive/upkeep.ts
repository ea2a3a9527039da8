/**
 * When the archive is read and written while a home is at work. docs/protocol/archive.md §5
 *
 * What came is written at once: its acknowledgement waits for it. What was sent is written with it, or
 * after a random time, so that the island, which does not see who sends, does not see it here either.
 */
import { Fault } from '@island/protocol/wire/fault.ts';
import { backoff, pause } from '../backoff.ts';
import { type Bell, createBell } from '../bell.ts';
import { Problem, willPass } from '../problem.ts';
import type { Storage } from '../storage/storage.ts';
import { retryAfter } from '../transport/transport.ts';
import type { Archive, Progress } from './archive.ts';

/** Milliseconds: between two looks for what others have written, and before what was sent is written. */
const readInterval = 30_000;
const leastDelay = 5_000;
const mostDelay = 30_000;
/** Milliseconds that a command waits at its end for what it has sent to be archived. */
const lastWait = 3_000;

export interface ArchiveReports {
  /** The archive can't be reached; it is tried again, and what came stays in the mailbox as well. */
  onArchiveWaiting: (error: Error) => void;
  /** The archive refuses, or is refused. Messages are on this device only. Told once for each reason. */
  onArchiveRefused: (error: Error) => void;
  /** How a long reading goes. */
  onArchiveRead?: (progress: Progress) => void;
}

export interface KeptArchive {
  /**
   * Resolves when everything that was committed before may be acknowledged: it is archived, or never
   * will be. Throws only what this machine refuses, and `signed_out`.
   */
  settled(signal: AbortSignal): Promise<void>;
  /** The connection is there: now is the time to look for what is new. */
  connected(): void;
  /** Reads, now and then, until aborted. */
  read(signal: AbortSignal): Promise<void>;
  /** Writes what was sent until aborted. */
  write(signal: AbortSignal): Promise<void>;
  /** Writes what is left, for a short time. */
  finish(): Promise<void>;
}

export function keepArchive(
  archive: Archive,
  storage: Storage,
  reports: ArchiveReports,
): KeptArchive {
  const { onArchiveWaiting, onArchiveRefused, onArchiveRead } = reports;
  const told = new Set<string>();
  const bells = new Set<Bell>();
  /** By a clock that only goes forward: no attempt before that, since the last one was refused. */
  let refusedUntil = 0;

  /** Whether it was refused for good; throws what may pass, and what concerns this machine. */
  async function refused(work: () => Promise<unknown>): Promise<boolean> {
    try {
      await work();
      told.clear();
      return false;
    } catch (error) {
      if (!(error instanceof Error) || !isRefusal(error)) throw error;
      refusedUntil = performance.now() + readInterval;
      if (!told.has(error.message)) onArchiveRefused(error);
      told.add(error.message);
      return true;
    }
  }

  async function settled(signal: AbortSignal): Promise<void> {
    for (let attempt = 0; !signal.aborted; attempt++) {
      if (performance.now() < refusedUntil || !(await archive.pending())) return;
      try {
        await refused(() => archive.flush(signal));
        return;
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof Error) || !willPass(error)) throw error;
        onArchiveWaiting(error);
        await pause(backoff(attempt, retryAfter(error)), signal);
      }
    }
  }

  /** What may pass is left for the next time: nobody waits for it. */
  async function attempt(signal: AbortSignal, work: () => Promise<unknown>): Promise<void> {
    try {
      await refused(work);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Error) || !willPass(error)) throw error;
    }
  }

  async function read(signal: AbortSignal): Promise<void> {
    using changed = createBell(signal);
    bells.add(changed);
    try {
      while (!signal.aborted) {
        await attempt(signal, async () => {
          await archive.sync(signal, onArchiveRead);
          await archive.flush(signal);
        });
        await changed.next(readInterval);
      }
    } finally {
      bells.delete(changed);
    }
  }

  async function write(signal: AbortSignal): Promise<void> {
    using changed = createBell(signal);
    using _watch = storage.watch(changed.ring);
    while (!signal.aborted) {
      if (await archive.pending()) {
        await pause(leastDelay + Math.random() * (mostDelay - leastDelay), signal);
        if (signal.aborted) return;
        await attempt(signal, async () => {
          if (await archive.pending()) await archive.flush(signal);
        });
      }
      await changed.next();
    }
  }

  return {
    settled,
    connected: () => {
      for (const bell of bells) bell.ring();
    },
    read,
    write,
    async finish() {
      const signal = AbortSignal.timeout(lastWait);
      try {
        if (await archive.pending()) await refused(() => archive.flush(signal));
      } catch (error) {
        // It stays on the disk and is written by the next command.
        if (!(error instanceof Error)) throw error;
      }
    },
  };
}

const machine = new Set([
  'signed_out',
  'disk_full',
  'home_unusable',
  'home_damaged',
  'unreachable',
]);

/** What an island says for good, or what is wrong with what it shows. */
const isRefusal = (error: Error): boolean =>
  !willPass(error) &&
  (error instanceof Fault || (error instanceof Problem && !machine.has(error.code)));
