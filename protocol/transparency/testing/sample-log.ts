/** A log in memory, for tests: the definition of RFC 6962 §2.1 as it stands there, without any short cut. */

import { encodeEntries, type FetchTile, type Tile } from '../tiles.ts';
import { emptyRoot, leafHash, nodeHash } from '../tree.ts';
import type { HashReader } from '../tree-proofs.ts';

/** MTH of RFC 6962 over leaf hashes. */
export function treeHash(leaves: readonly Uint8Array[]): Uint8Array {
  const [first] = leaves;
  if (first === undefined) return emptyRoot;
  if (leaves.length === 1) return first;
  let k = 1;
  while (2 * k < leaves.length) k *= 2;
  return nodeHash(treeHash(leaves.slice(0, k)), treeHash(leaves.slice(k)));
}

export interface SampleLog {
  entries: readonly Uint8Array[];
  leaves: readonly Uint8Array[];
  root(size: number): Uint8Array;
  read: HashReader;
  /** Its tiles as the log of `size` serves them. */
  tile(size: number): FetchTile;
}

/** `size` entries, each of which names itself. */
export function sampleLog(size: number, name = 'entry'): SampleLog {
  const entries = Array.from({ length: size }, (_, i) => new TextEncoder().encode(`${name} ${i}`));
  const leaves = entries.map(leafHash);
  const known = new Map<string, Uint8Array>();
  const roots = new Map<number, Uint8Array>();
  const hashOf = (level: number, index: number): Uint8Array => {
    const name = `${level}/${index}`;
    let hash = known.get(name) ?? (level === 0 ? leaves[index] : undefined);
    hash ??= nodeHash(hashOf(level - 1, 2 * index), hashOf(level - 1, 2 * index + 1));
    known.set(name, hash);
    return hash;
  };
  const read: HashReader = async (level, index) => {
    if ((index + 1) * 2 ** level > size) throw new Error(`no subtree ${level}/${index}`);
    return hashOf(level, index);
  };
  const bytesOf = async ({ level, index, width }: Tile): Promise<Uint8Array> => {
    const first = index * 256;
    if (level === 'entries') return encodeEntries(entries.slice(first, first + width));
    const numbers = Array.from({ length: width }, (_, i) => first + i);
    const hashes = await Promise.all(numbers.map((number) => read(8 * level, number)));
    return Uint8Array.from(hashes.flatMap((hash) => [...hash]));
  };
  return {
    entries,
    leaves,
    root(at) {
      const root = roots.get(at) ?? treeHash(leaves.slice(0, at));
      roots.set(at, root);
      return root;
    },
    read,
    tile: () => (_path, tile) => bytesOf(tile),
  };
}
