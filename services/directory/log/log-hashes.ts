/**
 * The hashes of the log's tree: every complete subtree, once, in tiles of 256 leaves or of 256 tiles below.
 * docs/protocol/transparency.md §6
 *
 *     tile = the hashes of its subtrees in the order in which they became complete: hash 0, hash 1, the node over
 *            both, hash 2, …; 8 levels, the node over all 256 is the tile's hash in the level above
 *
 * Invariant: a tile only grows at its end. So whoever reads below the size that they know reads what stays.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { TransparencyFault } from '@island/protocol/transparency/transparency-fault.ts';
import { leafHash, nodeHash } from '@island/protocol/transparency/tree.ts';
import type { HashReader } from '@island/protocol/transparency/tree-proofs.ts';
import type { Statements } from '../../kit/store-handle.ts';
import type { DirectoryStore } from '../database.ts';
import { newestKept } from './newest-kept.ts';

const width = 256;
const levels = 8;
/** Between two turns of the event loop: 5 µs each. */
const entriesPerTurn = 256;
/** 16 kB each. */
const mostTiles = 2048;

/** Hashes of a tile with `count` leaves. */
const hashesOf = (count: number): number => {
  let hashes = 0;
  for (let left = count; left > 0; left >>= 1) hashes += left;
  // Of 256 the one over all of them lies in the tile above.
  return count === width ? hashes - 1 : hashes;
};

/** Where hash `index` of `level` (0 to 7) lies within its tile, bytes. */
const offsetOf = (level: number, index: number): number =>
  32 * (hashesOf((index + 1) * 2 ** level - 1) + level);

const nameOf = (level: number, tile: number): number => level * 2 ** 48 + tile;

export interface GrownTile {
  level: number;
  tile: number;
  hashes: Uint8Array;
}

/** The tree with more leaves, not stored yet. */
export interface GrownTree {
  size: number;
  read: HashReader;
  tiles: readonly GrownTile[];
}

export interface LogHashes {
  /** Throws `inclusion_invalid` for what is not there. */
  read: HashReader;
  /** Of hashes `256 × tile` onwards of level `8 × level`, the first so many. */
  tile(level: number, tile: number, count: number): Promise<Uint8Array>;
  /** @param entries behind the first `size` */
  grow(size: number, entries: readonly Uint8Array[]): Promise<GrownTree>;
  store(sql: Statements, tree: GrownTree): Promise<void>;
  /** Once it is stored. */
  keep(tree: GrownTree): void;
}

export function openLogHashes(store: DirectoryStore): LogHashes {
  const kept = newestKept<Uint8Array>(mostTiles);
  const loading = new Map<number, Promise<Uint8Array>>();

  async function load(level: number, tile: number): Promise<Uint8Array> {
    const [row] = await store.rows('SELECT hashes FROM log_tiles WHERE level = ? AND tile = ?', [
      level,
      tile,
    ]);
    const found = row?.['hashes'];
    const hashes = found instanceof Uint8Array ? found : new Uint8Array(0);
    // Another one may have come while this was being read: the longer one is the newer.
    const other = kept.get(nameOf(level, tile));
    if (other !== undefined && other.length >= hashes.length) return other;
    kept.set(nameOf(level, tile), hashes);
    return hashes;
  }

  /** The hashes of one proof lie in the same few tiles: each is read once. */
  function loadOnce(level: number, tile: number): Promise<Uint8Array> {
    const name = nameOf(level, tile);
    const under = loading.get(name);
    if (under !== undefined) return under;
    const question = load(level, tile).finally(() => loading.delete(name));
    loading.set(name, question);
    return question;
  }

  async function bytesOf(level: number, tile: number, least: number): Promise<Uint8Array> {
    const known = kept.get(nameOf(level, tile));
    if (known !== undefined && known.length >= least) return known;
    let hashes = await loadOnce(level, tile);
    // What was being read may be from before the last epoch.
    if (hashes.length < least) hashes = await load(level, tile);
    if (hashes.length < least) throw new TransparencyFault('inclusion_invalid');
    return hashes;
  }

  const read: HashReader = async (level, index) => {
    const inner = level % levels;
    const inTile = 2 ** (levels - inner);
    const at = offsetOf(inner, index % inTile);
    const hashes = await bytesOf((level - inner) / levels, Math.floor(index / inTile), at + 32);
    return hashes.subarray(at, at + 32);
  };

  return {
    read,
    async tile(level, tile, count) {
      const hashes = await bytesOf(level, tile, 32 * hashesOf(count));
      const flat = new Uint8Array(32 * count);
      for (let i = 0; i < count; i++) {
        const at = offsetOf(0, i);
        flat.set(hashes.subarray(at, at + 32), 32 * i);
      }
      return flat;
    },
    async grow(size, entries) {
      const tails: Tail[] = [];
      for (let level = 0, count = size; count > 0; level++, count = Math.floor(count / width)) {
        const [tile, has] = [Math.floor(count / width), count % width];
        const before =
          has === 0 ? new Uint8Array(0) : await bytesOf(level, tile, 32 * hashesOf(has));
        tails.push(tailOf(level, tile, has, before));
      }
      const full: GrownTile[] = [];
      for (const [i, entry] of entries.entries()) {
        push(tails, full, 0, leafHash(entry));
        if (i % entriesPerTurn === entriesPerTurn - 1) await turn();
      }
      const tiles = [...full, ...tails.filter(({ grown }) => grown).map(cut)];
      const overlay = new Map(tiles.map((tile) => [nameOf(tile.level, tile.tile), tile.hashes]));
      return {
        size: size + entries.length,
        tiles,
        async read(level, index) {
          const inner = level % levels;
          const inTile = 2 ** (levels - inner);
          const at = offsetOf(inner, index % inTile);
          const name = nameOf((level - inner) / levels, Math.floor(index / inTile));
          return overlay.get(name)?.subarray(at, at + 32) ?? read(level, index);
        },
      };
    },
    async store(sql, { tiles }) {
      for (const { level, tile, hashes } of tiles)
        await sql.run(
          `INSERT INTO log_tiles (level, tile, hashes) VALUES (?, ?, ?)
           ON CONFLICT (level, tile) DO UPDATE SET hashes = excluded.hashes`,
          [level, tile, hashes],
        );
    },
    keep({ tiles }) {
      for (const { level, tile, hashes } of tiles) kept.set(nameOf(level, tile), hashes);
    },
  };
}

/** The last tile of a level, with room to its end. */
interface Tail {
  level: number;
  tile: number;
  has: number;
  bytes: Uint8Array;
  grown: boolean;
}

const fullBytes = 32 * hashesOf(width);

function tailOf(level: number, tile: number, has: number, before: Uint8Array): Tail {
  const bytes = new Uint8Array(fullBytes);
  bytes.set(before.subarray(0, 32 * hashesOf(has)));
  return { level, tile, has, bytes, grown: false };
}

const cut = ({ level, tile, has, bytes }: Tail): GrownTile => {
  return { level, tile, hashes: bytes.subarray(0, 32 * hashesOf(has)) };
};

/** One hash more on a level, and every node that it completes; a tile that is full moves on. */
function push(tails: Tail[], full: GrownTile[], level: number, hash: Uint8Array): void {
  const tail = tails[level] ?? tailOf(level, 0, 0, new Uint8Array(0));
  tails[level] = tail;
  tail.grown = true;
  const number = tail.has;
  tail.has += 1;
  let at = 32 * hashesOf(number);
  let node = hash;
  let index = number;
  tail.bytes.set(node, at);
  for (let inner = 1; index % 2 === 1; inner++) {
    const left = offsetOf(inner - 1, index - 1);
    node = nodeHash(tail.bytes.subarray(left, left + 32), node);
    index = (index - 1) / 2;
    if (inner === levels) break;
    at += 32;
    tail.bytes.set(node, at);
  }
  if (tail.has < width) return;
  full.push(cut(tail));
  tails[level] = tailOf(level, tail.tile + 1, 0, new Uint8Array(0));
  push(tails, full, level + 1, node);
}
