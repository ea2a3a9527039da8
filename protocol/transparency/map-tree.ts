/**
 * The map itself, in memory: values by index, its root, and proofs. docs/protocol/transparency.md §4.3
 *
 * What a snapshot sees is never written to: a node that was made in an earlier version is copied, with the nodes
 * above it, before it changes, and given back once no snapshot sees it. Hashes are made when a root or a proof is
 * asked for, once for everything that was set since.
 */
import { equal, sha256Into } from '../crypto/primitives.ts';
import { Fault } from '../wire/fault.ts';
import { type HashInto, MapHashes } from './map-hashes.ts';
import { MapNodes, type NodeRef } from './map-nodes.ts';
import {
  bitOf,
  commonBits,
  encodeMapProof,
  indexBits,
  type MapStep,
  mapProofKinds,
  putPrefix,
} from './map-proof.ts';
import { type MapSnapshot, MapSnapshots } from './map-snapshot.ts';

export interface LabelMap {
  readonly root: Uint8Array;
  readonly count: number;
  /** Nodes that the map and its snapshots hold: about 74 bytes each. */
  readonly nodes: number;
  /** Both 32 bytes. */
  set(index: Uint8Array, value: Uint8Array): void;
  has(index: Uint8Array): boolean;
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

/** `hash`: for known answers of the same trie over another function. */
export function createMap(hash: HashInto = sha256Into): LabelMap {
  return new Trie(hash);
}

class Trie implements LabelMap {
  readonly #nodes = new MapNodes();
  readonly #hashes: MapHashes;
  readonly #snapshots = new MapSnapshots(this.#nodes);
  #version = 1;
  #top: NodeRef;
  #count = 0;

  constructor(hash: HashInto) {
    this.#hashes = new MapHashes(this.#nodes, hash);
    this.#top = this.#inner(new Uint8Array(32), 0);
  }

  get count(): number {
    return this.#count;
  }

  get nodes(): number {
    return this.#nodes.used;
  }

  get root(): Uint8Array {
    this.#hashes.refresh(this.#top);
    return this.#hashes.of(this.#top);
  }

  has(index: Uint8Array): boolean {
    const found = this.#nearest(this.#top, index);
    return found !== 0 && equal(this.#nodes.index(found), index);
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
      this.#snapshots.retire(child, this.#version);
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
    return this.#nodes.addInner(bits, this.#hashes.label(index, bits), this.#version);
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
    this.#snapshots.retire(ref, this.#version);
    return copy;
  }

  snapshot(): MapSnapshot {
    const { root, count } = this;
    const top = this.#top;
    const snapshot: MapSnapshot = {
      root,
      count,
      prove: (index) => {
        this.#snapshots.find(snapshot);
        return this.#prove(top, index);
      },
      hold: () => this.#snapshots.hold(snapshot),
    };
    this.#snapshots.add(this.#version++, top, snapshot);
    return snapshot;
  }

  release(snapshot: MapSnapshot): void {
    this.#snapshots.release(snapshot);
  }

  revert(snapshot: MapSnapshot): void {
    const { top, version } = this.#snapshots.newest(snapshot);
    this.#forget(this.#top, version);
    this.#snapshots.forget(version);
    this.#top = top;
    this.#count = snapshot.count;
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
    this.#hashes.refresh(top);
    const nodes = this.#nodes;
    const found = this.#nearest(top, index);
    const alike = found === 0 ? 0 : commonBits(index, nodes.index(found));
    const path: MapStep[] = [];
    let ref = top;
    while (ref > 0 && (path.length === 0 || nodes.bits(ref) <= alike)) {
      const bits = nodes.bits(ref);
      const side = bitOf(index, bits);
      path.push({ bits, sibling: this.#hashes.of(nodes.child(ref, 1 - side)) });
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
    const other = {
      bits,
      prefix,
      value: ref < 0 ? nodes.value(ref) : this.#hashes.ofChildren(ref),
    };
    return encodeMapProof({ kind: mapProofKinds.other, path, other });
  }

  hashSome(most: number): boolean {
    this.#hashes.refresh(this.#top, most);
    return !this.#nodes.isStale(this.#top);
  }
}
