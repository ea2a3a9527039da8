/** Waiting between attempts: longer each time, never in step with others. */

/** Milliseconds. */
const first = 100;
const longest = 3_000;
/** However long an island asks for: a timer holds no more than 24 days, and nobody should wait as long. */
const longestAsked = 600_000;

/** A random time that doubles with each failed attempt (0, 1, …), and not less than what was asked for, ten minutes at most. */
export function backoff(attempt: number, asked = 0): number {
  const ceiling = Math.min(longest, first * 2 ** Math.min(attempt, 16));
  return Math.max(Math.min(asked, longestAsked), ceiling / 2 + (Math.random() * ceiling) / 2);
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
