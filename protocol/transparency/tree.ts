/**
 * The Merkle tree of a log and its two proofs. docs/protocol/transparency.md §2.1, RFC 6962 §2.1, RFC 9162 §2.1
 *
 *     leaf = SHA-256( 0x00 ‖ data )    node = SHA-256( 0x01 ‖ left ‖ right )    empty tree = SHA-256( )
 *
 * Sizes and indices are numbers below 2^53: no operator that would cut them to 32 bits is used on them.
 */
import { equal, sha256, sha256Of } from '../crypto/primitives.ts';
import { TransparencyFault } from './transparency-fault.ts';

const nodeByte = Uint8Array.of(1);

/** Root of the tree of size 0. */
export const emptyRoot: Uint8Array = sha256(new Uint8Array(0));

/** More nodes no path has: a proof that is longer is refused before anything is hashed. */
export const proofMax = 63;

/** What is hashed lies in the same memory each time: entries are mostly of one length, nodes always. */
let leafBytes = new Uint8Array(1);
const nodeBytes = new Uint8Array(65);
nodeBytes.set(nodeByte);

export function leafHash(data: Uint8Array): Uint8Array {
  if (leafBytes.length !== data.length + 1) leafBytes = new Uint8Array(data.length + 1);
  leafBytes.set(data, 1);
  return sha256(leafBytes);
}

export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  if (!isHash(left) || !isHash(right)) return sha256Of(nodeByte, left, right);
  nodeBytes.set(left, 1);
  nodeBytes.set(right, 33);
  return sha256(nodeBytes);
}

const half = (n: number): number => Math.floor(n / 2);
const odd = (n: number): boolean => n % 2 === 1;

const isCount = (n: number): boolean => Number.isSafeInteger(n) && n >= 0;
const isHash = (bytes: Uint8Array): boolean => bytes.length === 32;
const isProof = (proof: readonly Uint8Array[]): boolean =>
  proof.length <= proofMax && proof.every(isHash);

export interface Inclusion {
  /** Hash of the leaf, not its data. */
  leaf: Uint8Array;
  index: number;
  size: number;
  /** From the leaf's sibling up to the child of the root. */
  proof: readonly Uint8Array[];
  root: Uint8Array;
}

/** RFC 9162 §2.1.3.2. Throws `inclusion_invalid` unless `leaf` is number `index` of the tree of `size` and `root`. */
export function verifyInclusion({ leaf, index, size, proof, root }: Inclusion): void {
  const refuse = () => new TransparencyFault('inclusion_invalid');
  if (!isCount(index) || !isCount(size) || index >= size) throw refuse();
  if (!isHash(leaf) || !isHash(root) || !isProof(proof)) throw refuse();
  let at = index;
  let last = size - 1;
  let hash = leaf;
  for (const sibling of proof) {
    if (last === 0) throw refuse();
    if (odd(at) || at === last) {
      hash = nodeHash(sibling, hash);
      while (!odd(at) && at !== 0) {
        at = half(at);
        last = half(last);
      }
    } else {
      hash = nodeHash(hash, sibling);
    }
    at = half(at);
    last = half(last);
  }
  if (last !== 0 || !equal(hash, root)) throw refuse();
}

export interface Consistency {
  /** At least 1: that every tree contains the empty one needs no proof. */
  oldSize: number;
  oldRoot: Uint8Array;
  newSize: number;
  newRoot: Uint8Array;
  proof: readonly Uint8Array[];
}

/** RFC 9162 §2.1.4.2. Throws `consistency_invalid` unless the older tree is the beginning of the newer one. */
export function verifyConsistency(consistency: Consistency): void {
  const { oldSize, oldRoot, newSize, newRoot, proof } = consistency;
  const refuse = () => new TransparencyFault('consistency_invalid');
  if (!isCount(oldSize) || !isCount(newSize) || oldSize < 1 || oldSize > newSize) throw refuse();
  if (!isHash(oldRoot) || !isHash(newRoot) || !isProof(proof)) throw refuse();
  if (oldSize === newSize) {
    if (proof.length > 0 || !equal(oldRoot, newRoot)) throw refuse();
    return;
  }
  let at = oldSize - 1;
  let last = newSize - 1;
  while (odd(at)) {
    at = half(at);
    last = half(last);
  }
  // Where the older tree is a complete subtree, its root is not repeated in the proof.
  const nodes = at === 0 ? [oldRoot, ...proof] : proof;
  const [first, ...rest] = nodes;
  if (first === undefined) throw refuse();
  let oldHash = first;
  let newHash = first;
  for (const node of rest) {
    if (last === 0) throw refuse();
    if (odd(at) || at === last) {
      oldHash = nodeHash(node, oldHash);
      newHash = nodeHash(node, newHash);
      while (!odd(at) && at !== 0) {
        at = half(at);
        last = half(last);
      }
    } else {
      newHash = nodeHash(newHash, node);
    }
    at = half(at);
    last = half(last);
  }
  if (last !== 0 || !equal(oldHash, oldRoot) || !equal(newHash, newRoot)) throw refuse();
}
