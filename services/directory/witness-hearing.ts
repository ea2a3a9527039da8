/**
 * How far those witnesses are whom nobody can ask at an address: what they have said since this process began, by hand
 * or on a session. docs/protocol/transparency.md §6.2, §7.5, §7.6
 */
import { parseCheckpoint } from '@island/protocol/transparency/checkpoint.ts';
import { formatVkey, parseNote } from '@island/protocol/transparency/note.ts';
import {
  hasQuorum,
  type Policy,
  type PolicyWitness,
} from '@island/protocol/transparency/policy.ts';
import { type MemberAsks, membersOf } from './member-asks.ts';
import type { Submission } from './witness-ask.ts';

export interface Hearing {
  /** The size that it signed, or showed. */
  size(log: string, vkey: string): number | undefined;
  /** `log`: origin of the one of which so much was signed. */
  hear(log: string, vkey: string, size: number): void;
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
  const nameOf = (log: string, vkey: string): string => `${log} ${vkey}`;
  const listeners = new Set<() => void>();
  const look = (): void => {
    for (const listener of [...listeners]) listener();
  };

  function isDecided(log: string, policy: Policy, found: ReadonlyMap<string, number>): boolean {
    const said = ({ name, vkey }: PolicyWitness) =>
      found.has(name) || heard.has(nameOf(log, formatVkey(vkey)));
    const names = (is: boolean) =>
      new Set(policy.witnesses.filter((one) => said(one) === is).map(({ name }) => name));
    return hasQuorum(policy, names(true)) && !hasQuorum(policy, names(false));
  }

  return {
    size: (log, vkey) => heard.get(nameOf(log, vkey)),
    hear(log, vkey, size) {
      heard.set(nameOf(log, vkey), size);
      look();
    },
    look,
    async until({ submission, policy, found }, signal) {
      const log = parseCheckpoint(parseNote(submission.note).text).origin;
      const missing = () => membersOf([policy]).filter((vkey) => !heard.has(nameOf(log, vkey)));
      const isOver = () =>
        missing().length === 0 || isDecided(log, policy, found) || signal.aborted;
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
