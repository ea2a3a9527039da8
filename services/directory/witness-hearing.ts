/**
 * How far those witnesses are whom nobody can ask at an address: what they have said since this process began, by hand
 * or on a session. docs/protocol/transparency.md §6.2, §7.5, §7.6
 */
import { formatVkey } from '@island/protocol/transparency/note.ts';
import {
  hasQuorum,
  type Policy,
  type PolicyWitness,
} from '@island/protocol/transparency/policy.ts';
import { type MemberAsks, membersOf } from './member-asks.ts';
import type { Submission } from './witness-ask.ts';

export interface Hearing {
  /** The size that it signed, or showed. */
  size(vkey: string): number | undefined;
  hear(vkey: string, size: number): void;
  /** Looks again whether enough was said. */
  look(): void;
  /**
   * Until all members of the policy have said how far they are, or so many, with those of `found`, that the others no
   * longer matter (§6.2, 5); or `signal` ends it.
   */
  until(
    asked: { submission: Submission; policy: Policy; found: ReadonlyMap<string, number> },
    signal: AbortSignal,
  ): Promise<void>;
}

export function openHearing(
  members: MemberAsks,
  silent: (vkeys: readonly string[]) => void,
): Hearing {
  const heard = new Map<string, number>();
  const listeners = new Set<() => void>();
  const look = (): void => {
    for (const listener of [...listeners]) listener();
  };

  function isDecided(policy: Policy, found: ReadonlyMap<string, number>): boolean {
    const said = ({ name, vkey }: PolicyWitness) => found.has(name) || heard.has(formatVkey(vkey));
    const names = (is: boolean) =>
      new Set(policy.witnesses.filter((one) => said(one) === is).map(({ name }) => name));
    return hasQuorum(policy, names(true)) && !hasQuorum(policy, names(false));
  }

  return {
    size: (vkey) => heard.get(vkey),
    hear(vkey, size) {
      heard.set(vkey, size);
      look();
    },
    look,
    async until({ submission, policy, found }, signal) {
      const missing = () => membersOf([policy]).filter((vkey) => !heard.has(vkey));
      const isOver = () => missing().length === 0 || isDecided(policy, found) || signal.aborted;
      if (isOver()) return;
      using _asking = members.begin(submission, missing, silent);
      const { promise, resolve } = Promise.withResolvers<void>();
      const listener = (): void => {
        if (isOver()) resolve();
      };
      listeners.add(listener);
      signal.addEventListener('abort', listener);
      await promise;
      listeners.delete(listener);
      signal.removeEventListener('abort', listener);
    },
  };
}
