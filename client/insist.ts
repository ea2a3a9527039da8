/** Asks again while what keeps an island from answering may pass. */
import { backoff, pause } from './backoff.ts';
import { passes } from './problem.ts';
import { retryAfter } from './transport/transport.ts';

export interface Insisting {
  signal?: AbortSignal | undefined;
  /** Called before each pause. */
  onWaiting?: ((error: unknown) => void) | undefined;
}

const attempts = 8;
/** Milliseconds; whoever is told to wait longer is told so. */
const longestWait = 10_000;

/** Throws what `work` throws when that will not pass, or did not. */
export async function insist<T>(work: () => Promise<T>, insisting: Insisting = {}): Promise<T> {
  const { signal, onWaiting } = insisting;
  for (let attempt = 0; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const wait = retryAfter(error) ?? 0;
      if (attempt === attempts || signal?.aborted || !passes(error) || wait > longestWait)
        throw error;
      onWaiting?.(error);
      await pause(backoff(attempt, wait), signal);
    }
  }
}
