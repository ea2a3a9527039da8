/**
 * The hashes of a map's nodes, made when they are asked for. docs/protocol/transparency.md §4.3
 *
 * Nothing is made anew for a node: what is hashed lies in the same few blocks each time.
 */
import { block, copyHash, type MapNodes, type NodeRef } from './map-nodes.ts';
import { emptyHashes, indexBits, putPrefix } from './map-proof.ts';

/** Writes the hash of `bytes` into `into` at `at`; `bytes` may be part of `into`. */
export type HashInto = (bytes: Uint8Array, into: Uint8Array, at: number) => void;

export class MapHashes {
  readonly #nodes: MapNodes;
  readonly #hash: HashInto;
  readonly #empty = { root: block(32), child: block(32) };
  /** u32 bits ‖ prefix 32. */
  readonly #labelled = block(36);
  /** value 32 ‖ label 32, of a leaf. */
  readonly #leaf = block(64);
  /** left 32 ‖ right 32; then their hash ‖ label 32. */
  readonly #pair = block(64);
  readonly #one = block(32);

  constructor(nodes: MapNodes, hash: HashInto) {
    this.#nodes = nodes;
    this.#hash = hash;
    const { root, child } = emptyHashes((bytes) => {
      const out = new Uint8Array(32);
      hash(bytes, out, 0);
      return out;
    });
    this.#empty.root.bytes.set(root);
    this.#empty.child.bytes.set(child);
  }

  /** H( u32 bits ‖ prefix 32 ), in words that are good until the next hash. */
  label(index: Uint8Array, bits: number): Int32Array {
    putPrefix(this.#labelled.bytes, 4, index, bits);
    this.#hashLabelled(bits, 0);
    return this.#leaf.words;
  }

  #hashLabelled(bits: number, at: number): void {
    const { bytes } = this.#labelled;
    bytes[2] = bits >> 8;
    bytes[3] = bits & 0xff;
    this.#hash(bytes, this.#leaf.bytes, at);
  }

  /** The hash of a node that is fresh, or of nothing. */
  of(ref: NodeRef): Uint8Array {
    const out = new Uint8Array(32);
    this.#put(ref, this.#one.words, 0);
    out.set(this.#one.bytes);
    return out;
  }

  /** H( left ‖ right ) of an inner node whose children are fresh. */
  ofChildren(ref: NodeRef): Uint8Array {
    this.#hashChildren(ref);
    return this.#pair.bytes.slice(0, 32);
  }

  /** Makes every hash from here down what it should be, as long as there is any of `most` left: that is the result. */
  refresh(ref: NodeRef, most = Number.POSITIVE_INFINITY): number {
    const nodes = this.#nodes;
    // Without the first condition a turn would go through all that is left for later.
    if (most <= 0 || ref <= 0 || !nodes.isStale(ref)) return most;
    const left = nodes.child(ref, 0);
    const right = nodes.child(ref, 1);
    const rest = this.refresh(right, this.refresh(left, most));
    if (rest <= 0) return 0;
    nodes.setHash(ref, left === 0 && right === 0 ? this.#emptyRoot : this.#inner(ref));
    return rest - 1;
  }

  readonly #emptyRoot = (into: Uint8Array, at: number): void =>
    into.set(this.#empty.root.bytes, at);

  readonly #hashPair = (into: Uint8Array, at: number): void =>
    this.#hash(this.#pair.bytes, into, at);

  /** Leaves H( left ‖ right ) ‖ label to be hashed. */
  #inner(ref: NodeRef): (into: Uint8Array, at: number) => void {
    this.#hashChildren(ref);
    this.#nodes.putLabel(ref, this.#pair.words, 8);
    return this.#hashPair;
  }

  /** Into the first half of `#pair`. */
  #hashChildren(ref: NodeRef): void {
    this.#put(this.#nodes.child(ref, 0), this.#pair.words, 0);
    this.#put(this.#nodes.child(ref, 1), this.#pair.words, 8);
    this.#hash(this.#pair.bytes, this.#pair.bytes, 0);
  }

  #put(ref: NodeRef, into: Int32Array, to: number): void {
    if (ref > 0) this.#nodes.putHash(ref, into, to);
    else if (ref === 0) copyHash(this.#empty.child.words, 0, into, to);
    else {
      this.#nodes.putLeaf(ref, this.#labelled.words, 1, this.#leaf.words);
      this.#hashLabelled(indexBits, 32);
      this.#hash(this.#leaf.bytes, this.#leaf.bytes, 0);
      copyHash(this.#leaf.words, 0, into, to);
    }
  }
}
