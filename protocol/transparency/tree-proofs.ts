/**
 * Roots and proofs out of stored hashes. docs/protocol/transparency.md §2.1, RFC 6962 §2.1
 *
 * Every hash that is read is that of a complete subtree: 2^level leaves, the first of them number
 * index × 2^level. Such a hash never changes while the log grows.
 */
import { Fault } from '../wire/fault.ts';
import { emptyRoot, nodeHash } from './tree.ts';

/** Hash of the complete subtree of 2^level leaves, number `index` of that level. */
export type HashReader = (level: number, index: number) => Promise<Uint8Array>;

export interface Subtree {
  level: number;
  index: number;
}

/** Greatest power of two below n > 1, as an exponent. */
function splitLevel(n: number): number {
  let level = 0;
  while (2 ** (level + 1) < n) level++;
  return level;
}

/**
 * The complete subtrees that make up leaves `start` to `end`, from the left: as a tree of this range is split,
 * so that `start` must be a multiple of the greatest power of two in the range.
 */
export function subtreesOf(start: number, end: number): Subtree[] {
  const subtrees: Subtree[] = [];
  for (let at = start; at < end; ) {
    const n = end - at;
    const below = n === 1 ? 0 : splitLevel(n);
    const level = 2 ** (below + 1) === n ? below + 1 : below;
    subtrees.push({ level, index: at / 2 ** level });
    at += 2 ** level;
  }
  return subtrees;
}

/** The hash over complete subtrees of a range, as `subtreesOf` names them: the rightmost two are joined first. */
export function joinSubtrees(hashes: readonly Uint8Array[]): Uint8Array {
  return hashes.reduceRight((right, left) => nodeHash(left, right));
}

/** The root of leaves `start` to `end`, which the tree has as one node. */
async function rangeHash(start: number, end: number, read: HashReader): Promise<Uint8Array> {
  return joined(subtreesOf(start, end), read);
}

async function joined(parts: readonly Subtree[], read: HashReader): Promise<Uint8Array> {
  return joinSubtrees(await Promise.all(parts.map(({ level, index }) => read(level, index))));
}

const want = (holds: boolean): void => {
  if (!holds) throw new Fault('malformed');
};

const isCount = (n: number): boolean => Number.isSafeInteger(n) && n >= 0;

/** Root of the tree of the first `size` leaves. */
export async function rootAt(size: number, read: HashReader): Promise<Uint8Array> {
  want(isCount(size));
  return size === 0 ? emptyRoot : rangeHash(0, size, read);
}

/**
 * The subtrees that make up each hash of an inclusion proof, from the leaf's sibling up. Throws `malformed` unless
 * index < size.
 */
export function inclusionParts(index: number, size: number): Subtree[][] {
  want(isCount(index) && isCount(size) && index < size);
  const ranges: [number, number][] = [];
  let [start, end] = [0, size];
  while (end - start > 1) {
    const middle = start + 2 ** splitLevel(end - start);
    if (index < middle) {
      ranges.unshift([middle, end]);
      end = middle;
    } else {
      ranges.unshift([start, middle]);
      start = middle;
    }
  }
  return ranges.map(([from, to]) => subtreesOf(from, to));
}

/** From the leaf's sibling up. Throws `malformed` unless index < size. */
export async function inclusionProof(
  index: number,
  size: number,
  read: HashReader,
): Promise<Uint8Array[]> {
  return Promise.all(inclusionParts(index, size).map((parts) => joined(parts, read)));
}

/** Empty where the sizes are equal or `oldSize` is 0. Throws `malformed` unless oldSize ≤ newSize. */
export async function consistencyProof(
  oldSize: number,
  newSize: number,
  read: HashReader,
): Promise<Uint8Array[]> {
  want(isCount(oldSize) && isCount(newSize) && oldSize <= newSize);
  if (oldSize === 0 || oldSize === newSize) return [];
  const ranges: [number, number][] = [];
  let [start, end] = [0, newSize];
  while (end !== oldSize) {
    const middle = start + 2 ** splitLevel(end - start);
    if (oldSize <= middle) {
      ranges.unshift([middle, end]);
      end = middle;
    } else {
      ranges.unshift([start, middle]);
      start = middle;
    }
  }
  // The older root itself is known to whoever verifies.
  if (start !== 0) ranges.unshift([start, end]);
  return Promise.all(ranges.map(([from, to]) => rangeHash(from, to, read)));
}
