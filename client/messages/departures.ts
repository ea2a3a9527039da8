/** What became of messages that were queued: accepted by the island, or failed for good. */
import { pause } from '../backoff.ts';
import { createBell } from '../bell.ts';
import type { Storage } from '../storage/storage.ts';
import { type Kept, type Outgoing, readMessage } from './messages.ts';
import { waits } from './outbox.ts';

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
