/** Waiting for the next change: a ring that comes while nobody waits is kept, several count as one. */

export interface Bell extends Disposable {
  ring(): void;
  /** Resolves with the next ring, after `ms`, or when the signal is aborted; at once for a ring before. */
  next(ms?: number): Promise<void>;
}

export function createBell(signal: AbortSignal): Bell {
  let rung = false;
  let wake: (() => void) | undefined;
  const ring = (): void => {
    rung = true;
    wake?.();
  };
  signal.addEventListener('abort', ring, { once: true });
  return {
    ring,
    async next(ms) {
      if (!rung && !signal.aborted) {
        await new Promise<void>((resolve) => {
          const timer = ms === undefined ? undefined : setTimeout(resolve, ms);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      wake = undefined;
      rung = false;
    },
    [Symbol.dispose]: () => signal.removeEventListener('abort', ring),
  };
}
