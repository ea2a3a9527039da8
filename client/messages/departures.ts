/** What became of messages that were queued: accepted by the island, or failed for good. */
import { pause } from '../backoff.ts';
import { createBell } from '../bell.ts';
import { type Waiting, waiting, waits } from '../sending/outbox.ts';
import type { Storage } from '../storage/storage.ts';
import { type Kept, type Outgoing, readMessage } from './messages.ts';

/** Milliseconds in which outcomes are gathered. */
const gather = 15;

/** One at a time in the order of `keys` (of one recipient); ends with the last one, or when aborted. */
export async function* departures(
  storage: Storage,
  keys: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<Kept<Outgoing>> {
  using changed = createBell(signal);
  using _watch = storage.watch(changed.ring);
  for (const key of keys) {
    while (await waits(storage, key)) {
      await changed.next();
      if (signal.aborted) return;
      await pause(gather, signal);
    }
    const message = await readMessage(storage, key);
    if (message?.type === 'sent') yield message;
  }
}

/** Until nothing waits that is to go to this person now, or aborted: acts have no outcome that anybody is told. */
export async function allDeparted(
  storage: Storage,
  to: string,
  now: () => number,
  signal: AbortSignal,
): Promise<void> {
  using changed = createBell(signal);
  using _watch = storage.watch(changed.ring);
  const isDue = (row: Waiting): boolean => row.to === to && (row.notBefore ?? 0) <= now();
  while (!signal.aborted && (await waiting(storage)).some(isDue)) {
    await changed.next();
    await pause(gather, signal);
  }
}
