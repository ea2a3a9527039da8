/**
 * Looks after one's own account while a home is connected: what other devices changed is checked and
 * adopted. docs/protocol/keys.md §6
 *
 * A device that somebody added, or a code that somebody used, shows here first.
 */
import { backoff, pause } from '../backoff.ts';
import { createBell } from '../bell.ts';
import { Problem, willPass } from '../problem.ts';
import { isUnbelieved } from '../transparency/unbelieved.ts';
import type { Keeping } from './key-changes.ts';
import { syncOwn } from './own-devices.ts';

/** Milliseconds between two looks on one connection. */
const interval = 600_000;
/** Milliseconds that the directory may show nothing that counts before a person hears of it. */
const patience = 3_600_000;

export interface AccountReports {
  /** Something is new that the person was not told yet (untold-changes.ts). */
  onAccountChanged: () => void;
  /** What the island shows of the account is refused; what was known stays. */
  onAccountRefused: (error: Error) => void;
  /** Somebody asked to begin the account anew without its devices; it can be done after so many seconds. */
  onResetAsked: (seconds: number) => void;
}

export interface KeptAccount {
  /** The connection is there: now is the time to look. */
  connected(): void;
  /** Until aborted. Throws what leaves this device without an account: `device_removed`, `account_reset`, `account_ended`, `signed_out`. */
  run(signal: AbortSignal): Promise<void>;
}

export function keepAccount(keeping: Keeping, reports: AccountReports): KeptAccount {
  let ring = (): void => undefined;
  const told = new Set<string>();

  async function look(signal: AbortSignal): Promise<void> {
    const { changes } = await syncOwn({ ...keeping, signal });
    told.clear();
    if (changes.length > 0) reports.onAccountChanged();
    const { reset } = await keeping.session.call('account', {}, { signal });
    if (reset !== undefined) reports.onResetAsked(reset);
  }

  function tell(error: Error): void {
    if (!told.has(error.message)) reports.onAccountRefused(error);
    told.add(error.message);
  }

  return {
    connected: () => ring(),
    async run(signal) {
      using changed = createBell(signal);
      ring = changed.ring;
      let since: number | undefined;
      for (let attempt = 0; !signal.aborted; ) {
        try {
          await look(signal);
          attempt = 0;
          since = undefined;
        } catch (error) {
          if (signal.aborted) return;
          if (!(error instanceof Error) || isEnd(error)) throw error;
          if (willPass(error)) {
            if (isUnbelieved(error)) since ??= keeping.now();
            if (since !== undefined && keeping.now() - since > patience) tell(error);
            await pause(backoff(attempt++), signal);
            continue;
          }
          tell(error);
        }
        await changed.next(interval);
      }
    },
  };
}

const ends = new Set(['device_removed', 'account_reset', 'account_ended', 'signed_out']);
const isEnd = (error: Error): boolean => error instanceof Problem && ends.has(error.code);
