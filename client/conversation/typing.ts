/**
 * Who is writing: kept nowhere, told to contacts only, off until somebody turns it on. docs/protocol/dm.md §12
 *
 * Whoever began is taken to have stopped after ten seconds in which nothing more came.
 */

/** Milliseconds: between two tellings that somebody goes on, and after which nothing heard means stopped. */
const again = 5_000;
const silence = 10_000;

/** What is told of our own typing: seldom, and only where it changes something. */
export interface TypingNotices {
  /** A key was struck. */
  typing(to: string): Promise<void>;
  /** It was sent, or given up. */
  stopped(to: string): Promise<void>;
}

export function typingNotices(
  tell: (to: string, began: boolean) => Promise<void>,
  clock: () => number = () => performance.now(),
): TypingNotices {
  const told = new Map<string, number>();
  return {
    async typing(to) {
      const last = told.get(to);
      if (last !== undefined && clock() - last < again) return;
      told.set(to, clock());
      await tell(to, true);
    },
    async stopped(to) {
      const last = told.get(to);
      told.delete(to);
      // The other side has ended it by itself.
      if (last !== undefined && clock() - last < silence) await tell(to, false);
    },
  };
}

/** Others who are writing now: each change is told once. */
export interface Typists extends Disposable {
  heard(from: string, began: boolean): void;
}

export function typists(onTyping: (from: string, began: boolean) => void): Typists {
  const writing = new Map<string, NodeJS.Timeout>();
  function end(from: string): void {
    const timer = writing.get(from);
    if (timer === undefined) return;
    clearTimeout(timer);
    writing.delete(from);
    onTyping(from, false);
  }
  return {
    heard(from, began) {
      if (!began) return end(from);
      const known = writing.get(from);
      clearTimeout(known);
      const timer = setTimeout(() => end(from), silence);
      timer.unref?.();
      writing.set(from, timer);
      if (known === undefined) onTyping(from, true);
    },
    [Symbol.dispose]() {
      for (const timer of writing.values()) clearTimeout(timer);
      writing.clear();
    },
  };
}
