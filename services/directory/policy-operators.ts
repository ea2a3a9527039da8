/**
 * Several keys of one operator are one opinion: the cosigners of a policy are told apart by the names of their keys, and
 * a group that wants more than one of its members never counts one name twice. docs/protocol/transparency.md §2.5, §7.3
 */
import type { Policy } from '@island/protocol/transparency/policy.ts';

/** Whether a name of a key can bring a group more than one vote: two of its keys belong into one group with `any`. */
export function countsTwice({ witnesses, groups }: Policy): boolean {
  const below = new Map(witnesses.map(({ name, vkey }) => [name, new Set([vkey.name])]));
  for (const { name, threshold, members } of groups) {
    const voters = members.map((member) => below.get(member) ?? new Set<string>());
    const all = new Set(voters.flatMap((names) => [...names]));
    if (threshold > 1 && all.size < voters.reduce((sum, { size }) => sum + size, 0)) return true;
    below.set(name, all);
  }
  return false;
}
