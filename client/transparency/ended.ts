/**
 * That somebody has ended their account: the log shows the erasure as the last event of the account's own label, and
 * every version that was used here on the way to it. docs/protocol/transparency.md §8.10
 *
 * It is no alarm: what they said stays, and nothing more is sent.
 */

import { equal } from '@island/protocol/crypto/primitives.ts';
import type { ProvedLabel } from '@island/protocol/transparency/answer.ts';
import { type EventStep, followEvents } from '@island/protocol/transparency/event-chain.ts';
import { isErasure } from '@island/protocol/transparency/leaves.ts';
import { TransparencyFault } from '@island/protocol/transparency/transparency-fault.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { Problem } from '../problem.ts';
import { type Storage, untilCommitted } from '../storage/storage.ts';
import { callApart, type Transport } from '../transport/transport.ts';
import { Contradiction } from './contradiction.ts';
import { broken, hidden, type ShownLabel } from './convicting.ts';
import { type Proved, provedOf } from './proved.ts';
import type { Proving } from './proving.ts';

const namespace = 'people-ended';

/** Whether it was proved here before. */
export const hasEnded = async (storage: Storage, account: AccountId): Promise<boolean> =>
  (await storage.read(namespace, account)) !== undefined;

/** Since when this home knows it, Unix milliseconds, and how often it was looked at again. */
export interface Ended {
  account: AccountId;
  since: number;
  looks: number;
}

export const endedNamespace = namespace;

export const endedRow = (account: AccountId, now: number, looks = 0) => ({
  ...{ namespace, key: account },
  bytes: new TextEncoder().encode(`${now} ${looks}`),
});

export const allEnded = async (storage: Storage): Promise<Ended[]> =>
  (await storage.list(namespace)).map(endedOf);

function endedOf({ key, bytes }: { key: string; bytes: Uint8Array }): Ended {
  // Rows of before say no looks.
  const [since = 0, looks = 0] = new TextDecoder().decode(bytes).split(' ').map(Number);
  return { account: key as AccountId, since, looks };
}

/** It was looked at again, and the log shows it still. */
export const endedLooked = (storage: Storage, account: AccountId): Promise<void> =>
  untilCommitted(async () => {
    const row = await storage.read(namespace, account);
    if (!row) return;
    const { since, looks } = endedOf({ key: account, bytes: row.bytes });
    await storage.commit({
      put: [endedRow(account, since, looks + 1)],
      expect: [{ namespace, key: account, version: row.version }],
    });
  });

export const isEnded = (error: unknown): error is Problem =>
  error instanceof Problem && error.code === 'person_ended';

/** What was proved of an account before, against its newest event. Throws `Contradiction`. */
export function followAccount(seen: Proved, now: ProvedLabel, shown: ShownLabel): void {
  const then = seen.shown;
  if (!now.present || now.version < seen.version)
    throw new Contradiction('rolled_back', (court) => hidden(then, shown, court));
  if (now.version === seen.version && !equal(now.eventHash, seen.eventHash))
    throw new Contradiction('chain_broken', (court) => hidden(then, shown, court));
  if (now.version === seen.version + 1 && !equal(now.event.prevEvent, seen.eventHash))
    throw new Contradiction('chain_broken', (court) => broken(then, shown, court));
}

/**
 * Asks whether the log shows the account as ended. False where the island says that it is not. Throws
 * `history_broken` where what was known of it is not on the way, and what `Proving.account` throws.
 */
export async function askEnded(
  parts: { storage: Storage; transport: Transport; proving: Pick<Proving, 'account'> },
  { name, account }: { name: string; account: AccountId },
  signal?: AbortSignal,
): Promise<boolean> {
  const { storage, transport, proving } = parts;
  const seen = await provedOf(storage, account);
  const steps: EventStep[] = [];
  const first = seen?.version ?? 0;
  const ask = (after: number) =>
    callApart(
      transport,
      'endedAccount',
      { account, after },
      { lane: name, ...(signal && { signal }) },
    );
  async function fetch(): Promise<Uint8Array> {
    const said = await ask(first);
    steps.push(...said.steps);
    return said.answer;
  }
  try {
    const state = await proving.account(name, account, fetch, signal);
    if (!state || !isErasure(state.event)) return false;
    if (!seen) return true;
    while (first + steps.length < state.version) {
      const { steps: more } = await ask(first + steps.length);
      if (more.length === 0) throw new Problem('history_broken', { name });
      steps.push(...more);
    }
    followEvents({ version: first, eventHash: seen.eventHash }, steps, state);
    return true;
  } catch (error) {
    if (error instanceof Fault && error.code === 'not_found') return false;
    if (error instanceof TransparencyFault)
      throw new Problem('history_broken', { name }, { cause: error });
    throw error;
  }
}
