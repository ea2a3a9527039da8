/**
 * The map itself, in memory: values by index, its root, and proofs. docs/protocol/transparency.md §4.3
 *
 * What a snapshot sees is never written to: a node that was made in an earlier version is copied, with the nodes
 * above it, before it changes, and given back once no snapshot sees it. Hashes are made when a root or a proof is
 * asked for, once for everything that was set since.
 */
import { equal, sha256Into } from '../crypto/primitives.ts';
import { Fault } from '../wire/fault.ts';
import { MapNodes, type NodeRef } from './map-nodes.ts';
import {
  bitOf,
  commonBits,
  emptyHashes,
  encodeMapProof,
  indexBits,
  type MapStep,
  mapProofKinds,
  putPrefix,
} from './map-proof.ts';

/** A map as it was; readable until it is released. */
export interface MapSnapshot {
  readonly root: Uint8Array;
  /** Indices that have a value. */
  readonly count: number;
  /** The encoded proof of what is, or is not, at `index`. */
  prove(index: Uint8Array): Uint8Array;
  /** Until what this gives is disposed of the snapshot can be read, also when it is released meanwhile. */
  hold(): Disposable;
}

export interface LabelMap {
  readonly root: Uint8Array;
  readonly count: number;
  /** Nodes that the map and its snapshots hold: about 73 bytes each. */
  readonly nodes: number;
  /** Both 32 bytes. */
  set(index: Uint8Array, value: Uint8Array): void;
  prove(index: Uint8Array): Uint8Array;
  /** Makes at most so many hashes of nodes ahead of the root; whether all are made. For work that is done in turns. */
  hashSome(most: number): boolean;
  snapshot(): MapSnapshot;
  /**
   * Gives back what nobody but this snapshot saw, as soon as nobody holds it. Asked after that, it throws `internal`:
   * its nodes may be others by then.
   */
  release(snapshot: MapSnapshot): void;
  /** Makes the map what the newest snapshot that is not released has: for a change that could not be stored. */
  revert(snapshot: MapSnapshot): void;
}

/** Writes the hash of `bytes` into `into` at `at`; `bytes` may be part of `into`. */
export type HashInto = (bytes: Uint8Array, into: Uint8Array, at: number) => void;

/** `hash`: for known answers of the same trie over another function. */
export function createMap(hash: HashInto = sha256Into): LabelMap {
  return new Trie(hash);
}

interface Held extends MapSnapshot {
  version: number;
  top: NodeRef;
  holders: number;
  released: boolean;
}

/** Nodes that the map of this version did without; snapshots of earlier versions may see them. */
interface Retired {
  version: number;
  refs: NodeRef[];
}

class Trie implements LabelMap {
  readonly #nodes = new MapNodes();
  readonly #hash: HashInto;
  readonly #empty: { root: Uint8Array; child: Uint8Array };
  /** What is being hashed: nothing is made anew for a node. */
  readonly #labelled = new Uint8Array(36);
  readonly #leaf = new Uint8Array(64);
  readonly #pair = new Uint8Array(64);
  /** Ascending. */
  readonly #held: Held[] = [];
  /** Ascending. */
  #retired: Retired[] = [];
  #version = 1;
  #top: NodeRef;
  #count = 0;

  constructor(hash: HashInto) {
    this.#hash = hash;
    this.#empty = emptyHashes((bytes) => {
      const out = new Uint8Array(32);
      hash(bytes, out, 0);
      return out;
    });
    this.#top = this.#inner(new Uint8Array(32), 0);
  }

  get count(): number {
    return this.#count;
  }

  get nodes(): number {
    return this.#nodes.used;
  }

  get root(): Uint8Array {
    this.#refresh(this.#top);
    return this.#hashOf(this.#top);
  }

  set(index: Uint8Array, value: Uint8Array): void {
    if (index.length !== 32 || value.length !== 32) throw new Fault('malformed');
    const nodes = this.#nodes;
    const found = this.#nearest(this.#top, index);
    const alike = found === 0 ? 0 : commonBits(index, nodes.index(found));
    if (alike === indexBits && equal(nodes.value(found), value)) return;
    if (alike < indexBits) this.#count++;

    this.#top = this.#own(this.#top);
    let parent = this.#top;
    for (;;) {
      const side = bitOf(index, nodes.bits(parent));
      const child = nodes.child(parent, side);
      if (child > 0 && nodes.bits(child) < alike) {
        const own = this.#own(child);
        nodes.setChild(parent, side, own);
        parent = own;
      } else {
        nodes.setChild(parent, side, this.#placed(child, alike, index, value));
        return;
      }
    }
  }

  /** What stands in the place of `child` once the value is in: the leaf, or a node above both. */
  #placed(child: NodeRef, alike: number, index: Uint8Array, value: Uint8Array): NodeRef {
    const nodes = this.#nodes;
    if (alike === indexBits) {
      if (nodes.born(child) === this.#version) {
        nodes.setValue(child, value);
        return child;
      }
      this.#retire(child);
    }
    const leaf = nodes.addLeaf(index, value, this.#version);
    if (child === 0 || alike === indexBits) return leaf;
    const fork = this.#inner(index, alike);
    const side = bitOf(index, alike);
    nodes.setChild(fork, side, leaf);
    nodes.setChild(fork, 1 - side, child);
    return fork;
  }

  /** A node without children yet, above those whose indices begin with `bits` bits of this one. */
  #inner(index: Uint8Array, bits: number): NodeRef {
    this.#hashLabel(index, bits, this.#leaf, 0);
    return this.#nodes.addInner(bits, this.#leaf.subarray(0, 32), this.#version);
  }

  /** The leaf that the bits of `index` lead to, or 0 on the empty side of the root. */
  #nearest(top: NodeRef, index: Uint8Array): NodeRef {
    let ref = top;
    while (ref > 0) ref = this.#nodes.child(ref, bitOf(index, this.#nodes.bits(ref)));
    return ref;
  }

  /** The node itself, or a copy if a snapshot may see it; in either case its hash is no longer true. */
  #own(ref: NodeRef): NodeRef {
    if (this.#nodes.born(ref) === this.#version) {
      this.#nodes.setStale(ref);
      return ref;
    }
    const copy = this.#nodes.copyInner(ref, this.#version);
    this.#retire(ref);
    return copy;
  }

  #retire(ref: NodeRef): void {
    const newest = this.#held.at(-1);
    if (newest === undefined || newest.version < this.#nodes.born(ref)) {
      this.#nodes.free(ref);
      return;
    }
    const last = this.#retired.at(-1);
    if (last?.version === this.#version) last.refs.push(ref);
    else this.#retired.push({ version: this.#version, refs: [ref] });
  }

  snapshot(): MapSnapshot {
    const { root, count } = this;
    const top = this.#top;
    const held: Held = {
      ...{ root, count, top, version: this.#version++, holders: 0, released: false },
      prove: (index) => {
        this.#place(held);
        return this.#prove(top, index);
      },
      hold: () => this.#hold(held),
    };
    this.#held.push(held);
    return held;
  }

  #place(snapshot: MapSnapshot): number {
    const at = this.#held.indexOf(snapshot as Held);
    if (at < 0) throw new Fault('internal');
    return at;
  }

  release(snapshot: MapSnapshot): void {
    const held = this.#held[this.#place(snapshot)];
    if (held === undefined || held.released) throw new Fault('internal');
    held.released = true;
    if (held.holders === 0) this.#giveBack(held);
  }

  #hold(held: Held): Disposable {
    this.#place(held);
    held.holders += 1;
    return {
      [Symbol.dispose]: () => {
        held.holders -= 1;
        if (held.holders === 0 && held.released) this.#giveBack(held);
      },
    };
  }

  #giveBack(held: Held): void {
    this.#held.splice(this.#place(held), 1);
    const oldest = this.#held[0]?.version ?? this.#version;
    const kept = this.#retired.findIndex(({ version }) => version > oldest);
    const gone = this.#retired.splice(0, kept < 0 ? this.#retired.length : kept);
    for (const { refs } of gone) for (const ref of refs) this.#nodes.free(ref);
  }

  revert(snapshot: MapSnapshot): void {
    const held = this.#held[this.#place(snapshot)];
    if (held === undefined || held !== this.#held.at(-1)) throw new Fault('internal');
    this.#forget(this.#top, held.version);
    for (const { version, refs } of this.#retired) {
      if (version <= held.version) continue;
      for (const ref of refs) if (this.#nodes.born(ref) > held.version) this.#nodes.free(ref);
    }
    this.#retired = this.#retired.filter(({ version }) => version <= held.version);
    this.#top = held.top;
    this.#count = held.count;
  }

  /** Gives back the nodes below that were made after a version: above an older one there is none. */
  #forget(ref: NodeRef, version: number): void {
    if (ref === 0 || this.#nodes.born(ref) <= version) return;
    if (ref > 0) {
      this.#forget(this.#nodes.child(ref, 0), version);
      this.#forget(this.#nodes.child(ref, 1), version);
    }
    this.#nodes.free(ref);
  }

  prove(index: Uint8Array): Uint8Array {
    return this.#prove(this.#top, index);
  }

  #prove(top: NodeRef, index: Uint8Array): Uint8Array {
    if (index.length !== 32) throw new Fault('malformed');
    this.#refresh(top);
    const nodes = this.#nodes;
    const found = this.#nearest(top, index);
    const alike = found === 0 ? 0 : commonBits(index, nodes.index(found));
    const path: MapStep[] = [];
    let ref = top;
    while (ref > 0 && (path.length === 0 || nodes.bits(ref) <= alike)) {
      const bits = nodes.bits(ref);
      const side = bitOf(index, bits);
      path.push({ bits, sibling: this.#hashOf(nodes.child(ref, 1 - side)) });
      ref = nodes.child(ref, side);
    }
    if (alike === indexBits) return encodeMapProof({ kind: mapProofKinds.member, path });
    if (ref === 0) {
      const nothing = nodes.child(top, 0) === 0 && nodes.child(top, 1) === 0;
      return encodeMapProof({ kind: mapProofKinds.empty, path: nothing ? [] : path });
    }
    const bits = ref < 0 ? indexBits : nodes.bits(ref);
    const prefix = new Uint8Array(32);
    putPrefix(prefix, 0, nodes.index(found), bits);
    if (ref > 0) this.#hashChildren(ref);
    const other = { bits, prefix, value: ref < 0 ? nodes.value(ref) : this.#pair.subarray(0, 32) };
    return encodeMapProof({ kind: mapProofKinds.other, path, other });
  }

  /** H( u32 bits ‖ prefix 32 ). */
  #hashLabel(index: Uint8Array, bits: number, into: Uint8Array, at: number): void {
    const labelled = this.#labelled;
    labelled[2] = bits >> 8;
    labelled[3] = bits & 0xff;
    putPrefix(labelled, 4, index, bits);
    this.#hash(labelled, into, at);
  }

  /** H( left ‖ right ) of an inner node whose children are fresh, into the first half of `#pair`. */
  #hashChildren(ref: NodeRef): void {
    this.#putHash(this.#nodes.child(ref, 0), this.#pair, 0);
    this.#putHash(this.#nodes.child(ref, 1), this.#pair, 32);
    this.#hash(this.#pair, this.#pair, 0);
  }

  hashSome(most: number): boolean {
    this.#refresh(this.#top, most);
    return !this.#nodes.isStale(this.#top);
  }

  /** Makes every hash from here down what it should be, as long as there is any of `most` left: that is the result. */
  #refresh(ref: NodeRef, most = Number.POSITIVE_INFINITY): number {
    const nodes = this.#nodes;
    // Without the first condition a turn would go through all that is left for later.
    if (most <= 0 || ref <= 0 || !nodes.isStale(ref)) return most;
    const [left, right] = [nodes.child(ref, 0), nodes.child(ref, 1)];
    const rest = this.#refresh(right, this.#refresh(left, most));
    if (rest <= 0) return 0;
    if (left === 0 && right === 0) {
      this.#pair.set(this.#empty.root);
    } else {
      this.#hashChildren(ref);
      this.#pair.set(nodes.label(ref), 32);
      this.#hash(this.#pair, this.#pair, 0);
    }
    nodes.setHash(ref, this.#pair.subarray(0, 32));
    return rest - 1;
  }

  /** The hash of a node that is fresh. */
  #putHash(ref: NodeRef, into: Uint8Array, at: number): void {
    const nodes = this.#nodes;
    if (ref > 0) into.set(nodes.hash(ref), at);
    else if (ref === 0) into.set(this.#empty.child, at);
    else {
      this.#leaf.set(nodes.value(ref));
      this.#hashLabel(nodes.index(ref), indexBits, this.#leaf, 32);
      this.#hash(this.#leaf, into, at);
    }
  }

  #hashOf(ref: NodeRef): Uint8Array {
    const out = new Uint8Array(32);
    this.#putHash(ref, out, 0);
    return out;
  }
}
