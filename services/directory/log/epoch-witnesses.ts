/**
 * What witnesses are asked, and what they have to say before anything is signed: a database that was put back would
 * sign a second history. docs/protocol/transparency.md §6
 */
import { hasQuorum, parsePolicy } from '@island/protocol/transparency/policy.ts';
import { consistencyProof } from '@island/protocol/transparency/tree-proofs.ts';
import type { epochProblems } from '../contract.ts';
import type { DirectoryStore } from '../database.ts';
import type { PublishedEpoch } from './log-answers.ts';
import type { LogHashes } from './log-hashes.ts';

/** A checkpoint that witnesses are asked to sign. */
export interface Asked {
  /** Texts: all of them are to be satisfied. */
  policies: readonly string[];
  /** As the log signed it. */
  note: string;
  size: number;
  /** From a size that a witness knows to this one. */
  proofFrom(size: number): Promise<Uint8Array[]>;
}

/** Resolves with the note that satisfies the policies, however long that takes; rejects when `signal` is aborted. */
export type Cosign = (asked: Asked, signal: AbortSignal) => Promise<string>;

/**
 * The sizes that witnesses of the policies have signed last, by their names, asked with a checkpoint that was published
 * before; whoever does not answer is missing.
 */
export type KnownToWitnesses = (
  asked: Asked,
  signal: AbortSignal,
) => Promise<ReadonlyMap<string, number>>;

/**
 * Why nothing new is published. `rolled_back`: a witness has signed more of the log than the database has, so nothing
 * is signed. `unanswered`: too few witnesses have said how far they are. `failing`: something here does not work.
 * `succeeding`: the log has ended, and its successor waits for witnesses.
 */
export type EpochProblem = (typeof epochProblems)[number];

export class Unsigned extends Error {
  override name = 'Unsigned';
  readonly problem: EpochProblem;
  /** The largest size that a witness has signed, where that is more than there is here. */
  readonly ahead: number | undefined;
  constructor(problem: EpochProblem, message: string, ahead?: number) {
    super(message);
    this.problem = problem;
    this.ahead = ahead;
  }
}

/** Milliseconds for witnesses to say what they know. */
const lookPatience = 10_000;

/** Of policies by their numbers, ascending. */
export async function policyTexts(
  store: DirectoryStore,
  first: number,
  last: number,
): Promise<string[]> {
  const rows = await store.rows(
    'SELECT text FROM policies WHERE number BETWEEN ? AND ? ORDER BY number',
    [first, last],
  );
  return rows.map(({ text }) => String(text));
}

/**
 * Throws as long as a witness knows a newer checkpoint than the database, or too few witnesses answer: a quorum, and
 * so many that the silent ones alone are none, for they may have signed what nobody else has seen. Also of a policy
 * that waits: its witnesses have signed what is published, and may have signed its epoch before a copy was put back.
 */
export async function lookBack(
  parts: { store: DirectoryStore; hashes: LogHashes; known: KnownToWitnesses; signal: AbortSignal },
  at: PublishedEpoch,
  size: number,
): Promise<void> {
  const { store, hashes, known, signal } = parts;
  for (const text of await policyTexts(store, at.policy, Number.MAX_SAFE_INTEGER)) {
    const policy = parsePolicy(text);
    if (policy.quorum === undefined) continue;
    const proofFrom = (from: number) => consistencyProof(from, at.size, hashes.read);
    const asked = { policies: [text], note: at.note, size: at.size, proofFrom };
    const inTime = AbortSignal.any([signal, AbortSignal.timeout(lookPatience)]);
    const sizes = await known(asked, inTime);
    const most = Math.max(...sizes.values());
    if (most > size)
      throw new Unsigned('rolled_back', 'a witness has signed more of the log than we have', most);
    const names = policy.witnesses.map(({ name }) => name);
    const silent = new Set(names.filter((name) => !sizes.has(name)));
    if (!hasQuorum(policy, new Set(sizes.keys())) || hasQuorum(policy, silent))
      throw new Unsigned('unanswered', 'too few witnesses have said what they know of the log');
  }
}
