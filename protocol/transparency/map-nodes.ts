/**
 * The nodes of a map in memory, as records in pages of typed arrays: nothing for the collector to follow, and all of a
 * node in one or two lines of the processor's cache. docs/protocol/transparency.md §4.3
 *
 *     inner node, 20 words = left ‖ right ‖ born ‖ bits + 256 × stale ‖ hash 32 bytes ‖ label 32 bytes
 *     leaf, 17 words       = born ‖ index 32 bytes ‖ value 32 bytes
 *     free place           = the next free one ‖ …
 *
 * A reference is a number: 0 is nothing, above 0 an inner node, below 0 a leaf. `born` is the version of the map that
 * the node was made in; `label` is H( u32 bits ‖ prefix 32 ), which never changes in the life of a node.
 */
import { Fault } from '../wire/fault.ts';

export type NodeRef = number;

/** The same memory as bytes and as words: 32 bytes are copied fastest as eight words. */
export interface Block {
  bytes: Uint8Array;
  words: Int32Array;
}

export function block(bytes: number): Block {
  const memory = new ArrayBuffer(bytes);
  return { bytes: new Uint8Array(memory), words: new Int32Array(memory) };
}

const hashWords = 8;

export function copyHash(from: Int32Array, at: number, into: Int32Array, to: number): void {
  for (let i = 0; i < hashWords; i++) into[to + i] = from[at + i] ?? 0;
}

const pageBits = 12;
const pageNodes = 1 << pageBits;
const inPage = pageNodes - 1;

/** Places for records of one length, in words. They begin with 1; those that were given back are used again. */
class Records {
  readonly #length: number;
  readonly #pages: Block[] = [];
  #made = 1;
  #free = 0;
  #used = 0;

  constructor(length: number) {
    this.#length = length;
  }

  get used(): number {
    return this.#used;
  }

  page(id: number): Block {
    const page = this.#pages[id >>> pageBits];
    if (page === undefined) throw new Fault('internal');
    return page;
  }

  /** The first word of the record within its page. */
  at(id: number): number {
    return (id & inPage) * this.#length;
  }

  take(): number {
    this.#used++;
    const id = this.#free;
    if (id !== 0) {
      this.#free = this.page(id).words[this.at(id)] ?? 0;
      return id;
    }
    if (this.#made >>> pageBits === this.#pages.length)
      this.#pages.push(block(pageNodes * this.#length * 4));
    return this.#made++;
  }

  give(id: number): void {
    this.page(id).words[this.at(id)] = this.#free;
    this.#free = id;
    this.#used--;
  }
}

/** Words of an inner node; its left child is the first. */
const inner = { right: 1, born: 2, bits: 3, hash: 4, label: 12, length: 20 } as const;
const staleFlag = 256;
/** Words of a leaf; `born` is the first. */
const leaf = { index: 1, value: 9, length: 17 } as const;

export class MapNodes {
  readonly #leaves = new Records(leaf.length);
  readonly #inners = new Records(inner.length);

  /** Places that are not free. */
  get used(): number {
    return this.#leaves.used + this.#inners.used;
  }

  addLeaf(index: Uint8Array, value: Uint8Array, born: number): NodeRef {
    const id = this.#leaves.take();
    const { bytes, words } = this.#leaves.page(id);
    const at = this.#leaves.at(id);
    words[at] = born;
    bytes.set(index, 4 * (at + leaf.index));
    bytes.set(value, 4 * (at + leaf.value));
    return -id;
  }

  /** Its children and hash are for the caller. @param label eight words */
  addInner(bits: number, label: Int32Array, born: number): NodeRef {
    const id = this.#inners.take();
    const { words } = this.#inners.page(id);
    const at = this.#inners.at(id);
    words[at] = 0;
    words[at + inner.right] = 0;
    words[at + inner.born] = born;
    words[at + inner.bits] = bits | staleFlag;
    copyHash(label, 0, words, at + inner.label);
    return id;
  }

  /** A copy to be written to; its hash is stale. */
  copyInner(ref: NodeRef, born: number): NodeRef {
    const id = this.#inners.take();
    const from = this.#inners.page(ref).words;
    const into = this.#inners.page(id).words;
    const [start, at] = [this.#inners.at(ref), this.#inners.at(id)];
    for (let i = 0; i < inner.length; i++) into[at + i] = from[start + i] ?? 0;
    into[at + inner.born] = born;
    into[at + inner.bits] = (from[start + inner.bits] ?? 0) | staleFlag;
    return id;
  }

  free(ref: NodeRef): void {
    if (ref < 0) this.#leaves.give(-ref);
    else this.#inners.give(ref);
  }

  born(ref: NodeRef): number {
    if (ref < 0) return this.#leaves.page(-ref).words[this.#leaves.at(-ref)] ?? 0;
    return this.#inners.page(ref).words[this.#inners.at(ref) + inner.born] ?? 0;
  }

  /** Of a leaf; a view. */
  index(ref: NodeRef): Uint8Array {
    return this.#ofLeaf(ref, leaf.index);
  }

  value(ref: NodeRef): Uint8Array {
    return this.#ofLeaf(ref, leaf.value);
  }

  #ofLeaf(ref: NodeRef, word: number): Uint8Array {
    const at = 4 * (this.#leaves.at(-ref) + word);
    return this.#leaves.page(-ref).bytes.subarray(at, at + 32);
  }

  setValue(ref: NodeRef, value: Uint8Array): void {
    this.#leaves.page(-ref).bytes.set(value, 4 * (this.#leaves.at(-ref) + leaf.value));
  }

  /** Index and value of a leaf into words of others. */
  putLeaf(ref: NodeRef, index: Int32Array, indexAt: number, value: Int32Array): void {
    const { words } = this.#leaves.page(-ref);
    const at = this.#leaves.at(-ref);
    copyHash(words, at + leaf.index, index, indexAt);
    copyHash(words, at + leaf.value, value, 0);
  }

  /** Of an inner node, as all that follows. */
  bits(ref: NodeRef): number {
    return (this.#inners.page(ref).words[this.#inners.at(ref) + inner.bits] ?? 0) & 0xff;
  }

  child(ref: NodeRef, side: number): NodeRef {
    return this.#inners.page(ref).words[this.#inners.at(ref) + side] ?? 0;
  }

  setChild(ref: NodeRef, side: number, child: NodeRef): void {
    this.#inners.page(ref).words[this.#inners.at(ref) + side] = child;
  }

  isStale(ref: NodeRef): boolean {
    const bits = this.#inners.page(ref).words[this.#inners.at(ref) + inner.bits] ?? 0;
    return (bits & staleFlag) !== 0;
  }

  setStale(ref: NodeRef): void {
    const { words } = this.#inners.page(ref);
    const at = this.#inners.at(ref) + inner.bits;
    words[at] = (words[at] ?? 0) | staleFlag;
  }

  putLabel(ref: NodeRef, into: Int32Array, to: number): void {
    copyHash(this.#inners.page(ref).words, this.#inners.at(ref) + inner.label, into, to);
  }

  putHash(ref: NodeRef, into: Int32Array, to: number): void {
    copyHash(this.#inners.page(ref).words, this.#inners.at(ref) + inner.hash, into, to);
  }

  /** The hash of a node is what `write` puts there: 32 bytes into `into` at `at`. */
  setHash(ref: NodeRef, write: (into: Uint8Array, at: number) => void): void {
    const { bytes, words } = this.#inners.page(ref);
    const at = this.#inners.at(ref);
    write(bytes, 4 * (at + inner.hash));
    words[at + inner.bits] = (words[at + inner.bits] ?? 0) & ~staleFlag;
  }
}
