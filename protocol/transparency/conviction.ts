/**
 * Whom a file of evidence convicts, and why. docs/protocol/transparency.md §9.1
 *
 * Each rule rests on signatures alone: an honest log can't have signed what it needs, whatever else is true. Two
 * leaves may be in the trees of two notes: either the trees are one history, and the leaves contradict each other
 * in it, or they are two, and the log signed both. Hash functions are taken to have no collisions.
 */

import { openCheckpoint } from './checkpoint.ts';
import { verifierOf } from './cosignature.ts';
import { type Evidence, type EvidenceKind, parseEvidence } from './evidence.ts';
import { type EvidenceTrust, must, type Rule } from './evidence-leaves.ts';
import { historyRules } from './history-evidence.ts';
import { labelRules } from './label-evidence.ts';
import { parseVkey } from './note.ts';

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
  with?: 'prefix' | 'map' | 'opened' | 'states';
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
  unauthorised: { notes: 2, leaves: 2, with: 'states' },
};

const rules: Record<EvidenceKind, Rule> = { ...historyRules, ...labelRules };

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

function checkShape({ kind, notes, leaves, prefix, map, opened, states }: Evidence): void {
  const shape = shapes[kind];
  const used = new Set(leaves.map(({ note }) => note));
  must(leaves.length === shape.leaves);
  // A note that no leaf is in would say nothing.
  must(leaves.length === 0 ? notes.length === shape.notes : used.size === notes.length);
  must((prefix !== undefined) === (shape.with === 'prefix'));
  must((map !== undefined) === (shape.with === 'map'));
  must((opened !== undefined) === (shape.with === 'opened'));
  must(states?.length === (shape.with === 'states' ? leaves.length : undefined));
}
