/** Which messages a program has told of: nothing is told of a message before the message itself. */
import { newestMessage, unshown } from '../messages/messages.ts';
import type { Storage } from '../storage/storage.ts';

export interface Told {
  /** These were told, in the order in which they came. */
  add(keys: readonly string[]): void;
  /** Whether this one was: here, or before this program began. */
  has(key: string): boolean;
  /** Called when more were told. */
  watch(listener: () => void): Disposable;
}

/** For a program that tells whatever comes from now on, and first what nobody has seen (arrivals.ts). */
export async function openTold(storage: Storage): Promise<Told> {
  const newest = await newestMessage(storage);
  const missed = new Set(await unshown(storage));
  const listeners = new Set<() => void>();
  let last = '';
  return {
    add(keys) {
      for (const key of keys) if (key > last) last = key;
      for (const listener of listeners) listener();
    },
    has: (key) => key <= last || (key <= newest && !missed.has(key)),
    watch(listener) {
      listeners.add(listener);
      return { [Symbol.dispose]: () => void listeners.delete(listener) };
    },
  };
}
