/** Who came first goes first: work that ends in one order, by a name, however long each takes. */

export interface Turn extends Disposable {
  /** Resolves when whatever was before it has ended. Rejects with the signal's reason when aborted. */
  come(signal?: AbortSignal): Promise<void>;
}

export interface Turns {
  /** The next turn; it ends with its disposal, come or not. */
  take(name: string): Turn;
}

export function openTurns(): Turns {
  const last = new Map<string, Promise<void>>();
  return {
    take(name) {
      const { promise: ended, resolve: end } = Promise.withResolvers<void>();
      const before = last.get(name) ?? Promise.resolve();
      // Whoever gives up in between lets nobody overtake.
      const all = before.then(() => ended);
      last.set(name, all);
      void all.then(() => {
        if (last.get(name) === all) last.delete(name);
      });
      return {
        async come(signal) {
          signal?.throwIfAborted();
          const given = Promise.withResolvers<never>();
          const giveUp = (): void => given.reject(signal?.reason);
          signal?.addEventListener('abort', giveUp, { once: true });
          try {
            await Promise.race([before, given.promise]);
          } finally {
            signal?.removeEventListener('abort', giveUp);
          }
        },
        [Symbol.dispose]: end,
      };
    },
  };
}
