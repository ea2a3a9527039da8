/** Waiting between attempts: longer each time, never in step with others. */

/** Milliseconds. */
const first = 100;
const longest = 5_000;

/** A random time that doubles with each failed attempt (0, 1, …), and never less than what was asked for. */
export function backoff(attempt: number, asked = 0): number {
  const ceiling = Math.min(longest, first * 2 ** Math.min(attempt, 16));
  return Math.max(asked, ceiling / 2 + (Math.random() * ceiling) / 2);
}

/** Resolves after `ms`, or at once when aborted. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done, { once: true });
  });
}
