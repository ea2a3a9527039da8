/**
 * The nodes of a map in memory, in pages of typed arrays: 68 bytes a leaf, 78 an inner node, nothing for the
 * collector to follow. Places that are given back are used again. docs/protocol/transparency.md §4.3
 *
 * A reference is a number: 0 is nothing, above 0 an inner node, below 0 a leaf.
 */
import { Fault } from '../wire/fault.ts';

export type NodeRef = number;

const pageBits = 12;
const pageNodes = 1 << pageBits;
const inPage = pageNodes - 1;

interface LeafPage {
  index: Uint8Array;
  value: Uint8Array;
  /** Version of the map that the node was made in. Of a free place: the next free one. */
  born: Uint32Array;
}

interface InnerPage {
  left: Int32Array;
  /** Of a free place: the next free one. */
  right: Int32Array;
  born: Uint32Array;
  /** Length of the prefix. */
  bits: Uint8Array;
  /** 1 while the hash is not that of the children. */
  stale: Uint8Array;
  hash: Uint8Array;
  /** H( u32 bits ‖ prefix 32 ): never changes in the life of a node. */
  label: Uint8Array;
}

const leafPage = (): LeafPage => ({
  index: new Uint8Array(pageNodes * 32),
  value: new Uint8Array(pageNodes * 32),
  born: new Uint32Array(pageNodes),
});

const innerPage = (): InnerPage => ({
  left: new Int32Array(pageNodes),
  right: new Int32Array(pageNodes),
  born: new Uint32Array(pageNodes),
  bits: new Uint8Array(pageNodes),
  stale: new Uint8Array(pageNodes),
  hash: new Uint8Array(pageNodes * 32),
  label: new Uint8Array(pageNodes * 32),
});

const at32 = (id: number): number => (id & inPage) * 32;

/** Pages of one kind, and the chain of free places in them. Places begin with 1. */
class Pages<Page> {
  readonly #pages: Page[] = [];
  readonly #make: () => Page;
  #made = 1;
  #free = 0;
  #used = 0;

  constructor(make: () => Page) {
    this.#make = make;
  }

  get used(): number {
    return this.#used;
  }

  of(id: number): Page {
    const page = this.#pages[id >>> pageBits];
    if (page === undefined) throw new Fault('internal');
    return page;
  }

  take(nextFree: (page: Page, at: number) => number): number {
    this.#used++;
    const id = this.#free;
    if (id !== 0) {
      this.#free = nextFree(this.of(id), id & inPage);
      return id;
    }
    if (this.#made >>> pageBits === this.#pages.length) this.#pages.push(this.#make());
    return this.#made++;
  }

  give(id: number, chain: (page: Page, at: number, next: number) => void): void {
    chain(this.of(id), id & inPage, this.#free);
    this.#free = id;
    this.#used--;
  }
}

const nextLeaf = ({ born }: LeafPage, at: number): number => born[at] ?? 0;
const nextInner = ({ right }: InnerPage, at: number): number => right[at] ?? 0;

function chainLeaf({ born }: LeafPage, at: number, next: number): void {
  born[at] = next;
}

function chainInner({ right }: InnerPage, at: number, next: number): void {
  right[at] = next;
}

export class MapNodes {
  readonly #leaves = new Pages(leafPage);
  readonly #inners = new Pages(innerPage);

  /** Places that are not free. */
  get used(): number {
    return this.#leaves.used + this.#inners.used;
  }

  addLeaf(index: Uint8Array, value: Uint8Array, born: number): NodeRef {
    const id = this.#leaves.take(nextLeaf);
    const page = this.#leaves.of(id);
    page.index.set(index, at32(id));
    page.value.set(value, at32(id));
    page.born[id & inPage] = born;
    return -id;
  }

  /** Its children and hash are for the caller. */
  addInner(bits: number, label: Uint8Array, born: number): NodeRef {
    const id = this.#inners.take(nextInner);
    const page = this.#inners.of(id);
    const at = id & inPage;
    page.left[at] = 0;
    page.right[at] = 0;
    page.born[at] = born;
    page.bits[at] = bits;
    page.stale[at] = 1;
    page.label.set(label, at32(id));
    return id;
  }

  /** A copy to be written to; its hash is stale. */
  copyInner(ref: NodeRef, born: number): NodeRef {
    const copy = this.addInner(this.bits(ref), this.label(ref), born);
    this.setChild(copy, 0, this.child(ref, 0));
    this.setChild(copy, 1, this.child(ref, 1));
    return copy;
  }

  free(ref: NodeRef): void {
    if (ref < 0) this.#leaves.give(-ref, chainLeaf);
    else this.#inners.give(ref, chainInner);
  }

  born(ref: NodeRef): number {
    const page = ref < 0 ? this.#leaves.of(-ref) : this.#inners.of(ref);
    return page.born[Math.abs(ref) & inPage] ?? 0;
  }

  /** Of a leaf; a view. */
  index(ref: NodeRef): Uint8Array {
    return this.#leaves.of(-ref).index.subarray(at32(-ref), at32(-ref) + 32);
  }

  value(ref: NodeRef): Uint8Array {
    return this.#leaves.of(-ref).value.subarray(at32(-ref), at32(-ref) + 32);
  }

  setValue(ref: NodeRef, value: Uint8Array): void {
    this.#leaves.of(-ref).value.set(value, at32(-ref));
  }

  /** Of an inner node, as all that follows. */
  bits(ref: NodeRef): number {
    return this.#inners.of(ref).bits[ref & inPage] ?? 0;
  }

  child(ref: NodeRef, side: number): NodeRef {
    const page = this.#inners.of(ref);
    return (side === 0 ? page.left : page.right)[ref & inPage] ?? 0;
  }

  setChild(ref: NodeRef, side: number, child: NodeRef): void {
    const page = this.#inners.of(ref);
    (side === 0 ? page.left : page.right)[ref & inPage] = child;
  }

  label(ref: NodeRef): Uint8Array {
    return this.#inners.of(ref).label.subarray(at32(ref), at32(ref) + 32);
  }

  isStale(ref: NodeRef): boolean {
    return this.#inners.of(ref).stale[ref & inPage] === 1;
  }

  setStale(ref: NodeRef): void {
    this.#inners.of(ref).stale[ref & inPage] = 1;
  }

  hash(ref: NodeRef): Uint8Array {
    return this.#inners.of(ref).hash.subarray(at32(ref), at32(ref) + 32);
  }

  setHash(ref: NodeRef, hash: Uint8Array): void {
    const page = this.#inners.of(ref);
    page.hash.set(hash, at32(ref));
    page.stale[ref & inPage] = 0;
  }
}
