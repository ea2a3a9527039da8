/**
 * What members' devices are to sign. None of them can be asked at an address: it is announced to those that are
 * connected, and each comes for it. docs/protocol/transparency.md §7.6
 *
 * An announcement may be lost, and a device may come back in the middle: it is repeated as long as somebody is missing.
 */

import { witnessClass } from '@island/protocol/transparency/member-witness.ts';
import { formatVkey } from '@island/protocol/transparency/note.ts';
import type { Policy } from '@island/protocol/transparency/policy.ts';
import type { Submission } from './witness-ask.ts';

/** A checkpoint of this size is to be signed by the holders of these keys. */
export type Announce = (asked: { size: number; vkeys: string[] }) => void;

export interface MemberAsks {
  /** Until it is disposed of. `missing`: the keys that have not signed yet. `silent`: those that were told long ago. */
  begin(
    submission: Submission,
    missing: () => string[],
    silent: (vkeys: readonly string[]) => void,
  ): Disposable;
  /** What is missing of this key, the newest. */
  asked(vkey: string): Submission | undefined;
}

/** Milliseconds between two announcements of the same. */
const again = 10_000;

export function openMemberAsks(announce: Announce): MemberAsks {
  const asks = new Set<{ submission: Submission; missing(): string[] }>();
  return {
    begin(submission, missing, silent) {
      const ask = { submission, missing };
      asks.add(ask);
      const tell = (): string[] => {
        const vkeys = missing();
        if (vkeys.length > 0) announce({ size: submission.size, vkeys });
        return vkeys;
      };
      tell();
      const timer = setInterval(() => silent(tell()), again);
      return {
        [Symbol.dispose]() {
          clearInterval(timer);
          asks.delete(ask);
        },
      };
    },
    asked: (vkey) => [...asks].findLast(({ missing }) => missing().includes(vkey))?.submission,
  };
}

/** Keys of members that the policies name. */
export const membersOf = (policies: readonly Policy[]): string[] => [
  ...new Set(
    policies
      .flatMap(({ witnesses }) => witnesses)
      .filter((witness) => witnessClass(witness) === 'member')
      .map(({ vkey }) => formatVkey(vkey)),
  ),
];
