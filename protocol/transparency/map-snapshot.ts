/**
 * Maps as they were: what a snapshot sees stays until nobody needs it. docs/protocol/transparency.md §4.3
 *
 * Invariant: a node that the map did without in some version is given back when no snapshot of an earlier one is left.
 */
import { Fault } from '../wire/fault.ts';
import type { MapNodes, NodeRef } from './map-nodes.ts';

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

/** A snapshot that is not given back. */
interface Held {
  readonly snapshot: MapSnapshot;
  readonly version: number;
  readonly top: NodeRef;
  holders: number;
  released: boolean;
}

/** Nodes that the map of this version did without; snapshots of earlier versions may see them. */
interface Retired {
  version: number;
  refs: NodeRef[];
}

export class MapSnapshots {
  readonly #nodes: MapNodes;
  /** Ascending, as what was retired. */
  readonly #held: Held[] = [];
  #retired: Retired[] = [];

  constructor(nodes: MapNodes) {
    this.#nodes = nodes;
  }

  add(version: number, top: NodeRef, snapshot: MapSnapshot): void {
    this.#held.push({ snapshot, version, top, holders: 0, released: false });
  }

  /** Throws `internal` for one that was given back: its nodes may be others by now. */
  find(snapshot: MapSnapshot): Held {
    const held = this.#held.find((each) => each.snapshot === snapshot);
    if (held === undefined) throw new Fault('internal');
    return held;
  }

  /** As `find`; also where it is not the newest. */
  newest(snapshot: MapSnapshot): Held {
    const held = this.find(snapshot);
    if (held !== this.#held.at(-1)) throw new Fault('internal');
    return held;
  }

  hold(snapshot: MapSnapshot): Disposable {
    const held = this.find(snapshot);
    held.holders += 1;
    return {
      [Symbol.dispose]: () => {
        held.holders -= 1;
        if (held.holders === 0 && held.released) this.#giveBack(held);
      },
    };
  }

  release(snapshot: MapSnapshot): void {
    const held = this.find(snapshot);
    if (held.released) throw new Fault('internal');
    held.released = true;
    if (held.holders === 0) this.#giveBack(held);
  }

  #giveBack(held: Held): void {
    this.#held.splice(this.#held.indexOf(held), 1);
    const oldest = this.#held[0]?.version ?? Number.POSITIVE_INFINITY;
    const kept = this.#retired.findIndex(({ version }) => version > oldest);
    const gone = this.#retired.splice(0, kept < 0 ? this.#retired.length : kept);
    for (const { refs } of gone) for (const ref of refs) this.#nodes.free(ref);
  }

  /** The map of this version goes on without the node. */
  retire(ref: NodeRef, version: number): void {
    const newest = this.#held.at(-1);
    if (newest === undefined || newest.version < this.#nodes.born(ref)) {
      this.#nodes.free(ref);
      return;
    }
    const last = this.#retired.at(-1);
    if (last?.version === version) last.refs.push(ref);
    else this.#retired.push({ version, refs: [ref] });
  }

  /** Takes back that nodes were retired after a version, which has those that were there before. */
  forget(after: number): void {
    for (const { version, refs } of this.#retired) {
      if (version <= after) continue;
      for (const ref of refs) if (this.#nodes.born(ref) > after) this.#nodes.free(ref);
    }
    this.#retired = this.#retired.filter(({ version }) => version <= after);
  }
}
