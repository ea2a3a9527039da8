/**
 * Whom a file of evidence convicts, and why. docs/protocol/transparency.md §9.1
 *
 * Each rule rests on signatures alone: an honest log can't have signed what it needs, whatever else is true. Two
 * leaves may be in the trees of two notes: either the trees are one history, and the leaves contradict each other
 * in it, or they are two, and the log signed both. Hash functions are taken to have no collisions.
 */

import { equal, sha256 } from '../crypto/primitives.ts';
import { type Checkpoint, openCheckpoint } from './checkpoint.ts';
import { checkCommitment } from './commitment.ts';
import { verifierOf } from './cosignature.ts';
import {
  type Evidence,
  type EvidenceKind,
  parseEvidence,
  type ShownEntry,
  type ShownLeaf,
} from './evidence.ts';
import { labelIndex, labelKinds } from './label.ts';
import {
  type EventLeaf,
  eventHash,
  isErasure,
  type LogLeaf,
  leafTypes,
  operatorKinds,
  readLeaf,
} from './leaves.ts';
import { mapValue, verifyAbsence, verifyMembership } from './map-proof.ts';
import { parseVkey } from './note.ts';
import { parsePolicy, satisfied } from './policy.ts';
import { TransparencyFault } from './transparency-fault.ts';
import { leafHash, verifyConsistency, verifyInclusion } from './tree.ts';
import { verify as verifyVrf } from './vrf.ts';

/** What is known beforehand: everything else is in the file. */
export interface EvidenceTrust {
  /** Of the log. */
  vkey: string;
  /** Text of the witness policy: what convicts a witness is checked with the keys in it. */
  policy?: string;
}

export interface Conviction {
  kind: EvidenceKind;
  convicts: 'log' | 'witness';
  /** Origin of the log, or name of the witness in the policy. */
  who: string;
  /** One sentence for people. */
  statement: string;
}

/** What a kind consists of; anything more or less convicts nobody. */
interface Shape {
  notes: 1 | 2;
  leaves: 0 | 1 | 2;
  with?: 'prefix' | 'map' | 'opened';
}

/** The notes of kinds with leaves are 1 or, where the leaves are in two trees, 2. */
const shapes: Record<EvidenceKind, Shape> = {
  fork: { notes: 2, leaves: 0 },
  rewrite: { notes: 2, leaves: 0, with: 'prefix' },
  rollback: { notes: 2, leaves: 0 },
  entry: { notes: 1, leaves: 1 },
  end: { notes: 1, leaves: 1 },
  version: { notes: 2, leaves: 2 },
  time: { notes: 2, leaves: 2 },
  span: { notes: 2, leaves: 2 },
  operator: { notes: 2, leaves: 2 },
  hidden: { notes: 2, leaves: 2, with: 'map' },
  unlogged: { notes: 2, leaves: 2, with: 'map' },
  rebound: { notes: 2, leaves: 2, with: 'opened' },
};

const refusal = () => new TransparencyFault('evidence_invalid');
function must(holds: boolean): asserts holds {
  if (!holds) throw refusal();
}

/**
 * Throws `malformed` where the text is no evidence, `unknown_origin` or `signature_invalid` where it is not of
 * this log, `inclusion_invalid`, `consistency_invalid` or `map_invalid` for a wrong proof, `evidence_invalid` where all of that
 * is in order and convicts nobody.
 */
export function verifyEvidence(text: string, trust: EvidenceTrust): Conviction {
  const evidence = parseEvidence(text);
  const { kind } = evidence;
  checkShape(evidence);
  const log = verifierOf(parseVkey(trust.vkey));
  const checkpoints = evidence.notes.map((note) => openCheckpoint(note, log));
  const found = rules[kind](evidence, checkpoints, trust);
  const { who = log.vkey.name, statement } =
    typeof found === 'string' ? { statement: found } : found;
  return { kind, convicts: kind === 'rollback' ? 'witness' : 'log', who, statement };
}

function checkShape({ kind, notes, leaves, prefix, map, opened }: Evidence): void {
  const shape = shapes[kind];
  const used = new Set(leaves.map(({ note }) => note));
  must(leaves.length === shape.leaves);
  // A note that no leaf is in would say nothing.
  must(leaves.length === 0 ? notes.length === shape.notes : used.size === notes.length);
  must((prefix !== undefined) === (shape.with === 'prefix'));
  must((map !== undefined) === (shape.with === 'map'));
  must((opened !== undefined) === (shape.with === 'opened'));
}

type Found = string | { who: string; statement: string };
type Rule = (evidence: Evidence, checkpoints: readonly Checkpoint[], trust: EvidenceTrust) => Found;

function two<T>(items: readonly T[]): [T, T] {
  const [a, b] = items;
  if (a === undefined || b === undefined) throw refusal();
  return [a, b];
}

/** A leaf that is in the tree of its note, decoded where it can be. */
interface Included {
  index: number;
  size: number;
  bytes: Uint8Array;
  leaf: LogLeaf | undefined;
}

function included(
  { note, index, leaf, proof }: ShownLeaf,
  checkpoints: readonly Checkpoint[],
): Included {
  const checkpoint = checkpoints[note];
  must(checkpoint !== undefined);
  const { size, root } = checkpoint;
  verifyInclusion({ leaf: leafHash(leaf), index, size, proof, root });
  return { index, size, bytes: leaf, leaf: decoded(leaf) };
}

function decoded(bytes: Uint8Array): LogLeaf | undefined {
  try {
    return readLeaf(bytes);
  } catch {
    return undefined;
  }
}

/** Two leaves, that of the lower index first. */
function pair({ leaves }: Evidence, checkpoints: readonly Checkpoint[]): [Included, Included] {
  const [a, b] = two(leaves.map((leaf) => included(leaf, checkpoints)));
  must(a.index < b.index);
  return [a, b];
}

/** Whether two events of one label can't both be in one history, the first before the second. */
export function contradicts(
  first: { event: EventLeaf; bytes: Uint8Array },
  second: { event: EventLeaf },
): boolean {
  const follows = equal(second.event.prevEvent, eventHash(first.bytes));
  const next = second.event.version === first.event.version + 1;
  return isErasure(first.event) || second.event.version <= first.event.version || follows !== next;
}

/** What the map of `root` is shown to have. */
function shownEntry(root: Uint8Array, { index, proof, newest }: ShownEntry): ShownEntry['newest'] {
  if (newest === undefined) verifyAbsence({ root, index, proof });
  else {
    const { version, eventIndex, eventHash: hash } = newest;
    // Else `mapValue` would have no bytes for it.
    must(version > 0 && version <= 0xffffffff);
    verifyMembership({ root, index, value: mapValue(version, eventIndex, hash), proof });
  }
  return newest;
}

const rules: Record<EvidenceKind, Rule> = {
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

  hidden(evidence, checkpoints) {
    const [event, epoch] = pair(evidence, checkpoints);
    const { map } = evidence;
    must(
      event.leaf?.type === leafTypes.event &&
        epoch.leaf?.type === leafTypes.epoch &&
        map !== undefined,
    );
    must(equal(event.leaf.index, map.index));
    const newest = shownEntry(epoch.leaf.mapRoot, map);
    const { version } = event.leaf;
    // A later version may stand there by right; an earlier one, none, or another event of this version may not.
    const same =
      newest?.eventIndex === event.index && equal(newest.eventHash, eventHash(event.bytes));
    must(newest === undefined || newest.version < version || (newest.version === version && !same));
    return `Its map at entry ${epoch.index} leaves out version ${version} of a label, which is entry ${event.index}.`;
  },

  unlogged(evidence, checkpoints) {
    const [entry, epoch] = pair(evidence, checkpoints);
    must(epoch.leaf?.type === leafTypes.epoch && evidence.map !== undefined);
    const { index, newest } = evidence.map;
    shownEntry(epoch.leaf.mapRoot, evidence.map);
    must(newest !== undefined && newest.eventIndex === entry.index);
    const { leaf } = entry;
    const fits =
      leaf?.type === leafTypes.event && leaf.version === newest.version && equal(leaf.index, index);
    must(!fits || !equal(newest.eventHash, eventHash(entry.bytes)));
    return `Its map at entry ${epoch.index} names entry ${entry.index} as version ${newest.version} of a label, which it is not.`;
  },

  // A name leads to one account until it is erased, and to nobody from then on.
  rebound(evidence, checkpoints) {
    const { opened } = evidence;
    const [key, event] = pair(evidence, checkpoints);
    must(
      key.leaf?.type === leafTypes.operator &&
        key.leaf.kind === operatorKinds.vrf &&
        event.leaf?.type === leafTypes.event,
    );
    must(opened !== undefined && equal(key.leaf.hash, sha256(opened.vrfKey)));
    const { label, vrfKey, vrfProof, opening, state } = opened;
    must(label[0] === labelKinds.name && event.leaf.version > 1 && !isErasure(event.leaf));
    must(equal(labelIndex(verifyVrf(vrfKey, label, vrfProof)), event.leaf.index));
    checkCommitment(event.leaf.commitment, { label, version: event.leaf.version, opening, state });
    return `Its entry ${event.index} changes what a name leads to, which nobody gave back.`;
  },
};
