/** Work that is done again and again as long as a service runs: retention, rotation. docs/architecture.md §2 */
import type { Log } from './log.ts';

/**
 * Runs `work` now and then every `milliseconds`, one round at a time; a round that fails is logged
 * and the next one tries again. Disposing of it waits for the round at work.
 */
export function startRounds(
  milliseconds: number,
  work: () => Promise<unknown>,
  log: Log,
): AsyncDisposable {
  let round: Promise<void> | undefined;
  const begin = (): void => {
    round ??= work()
      .then(
        () => undefined,
        (error: unknown) => log.error('round_failed', error),
      )
      .finally(() => {
        round = undefined;
      });
  };
  begin();
  const timer = setInterval(begin, milliseconds);
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await round;
    },
  };
}
