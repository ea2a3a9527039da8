/** Tries again what was put aside (aside.ts), for as long as this process holds the inbox: less and less often. */
import { pause } from '../backoff.ts';
import { createBell } from '../bell.ts';
import { retryAfter } from '../transport/transport.ts';
import { type Opening, openAside } from './envelopes.ts';

/** Milliseconds: before the first try and between two, at least and at most. */
const first = 1_000;
const longest = 600_000;

export async function keepAside(opening: Opening, signal: AbortSignal): Promise<void> {
  using changed = createBell(signal);
  using _watch = opening.storage.watch(changed.ring);
  for (let attempt = 0; !signal.aborted; ) {
    // Whatever else is wrong shows where messages come in; here there is time.
    const left = await openAside(opening, signal).catch((error: unknown) => error);
    if (left === 'more') continue;
    if (left === undefined) {
      attempt = 0;
      await changed.next();
      await pause(first, signal);
      continue;
    }
    const ceiling = Math.min(first * 2 ** Math.min(attempt++, 16), longest);
    const next = Math.max(ceiling / 2 + (Math.random() * ceiling) / 2, retryAfter(left) ?? 0);
    await pause(Math.min(next, longest), signal);
  }
}
