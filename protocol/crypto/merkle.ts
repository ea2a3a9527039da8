/**
 * A Merkle tree of fixed depth 7 over at most 128 leaves: every path is 7 × 32 bytes, whatever the
 * number of leaves. docs/protocol/prekeys.md §4
 *
 *     leaf   = SHA-256( 0x00 ‖ data )        absent leaf = 32 zero bytes
 *     parent = SHA-256( 0x01 ‖ left ‖ right )
 *
 * The first byte keeps a leaf from standing for a parent. With 128 leaves it is the tree of RFC 6962.
 */
import { Fault } from '../wire/fault.ts';
import { sha256Of } from './primitives.ts';

export const merkleDepth = 7;
export const merkleLeaves = 128;

const leafByte = Uint8Array.of(0);
const parentByte = Uint8Array.of(1);
const absent = new Uint8Array(32);

export const leafHash = (data: Uint8Array): Uint8Array => sha256Of(leafByte, data);

const parent = (left: Uint8Array, right: Uint8Array): Uint8Array =>
  sha256Of(parentByte, left, right);

/** Every level, leaves first, root last. */
export type MerkleTree = readonly (readonly Uint8Array[])[];

/** `leaves` are leaf hashes, 1 to 128 of them. */
export function merkleTree(leaves: readonly Uint8Array[]): MerkleTree {
  if (leaves.length === 0 || leaves.length > merkleLeaves) throw new Fault('malformed');
  let level = Array.from({ length: merkleLeaves }, (_, i) => leaves[i] ?? absent);
  const levels = [level];
  while (level.length > 1) {
    const below = level;
    level = Array.from({ length: below.length / 2 }, (_, i) =>
      parent(below[2 * i] ?? absent, below[2 * i + 1] ?? absent),
    );
    levels.push(level);
  }
  return levels;
}

export const merkleRoot = (tree: MerkleTree): Uint8Array => tree[merkleDepth]?.[0] ?? absent;

/** The 7 siblings from the leaf up, 224 bytes. */
export function merklePath(tree: MerkleTree, index: number): Uint8Array {
  const path = new Uint8Array(merkleDepth * 32);
  for (let depth = 0; depth < merkleDepth; depth++) {
    path.set(tree[depth]?.[(index >> depth) ^ 1] ?? absent, depth * 32);
  }
  return path;
}

/** The root that `leaf` at `index` has under `path`. */
export function rootOfPath(leaf: Uint8Array, index: number, path: Uint8Array): Uint8Array {
  if (path.length !== merkleDepth * 32) throw new Fault('malformed');
  let hash = leaf;
  for (let depth = 0; depth < merkleDepth; depth++) {
    const sibling = path.subarray(depth * 32, depth * 32 + 32);
    hash = (index >> depth) & 1 ? parent(sibling, hash) : parent(hash, sibling);
  }
  return hash;
}
