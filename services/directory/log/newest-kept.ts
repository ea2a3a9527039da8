/** What was used last, up to so many: a cache of things that never change. */

export interface NewestKept<Value> {
  get(key: number | string): Value | undefined;
  set(key: number | string, value: Value): void;
  delete(key: number | string): void;
}

/** @param most entries; the one that was used longest ago goes first */
export function newestKept<Value>(most: number): NewestKept<Value> {
  const kept = new Map<number | string, Value>();
  return {
    get(key) {
      const value = kept.get(key);
      if (value === undefined) return undefined;
      kept.delete(key);
      kept.set(key, value);
      return value;
    },
    set(key, value) {
      kept.delete(key);
      kept.set(key, value);
      if (kept.size <= most) return;
      for (const oldest of kept.keys()) {
        kept.delete(oldest);
        return;
      }
    },
    delete: (key) => void kept.delete(key),
  };
}

/**
 * The same, of what is asked for a second time: whoever asks for everything in turn drives nothing out, and what is
 * asked for once leaves nothing behind for the collector.
 */
export function oftenKept<Value>(most: number): NewestKept<Value> {
  const kept = newestKept<Value>(most);
  /** How often something that is not kept was asked for. */
  const missed = newestKept<number>(most);
  return {
    get(key) {
      const value = kept.get(key);
      if (value === undefined) missed.set(key, (missed.get(key) ?? 0) + 1);
      return value;
    },
    set(key, value) {
      if ((missed.get(key) ?? 0) < 2) return;
      missed.delete(key);
      kept.set(key, value);
    },
    delete: (key) => kept.delete(key),
  };
}
