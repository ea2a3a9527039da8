/**
 * What stands in the line is kept in the home: soon after the last key, and once a second while somebody writes
 * on and on. A window that is killed loses no more than that.
 */

/** Milliseconds: after the last key, and after the first that is not kept. */
const quiet = 300;
const longest = 1_000;

export interface Drafting {
  /** As it is now. */
  text(): string;
  keep(text: string): Promise<void>;
  onFailed(error: unknown): void;
}

export interface Draft {
  changed(): void;
  /** Somebody else has emptied what was kept. */
  emptied(): void;
  /** Nothing more is kept; resolves when nothing is on its way. */
  close(): Promise<void>;
}

export function openDraft({ text, keep, onFailed }: Drafting, kept: string): Draft {
  let timer: NodeJS.Timeout | undefined;
  /** When the first of what is not kept was typed. */
  let since: number | undefined;
  let working: Promise<void> = Promise.resolve();

  async function write(): Promise<void> {
    const now = text();
    if (now === kept) return;
    kept = now;
    await keep(now);
  }

  function changed(): void {
    clearTimeout(timer);
    since ??= performance.now();
    const wait = Math.max(0, Math.min(quiet, since + longest - performance.now()));
    timer = setTimeout(() => {
      since = undefined;
      working = working.then(write).catch(onFailed);
    }, wait);
  }

  return {
    changed,
    emptied() {
      kept = '';
      changed();
    },
    close() {
      clearTimeout(timer);
      return working;
    },
  };
}
