/**
 * The tree of a log in memory, for logs of vectors and tests: entries, and the hash of every complete subtree.
 * docs/protocol/transparency.md §2
 */
import { encodeEntries, type Tile, tileHeight, tileWidth } from '../transparency/tiles.ts';
import { leafHash, nodeHash } from '../transparency/tree.ts';
import type { HashReader } from '../transparency/tree-proofs.ts';
import { concat } from '../wire/bytes.ts';

export interface MemoryTree {
  readonly entries: readonly Uint8Array[];
  /** An entry as it is; answers its index. */
  push(entry: Uint8Array): number;
  /** Rejects for what is not complete. */
  read: HashReader;
  /** `undefined` for one that is not there in that width. */
  tile(tile: Tile): Uint8Array | undefined;
}

export function memoryTree(): MemoryTree {
  const entries: Uint8Array[] = [];
  const levels: Uint8Array[][] = [];
  return {
    entries,
    push(entry) {
      let hash = leafHash(entry);
      for (let level = 0; ; level++) {
        const hashes = levels[level] ?? [];
        levels[level] = hashes;
        hashes.push(hash);
        const left = hashes.at(-2);
        if (hashes.length % 2 === 1 || left === undefined) break;
        hash = nodeHash(left, hash);
      }
      return entries.push(entry) - 1;
    },
    async read(level, index) {
      const hash = levels[level]?.[index];
      if (hash === undefined) throw new RangeError('no such subtree');
      return hash;
    },
    tile({ level, index, width }) {
      const from = index * tileWidth;
      const all = level === 'entries' ? entries : (levels[level * tileHeight] ?? []);
      const part = all.slice(from, from + width);
      if (part.length < width) return undefined;
      return level === 'entries' ? encodeEntries(part) : concat(...part);
    },
  };
}
