/**
 * The right edge of a growing Merkle tree: the roots of the complete subtrees that its leaves fall into, largest
 * first. Enough to go on from any size, in at most 53 hashes. RFC 6962 §2.1
 */
import { emptyRoot, nodeHash } from '@island/protocol/transparency/tree.ts';

export interface Frontier {
  readonly size: number;
  readonly hashes: readonly Uint8Array[];
  push(leaf: Uint8Array): void;
  root(): Uint8Array;
}

/** One for each bit of the size that is set. */
export const frontierLength = (size: number): number => size.toString(2).replaceAll('0', '').length;

/** Throws RangeError where the hashes are not as many as the size has subtrees. */
export function openFrontier(from: { size: number; hashes: readonly Uint8Array[] }): Frontier {
  let { size } = from;
  const stack = [...from.hashes];
  if (stack.length !== frontierLength(size)) throw new RangeError('not the frontier of this size');
  return {
    get size() {
      return size;
    },
    get hashes() {
      return [...stack];
    },
    push(leaf) {
      let hash = leaf;
      for (let full = size; full % 2 === 1; full = (full - 1) / 2) {
        const left = stack.pop();
        if (left !== undefined) hash = nodeHash(left, hash);
      }
      stack.push(hash);
      size++;
    },
    root: () =>
      stack.length === 0 ? emptyRoot : stack.reduceRight((right, left) => nodeHash(left, right)),
  };
}
