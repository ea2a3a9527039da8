/**
 * Proofs out of our own copy of the entries: what convicts a log needs nothing of it any more. One walk over the
 * entries for all hashes that are asked for. RFC 6962 §2.1
 */

import { leafHash } from '@island/protocol/transparency/tree.ts';
import {
  consistencyProof,
  type HashReader,
  inclusionProof,
  rootAt,
} from '@island/protocol/transparency/tree-proofs.ts';
import { type Frontier, openFrontier } from './frontier.ts';
import type { OwnLog } from './own-log.ts';

export interface OwnProof {
  index: number;
  leaf: Uint8Array;
  proof: Uint8Array[];
}

/** A complete subtree whose hash is wanted. */
interface Wanted {
  start: number;
  end: number;
  frontier: Frontier;
}

type Entries = Pick<OwnLog, 'entries'>;

/** Every hash that `plan` asks for: which those are does not depend on what is in them. */
async function ownHashes(
  log: Entries,
  size: number,
  plan: (read: HashReader) => Promise<unknown>,
  see: (index: number, entry: Uint8Array) => void = () => undefined,
): Promise<HashReader> {
  const wanted = new Map<string, Wanted>();
  const name = (level: number, index: number): string => `${level}/${index}`;
  await plan(async (level, at) => {
    const start = at * 2 ** level;
    const frontier = openFrontier({ size: 0, hashes: [] });
    wanted.set(name(level, at), { start, end: start + 2 ** level, frontier });
    return new Uint8Array(32);
  });
  const waiting = [...wanted.values()].sort((a, b) => a.start - b.start);
  let open: Wanted[] = [];
  let at = 0;
  for await (const entry of log.entries(0)) {
    if (at === size) break;
    while (waiting[0]?.start === at) open.push(...waiting.splice(0, 1));
    if (open.length > 0) {
      const hash = leafHash(entry);
      for (const { frontier } of open) frontier.push(hash);
      open = open.filter(({ end }) => end > at + 1);
    }
    see(at, entry);
    at++;
  }
  return async (level, number) => {
    const subtree = wanted.get(name(level, number));
    if (subtree === undefined) throw new RangeError('a subtree that was not asked for');
    return subtree.frontier.root();
  };
}

/** `indices` are in the tree of the first `size` entries, which the log has. */
export async function ownProofs(
  log: Entries,
  size: number,
  indices: readonly number[],
): Promise<OwnProof[]> {
  const leaves = new Map<number, Uint8Array>();
  const read = await ownHashes(
    log,
    size,
    (hashes) => Promise.all(indices.map((index) => inclusionProof(index, size, hashes))),
    (index, entry) => {
      if (indices.includes(index)) leaves.set(index, Uint8Array.from(entry));
    },
  );
  return Promise.all(
    indices.map(async (index) => ({
      index,
      leaf: leaves.get(index) ?? new Uint8Array(0),
      proof: await inclusionProof(index, size, read),
    })),
  );
}

/** The root of the first `older` entries, and that the tree of the first `size` goes on from there. */
export async function ownPrefix(
  log: Entries,
  older: number,
  size: number,
): Promise<{ root: Uint8Array; proof: Uint8Array[] }> {
  const make = async (read: HashReader) => ({
    root: await rootAt(older, read),
    proof: await consistencyProof(older, size, read),
  });
  return make(await ownHashes(log, size, make));
}
