/** The way from a version that is known to the newest one, step by step. docs/protocol/transparency.md §8 */
import { equal } from '@island/protocol/crypto/primitives.ts';
import type { ProvedState } from '@island/protocol/transparency/answer.ts';
import { type EventStep, followEvents } from '@island/protocol/transparency/event-chain.ts';
import { readEvent } from '@island/protocol/transparency/leaves.ts';
import { Problem } from '../problem.ts';

/** What is known of somebody already; without the hash nothing was proved of them yet. */
export interface KnownVersion {
  version: number;
  list: Uint8Array;
  eventHash: Uint8Array | undefined;
}

/**
 * The lists of every version behind the known one up to the newest, each by the event before. `fetch`: the versions
 * behind one, ascending. Throws `history_broken`, what `followEvents` throws, and what `fetch` throws.
 */
export async function fetchVersions(
  name: string,
  { version, list, eventHash }: KnownVersion,
  newest: ProvedState,
  fetch: (after: number) => Promise<readonly EventStep[]>,
): Promise<Uint8Array[]> {
  // Nothing was proved of the known version: then it is the first of the chain.
  const after = eventHash ? version : version - 1;
  const steps: EventStep[] = [];
  while (after + steps.length < newest.version) {
    const more = await fetch(after + steps.length);
    if (more.length === 0) throw new Problem('history_broken', { name });
    steps.push(...more.slice(0, newest.version - after - steps.length));
  }
  const [first] = steps;
  if (!first) throw new Problem('history_broken', { name });
  const begin = eventHash ?? readEvent(first.event).prevEvent;
  const followed = followEvents({ version: after, eventHash: begin }, steps, newest);
  const states = followed.map(({ state }) => state ?? new Uint8Array(0));
  if (eventHash) return states;
  if (!states[0] || !equal(states[0], list)) throw new Problem('history_broken', { name });
  return states.slice(1);
}
