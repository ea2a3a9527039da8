/**
 * Evidence of checkpoints and entries that can't be of one honest history, whatever the labels in it mean.
 * docs/protocol/transparency.md §9.1
 */
import { equal } from '../crypto/primitives.ts';
import type { EvidenceKind } from './evidence.ts';
import { included, must, pair, type Rule, two } from './evidence-leaves.ts';
import { type EventLeaf, eventHash, isErasure, leafTypes } from './leaves.ts';
import { parsePolicy, satisfied } from './policy.ts';
import { verifyConsistency } from './tree.ts';

/** Whether two events of one label can't both be in one history, the first before the second. */
export function contradicts(
  first: { event: EventLeaf; bytes: Uint8Array },
  second: { event: EventLeaf },
): boolean {
  const follows = equal(second.event.prevEvent, eventHash(first.bytes));
  const next = second.event.version === first.event.version + 1;
  return isErasure(first.event) || second.event.version <= first.event.version || follows !== next;
}

export const historyRules = {
  fork(_, checkpoints) {
    const [a, b] = two(checkpoints);
    must(a.size === b.size && !equal(a.root, b.root));
    return `It signed two different histories of ${a.size} entries.`;
  },

  rewrite({ prefix }, checkpoints) {
    const [older, newer] = two(checkpoints);
    must(prefix !== undefined && older.size > 0 && older.size < newer.size);
    must(!equal(prefix.root, older.root));
    const sizes = { oldSize: older.size, newSize: newer.size };
    verifyConsistency({ ...sizes, oldRoot: prefix.root, newRoot: newer.root, proof: prefix.proof });
    return `It signed a history of ${older.size} entries, and one of ${newer.size} that begins otherwise.`;
  },

  // An older checkpoint was signed rightly once; a witness that says of it later "the largest that I saw" lies.
  rollback({ notes }, checkpoints, { policy }) {
    const [larger, smaller] = two(checkpoints);
    must(smaller.size < larger.size && policy !== undefined);
    const [before, after] = two(
      notes.map((note) => satisfied(parsePolicy(policy), note).cosigners),
    );
    const liar = before.find(({ name, timestamp }) =>
      after.some((later) => later.name === name && later.timestamp > timestamp),
    );
    must(liar !== undefined);
    return {
      who: liar.name,
      statement: `It cosigned ${smaller.size} entries as the largest size of the log after it had cosigned ${larger.size}.`,
    };
  },

  entry({ leaves }, checkpoints) {
    const [entry] = leaves.map((leaf) => included(leaf, checkpoints));
    must(entry !== undefined && entry.leaf === undefined);
    return `Its entry ${entry.index} is in no form that a log may have.`;
  },

  end({ leaves }, checkpoints) {
    const [last] = leaves.map((leaf) => included(leaf, checkpoints));
    must(last !== undefined && last.index === last.size - 1 && last.leaf?.type !== leafTypes.epoch);
    return `It signed ${last.size} entries, of which the last is no epoch.`;
  },

  version(evidence, checkpoints) {
    const [a, b] = pair(evidence, checkpoints);
    must(
      a.leaf?.type === leafTypes.event &&
        b.leaf?.type === leafTypes.event &&
        equal(a.leaf.index, b.leaf.index),
    );
    must(contradicts({ event: a.leaf, bytes: a.bytes }, { event: b.leaf }));
    return `Its entries ${a.index} and ${b.index} contradict each other: versions ${a.leaf.version} and ${b.leaf.version} of one label.`;
  },

  time(evidence, checkpoints) {
    const [a, b] = pair(evidence, checkpoints);
    must(
      a.leaf?.type === leafTypes.epoch &&
        b.leaf?.type === leafTypes.epoch &&
        b.leaf.timestamp < a.leaf.timestamp,
    );
    return `Its epoch at entry ${b.index} is dated before the epoch at entry ${a.index}.`;
  },

  // Behind the epoch before: so the entry in front of the first event is an epoch, and none comes between.
  span(evidence, checkpoints) {
    const [a, b] = pair(evidence, checkpoints);
    must(b.leaf?.type === leafTypes.epoch);
    const { firstEvent } = b.leaf;
    const between = a.index >= firstEvent && a.leaf?.type === leafTypes.epoch;
    const before = a.index === firstEvent - 1 && a.leaf?.type !== leafTypes.epoch;
    must(between || before || firstEvent > b.index);
    return `Its epoch at entry ${b.index} says that it begins at entry ${firstEvent}, which is not behind the epoch before it.`;
  },

  operator(evidence, checkpoints) {
    const [a, b] = pair(evidence, checkpoints);
    must(
      a.leaf?.type === leafTypes.operator &&
        b.leaf?.type === leafTypes.operator &&
        a.leaf.kind === b.leaf.kind,
    );
    must(b.leaf.number <= a.leaf.number);
    return `Its announcements at entries ${a.index} and ${b.index} are numbered ${a.leaf.number} and ${b.leaf.number}.`;
  },
} satisfies Partial<Record<EvidenceKind, Rule>>;
