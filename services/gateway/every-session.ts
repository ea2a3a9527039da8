/** Work for every session, not all of them at the same time; anew if it was asked for meanwhile. */
import type { Log } from '../kit/log.ts';
import type { Session } from './session.ts';

/** Sessions at work at once. */
const atOnce = 64;

export interface Rounds extends Disposable {
  begin(): void;
}

export function everySession(
  sessions: ReadonlySet<Session>,
  work: (session: Session) => Promise<void>,
  log: Log,
): Rounds {
  let working = false;
  let again = false;
  let ended = false;

  async function run(): Promise<void> {
    again = true;
    if (working) return;
    working = true;
    try {
      while (again && !ended) {
        again = false;
        const all = [...sessions];
        for (let at = 0; at < all.length && !ended; at += atOnce)
          await Promise.all(all.slice(at, at + atOnce).map(work));
      }
    } finally {
      working = false;
    }
  }

  return {
    begin() {
      run().catch((error: unknown) => log.error('look_failed', error));
    },
    [Symbol.dispose]() {
      ended = true;
    },
  };
}
