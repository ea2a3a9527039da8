/**
 * A tile of the log's tree: every complete subtree over 256 hashes, once. docs/protocol/transparency.md §6
 *
 *     tile = the hashes of its subtrees in the order in which they became complete: hash 0, hash 1, the node over
 *            both, hash 2, …; 8 levels, the node over all 256 is the tile's hash in the level above
 *
 * Invariant: a tile only grows at its end.
 */
import { nodeHash } from '@island/protocol/transparency/tree.ts';

/** Hashes of a tile on its lowest level. */
export const width = 256;
export const levels = 8;

/** Hashes of a tile with `count` leaves. */
export const hashesOf = (count: number): number => {
  let hashes = 0;
  for (let left = count; left > 0; left >>= 1) hashes += left;
  // Of 256 the one over all of them lies in the tile above.
  return count === width ? hashes - 1 : hashes;
};

/** Where hash `index` of `level` (0 to 7) lies within its tile, bytes. */
export const offsetOf = (level: number, index: number): number =>
  32 * (hashesOf((index + 1) * 2 ** level - 1) + level);

export interface GrownTile {
  level: number;
  tile: number;
  hashes: Uint8Array;
}

/** The last tile of a level, with room to its end. */
export interface Tail {
  level: number;
  tile: number;
  has: number;
  bytes: Uint8Array;
  grown: boolean;
}

const fullBytes = 32 * hashesOf(width);

export function tailOf(level: number, tile: number, has: number, before: Uint8Array): Tail {
  const bytes = new Uint8Array(fullBytes);
  bytes.set(before.subarray(0, 32 * hashesOf(has)));
  return { level, tile, has, bytes, grown: false };
}

export const cut = ({ level, tile, has, bytes }: Tail): GrownTile => {
  return { level, tile, hashes: bytes.subarray(0, 32 * hashesOf(has)) };
};

/** One hash more on a level, and every node that it completes; a tile that is full moves on. */
export function push(tails: Tail[], full: GrownTile[], level: number, hash: Uint8Array): void {
  const tail = tails[level] ?? tailOf(level, 0, 0, new Uint8Array(0));
  tails[level] = tail;
  tail.grown = true;
  const number = tail.has;
  tail.has += 1;
  let at = 32 * hashesOf(number);
  let node = hash;
  let index = number;
  tail.bytes.set(node, at);
  for (let inner = 1; index % 2 === 1; inner++) {
    const left = offsetOf(inner - 1, index - 1);
    node = nodeHash(tail.bytes.subarray(left, left + 32), node);
    index = (index - 1) / 2;
    if (inner === levels) break;
    at += 32;
    tail.bytes.set(node, at);
  }
  if (tail.has < width) return;
  full.push(cut(tail));
  tails[level] = tailOf(level, tail.tile + 1, 0, new Uint8Array(0));
  push(tails, full, level + 1, node);
}
