/**
 * What rules of evidence are made of: entries that are in the trees of the notes. docs/protocol/transparency.md §9.1
 */
import type { Checkpoint } from './checkpoint.ts';
import type { Evidence, ShownLeaf } from './evidence.ts';
import { type LogLeaf, readLeaf } from './leaves.ts';
import { TransparencyFault } from './transparency-fault.ts';
import { leafHash, verifyInclusion } from './tree.ts';

/** What is known beforehand: everything else is in the file. */
export interface EvidenceTrust {
  /** Of the log. */
  vkey: string;
  /** Text of the witness policy: what convicts a witness is checked with the keys in it. */
  policy?: string;
}

const refusal = () => new TransparencyFault('evidence_invalid');
export function must(holds: boolean): asserts holds {
  if (!holds) throw refusal();
}

export type Found = string | { who: string; statement: string };
/** Throws where it convicts nobody. */
export type Rule = (
  evidence: Evidence,
  checkpoints: readonly Checkpoint[],
  trust: EvidenceTrust,
) => Found;

export function two<T>(items: readonly T[]): [T, T] {
  const [a, b] = items;
  if (a === undefined || b === undefined) throw refusal();
  return [a, b];
}

/** A leaf that is in the tree of its note, decoded where it can be. */
export interface Included {
  index: number;
  size: number;
  bytes: Uint8Array;
  leaf: LogLeaf | undefined;
}

export function included(
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
export function pair(
  { leaves }: Evidence,
  checkpoints: readonly Checkpoint[],
): [Included, Included] {
  const [a, b] = two(leaves.map((leaf) => included(leaf, checkpoints)));
  must(a.index < b.index);
  return [a, b];
}
