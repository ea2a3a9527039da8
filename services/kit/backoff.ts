/** How long to wait before trying again: doubling, with a ceiling and jitter, so that peers don't return in step. */

export interface Backoff {
  /** Milliseconds before the second attempt. */
  first: number;
  /** Milliseconds that no wait exceeds. */
  most: number;
}

/** Milliseconds to wait after `failures` (1, 2, …) failed attempts in a row; `random` is in [0, 1). */
export function backoff(
  { first, most }: Backoff,
  failures: number,
  random = Math.random(),
): number {
  const full = Math.min(most, first * 2 ** Math.min(Math.max(failures - 1, 0), 30));
  return Math.round(full * (0.5 + random / 2));
}

/**
 * Waits; ends early (without an error) when `signal` is aborted. Keeps the process alive only where
 * `hold` says so: for a wait that the process exists for, such as its first connection.
 */
export function pause(milliseconds: number, signal?: AbortSignal, hold = false): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal?.aborted === true) return Promise.resolve();
  const end = (): void => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', end);
    resolve();
  };
  const timer = setTimeout(end, milliseconds);
  if (!hold) timer.unref();
  signal?.addEventListener('abort', end);
  return promise;
}
