/** What goes on in conversations while nobody looks: following, receipts, messages whose time is over. */
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { backoff, pause } from '../backoff.ts';
import { createBell } from '../bell.ts';
import { Problem } from '../problem.ts';
import type { Storage } from '../storage/storage.ts';
import { Conflict } from '../storage/storage.ts';
import { catchUp } from './catch-up.ts';
import { expireDue } from './expiry.ts';
import { sendDue } from './receipts.ts';

export interface Keeping {
  storage: Storage;
  now: () => number;
  nameOf: (peer: AccountId) => Promise<string | undefined>;
}

/** Milliseconds in which changes are gathered, and after which the clock is looked at again. */
const gather = 100;
const longest = 3_600_000;

/** In one process of a home at a time, until aborted. */
export async function keepConversations(keeping: Keeping, signal: AbortSignal): Promise<void> {
  const { storage, now } = keeping;
  using _section = await storage.lock('conversations', signal);
  using changed = createBell(signal);
  using _watch = storage.watch(changed.ring);
  for (let attempt = 0; !signal.aborted; ) {
    let next: number | undefined;
    try {
      next = await keepOnce(keeping);
      attempt = 0;
    } catch (error) {
      if (signal.aborted) return;
      if (!isPassing(error)) throw error;
      attempt += 1;
      await pause(backoff(attempt), signal);
      continue;
    }
    const wait = next === undefined ? longest : Math.min(Math.max(next - now(), 0), longest);
    await changed.next(wait);
    await pause(gather, signal);
  }
}

/** A disk that is full may be emptied. */
const isPassing = (error: unknown): boolean =>
  error instanceof Problem && (error.code === 'disk_full' || error.code === 'home_unusable');

/** What is due now; answers when something is due next. */
export async function keepOnce(keeping: Keeping): Promise<number | undefined> {
  const { storage, now } = keeping;
  await catchUp(storage, now);
  try {
    const times = [await sendDue(keeping), await expireDue(storage, now())];
    const known = times.filter((time) => time !== undefined);
    return known.length > 0 ? Math.min(...known) : undefined;
  } catch (error) {
    // Somebody read, or another receipt came: it is looked at again.
    if (error instanceof Conflict) return now();
    throw error;
  }
}
