/**
 * The hashes of the log's tree, in tiles of 256 leaves or of 256 tiles below (log-tile.ts).
 * docs/protocol/transparency.md §6
 *
 * Invariant: whoever reads below the size that they know reads what stays.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { TransparencyFault } from '@island/protocol/transparency/transparency-fault.ts';
import { leafHash } from '@island/protocol/transparency/tree.ts';
import {
  type HashReader,
  inclusionParts,
  joinSubtrees,
  type Subtree,
} from '@island/protocol/transparency/tree-proofs.ts';
import type { Statements } from '../../kit/store-handle.ts';
import type { DirectoryStore } from '../database.ts';
import {
  cut,
  type GrownTile,
  hashesOf,
  levels,
  offsetOf,
  push,
  type Tail,
  tailOf,
  width,
} from './log-tile.ts';
import { newestKept } from './newest-kept.ts';

/** Between two turns of the event loop: 5 µs each. */
const entriesPerTurn = 128;
/** 16 kB each: those above the lowest, and the last. */
const mostTiles = 256;

const nameOf = (level: number, tile: number): number => level * 2 ** 48 + tile;

/** The tree with more leaves, not stored yet. */
export interface GrownTree {
  size: number;
  read: HashReader;
  tiles: readonly GrownTile[];
}

export interface LogHashes {
  /** Throws `inclusion_invalid` for what is not there. */
  read: HashReader;
  /** Proofs that entries are in the log of this size, with one question to the database for all of them. */
  inclusions(indices: readonly number[], size: number): Promise<Uint8Array[][]>;
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
    const { tileLevel, tile, at } = placeOf(level, index);
    const hashes = await bytesOf(tileLevel, tile, at + 32);
    return hashes.subarray(at, at + 32);
  };

  /** What is kept is read in the same turn: a proof is dozens of hashes. */
  async function readAll(subtrees: readonly Subtree[]): Promise<Uint8Array[]> {
    const read: Uint8Array[] = [];
    for (const { level, index } of subtrees) {
      const { tileLevel, tile, at } = placeOf(level, index);
      const known = kept.get(nameOf(tileLevel, tile));
      const hashes =
        known !== undefined && known.length >= at + 32
          ? known
          : await bytesOf(tileLevel, tile, at + 32);
      read.push(hashes.subarray(at, at + 32));
    }
    return read;
  }

  /** The hashes of many subtrees at the end of a log are the same for all of its entries. */
  const ends = { size: 0, hashes: new Map<number, Uint8Array>() };

  async function joined(parts: readonly Subtree[], size: number): Promise<Uint8Array> {
    const [{ level, index } = { level: 0, index: 0 }] = parts;
    const start = index * 2 ** level;
    if (ends.size !== size) {
      ends.size = size;
      ends.hashes.clear();
    }
    const known = parts.length > 1 ? ends.hashes.get(start) : undefined;
    if (known !== undefined) return known;
    const hash = joinSubtrees(await readAll(parts));
    if (parts.length > 1 && ends.size === size) ends.hashes.set(start, hash);
    return hash;
  }

  return {
    read,
    async inclusions(indices, size) {
      // In a tile that is full the way up is the same eight places: the tile itself need not be had.
      const inFull = (index: number) => Math.floor(index / width) < Math.floor(size / width);
      const below = await siblings(store, indices.filter(inFull));
      const proofs: Uint8Array[][] = [];
      for (const index of indices) {
        const proof = inFull(index) ? (below.shift() ?? []) : [];
        for (const parts of inclusionParts(index, size).slice(proof.length)) {
          const [one] = parts.length === 1 ? await readAll(parts) : [];
          proof.push(one ?? (await joined(parts, size)));
        }
        proofs.push(proof);
      }
      return proofs;
    },
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
          const { tileLevel, tile, at } = placeOf(level, index);
          return overlay.get(nameOf(tileLevel, tile))?.subarray(at, at + 32) ?? read(level, index);
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

/** The tile that has a hash, and where. */
function placeOf(level: number, index: number) {
  const inner = level % levels;
  const inTile = 2 ** (levels - inner);
  return {
    tileLevel: (level - inner) / levels,
    tile: Math.floor(index / inTile),
    at: offsetOf(inner, index % inTile),
  };
}

const siblingsOfOne = `SELECT cast(${Array(levels).fill('substr(hashes, ?, 32)').join(' || ')} AS blob) AS hashes
  FROM log_tiles WHERE level = 0 AND tile = ?`;

/** Of leaves in full tiles, what proves each in its tile: 256 bytes out of 16 kB. */
async function siblings(store: DirectoryStore, leaves: readonly number[]): Promise<Uint8Array[][]> {
  if (leaves.length === 0) return [];
  const rows = await store.rows<{ hashes: Uint8Array } & Record<string, unknown>>(
    leaves.map(() => siblingsOfOne).join(' UNION ALL '),
    leaves.flatMap((leaf) => [
      ...levelsOfTile.map((inner) => 1 + offsetOf(inner, ((leaf % width) >> inner) ^ 1)),
      Math.floor(leaf / width),
    ]),
  );
  if (rows.length !== leaves.length || rows.some(({ hashes }) => hashes.length !== levels * 32))
    throw new TransparencyFault('inclusion_invalid');
  return rows.map(({ hashes }) =>
    levelsOfTile.map((inner) => hashes.subarray(inner * 32, inner * 32 + 32)),
  );
}

const levelsOfTile = Array.from({ length: levels }, (_, inner) => inner);
