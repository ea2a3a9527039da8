/**
 * A log as files that never change: 256 hashes or 256 entries each. docs/protocol/transparency.md §2.6, c2sp.org/tlog-tiles
 *
 *     tile/<L>/<N>[.p/<W>]         hashes of level 8·L, numbers 256·N to 256·N + W, each 32 bytes
 *     tile/entries/<N>[.p/<W>]     as many entries, each u16 length ‖ bytes
 *
 * N is written in groups of three digits, all but the last with an `x` before them; `.p/<W>` says that fewer
 * than 256 are there yet.
 */
import { equal } from '../crypto/primitives.ts';
import { Reader, Writer } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { parseDecimal } from './checkpoint.ts';
import { TransparencyFault } from './transparency-fault.ts';
import { nodeHash } from './tree.ts';
import { type HashReader, rootAt } from './tree-proofs.ts';

export const tileHeight = 8;
export const tileWidth = 256;

export interface Tile {
  /** 0 to 63: of the hashes in it, in steps of 8 levels of the tree. */
  level: number | 'entries';
  index: number;
  /** 1 to 256. */
  width: number;
}

/** Below the log's prefix, without a slash in front. Throws `malformed` for what is no tile. */
export function tilePath({ level, index, width }: Tile): string {
  const levels = level === 'entries' || (isCount(level) && level <= 63);
  if (!levels || !isCount(index) || !isCount(width) || width < 1 || width > tileWidth) {
    throw new Fault('malformed');
  }
  const digits = String(index);
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, '0').match(/.{3}/g) ?? [];
  const path = groups.map((group, i) => (i < groups.length - 1 ? `x${group}` : group)).join('/');
  return `tile/${level}/${path}${width < tileWidth ? `.p/${width}` : ''}`;
}

const pathForm =
  /^tile\/(entries|[0-9]{1,2})\/((?:x[0-9]{3}\/){0,5}[0-9]{3})(?:\.p\/([0-9]{1,3}))?$/;

/** Throws `malformed` for every path that `tilePath` does not write. */
export function parseTilePath(path: string): Tile {
  const [, where = '', groups = '', partial] = pathForm.exec(path) ?? [];
  const level: Tile['level'] | undefined = where === 'entries' ? 'entries' : parseDecimal(where);
  const index = Number(groups.replaceAll(/[x/]/g, ''));
  const width = partial === undefined ? tileWidth : Number(partial);
  if (level === undefined) throw new Fault('malformed');
  const tile = { level, index, width };
  // Leading zeroes and `.p/256` would be second names of one tile.
  if (tilePath(tile) !== path) throw new Fault('malformed');
  return tile;
}

const isCount = (n: number): boolean => Number.isSafeInteger(n) && n >= 0;

/** How many hashes or entries a tile has in the log of `size`: 0 where there is no such tile, 256 where it is full. */
export function widthIn(size: number, level: Tile['level'], index: number): number {
  const hashes = level === 'entries' ? size : Math.floor(size / tileWidth ** level);
  return Math.max(0, Math.min(tileWidth, hashes - index * tileWidth));
}

/** Whether a log of `size` has, or had on its way there, this tile. */
export const existsIn = (size: number, { level, index, width }: Tile): boolean =>
  width >= 1 && width <= widthIn(size, level, index);

/**
 * The hashes of a tile. A full tile may stand for a partial one, of which it is the continuation.
 * Throws `malformed` where their number is neither.
 */
export function tileHashes(bytes: Uint8Array, width: number): Uint8Array[] {
  const count = bytes.length / 32;
  if (count !== width && count !== tileWidth) throw new Fault('malformed');
  return Array.from({ length: width }, (_, i) => bytes.subarray(i * 32, i * 32 + 32));
}

/** The hash over 1, 2, 4, … 256 hashes that lie side by side. */
function nodeOver(hashes: readonly Uint8Array[]): Uint8Array {
  const [first] = hashes;
  if (first === undefined) throw new Fault('malformed');
  const half = hashes.length / 2;
  return half < 1 ? first : nodeHash(nodeOver(hashes.slice(0, half)), nodeOver(hashes.slice(half)));
}

/** Answers the bytes below a path that `tilePath` writes; a full tile is as good as the partial one asked for. */
export type FetchTile = (path: string, tile: Tile) => Promise<Uint8Array>;

/** Full tiles of the lowest level that a reader keeps; all others are kept. 16 are 128 kB. */
const keptTiles = 16;

type Tiles = (level: number, index: number) => Promise<readonly Uint8Array[]>;

/**
 * Loads each tile once, as long as it is kept; a failure is not kept. A partial tile stays: what was followed up to
 * the root of it is what was loaded then, and a second copy may be another.
 */
function kept(size: number, load: Tiles): Tiles {
  const tiles = new Map<string, Promise<readonly Uint8Array[]>>();
  const lowest: string[] = [];
  return (level, index) => {
    const name = `${level}/${index}`;
    const known = tiles.get(name);
    if (known !== undefined) return known;
    const loading = load(level, index);
    tiles.set(name, loading);
    loading.catch(() => tiles.delete(name));
    const isFull = level === 0 && widthIn(size, level, index) === tileWidth;
    if (isFull && lowest.push(name) > keptTiles) tiles.delete(lowest.shift() ?? '');
    return loading;
  };
}

function loader(size: number, fetch: FetchTile): Tiles {
  return async (level, index) => {
    const tile = { level, index, width: widthIn(size, level, index) };
    return tileHashes(await fetch(tilePath(tile), tile), tile.width);
  };
}

/** Reads hashes of subtrees out of tiles; refuses those that the log of `size` does not have. */
function reader(size: number, tiles: Tiles): HashReader {
  return async (level, index) => {
    if (!isCount(level) || !isCount(index) || (index + 1) * 2 ** level > size) {
      throw new Fault('malformed');
    }
    const tileLevel = Math.floor(level / tileHeight);
    const span = 2 ** (level % tileHeight);
    const hashes = await tiles(tileLevel, Math.floor((index * span) / tileWidth));
    const first = (index * span) % tileWidth;
    return nodeOver(hashes.slice(first, first + span));
  };
}

/** Hashes as the tiles have them: for tiles of one's own. */
export const readerFromTiles = (size: number, fetch: FetchTile): HashReader =>
  reader(size, kept(size, loader(size, fetch)));

/**
 * Hashes of the log of `size` and `root`, out of tiles of somebody who may lie: none is answered before it has
 * been followed up to the root. A reading throws `inclusion_invalid` where that fails, `malformed` where a tile
 * has no form, and what `fetch` throws.
 */
export function tileReader(
  { size, root }: { size: number; root: Uint8Array },
  fetch: FetchTile,
): HashReader {
  const unchecked = kept(size, loader(size, fetch));
  let edge: Promise<void> | undefined;
  const atEdge = async () => {
    // The partial tiles hold all that the root is made of, and nothing else.
    if (!equal(await rootAt(size, reader(size, unchecked)), root)) {
      throw new TransparencyFault('inclusion_invalid');
    }
  };
  const checked: Tiles = kept(size, async (level, index) => {
    const hashes = await unchecked(level, index);
    if (hashes.length < tileWidth) {
      edge ??= atEdge().catch((error: unknown) => {
        edge = undefined;
        throw error;
      });
      await edge;
      return hashes;
    }
    const above = await checked(level + 1, Math.floor(index / tileWidth));
    const named = above[index % tileWidth];
    if (named === undefined || !equal(nodeOver(hashes), named)) {
      throw new TransparencyFault('inclusion_invalid');
    }
    return hashes;
  });
  return reader(size, checked);
}

/** Entries of one bundle. Throws `too_large` for one above 65,535 bytes, `malformed` for none or more than 256. */
export function encodeEntries(entries: readonly Uint8Array[]): Uint8Array {
  if (entries.length < 1 || entries.length > tileWidth) throw new Fault('malformed');
  const writer = new Writer();
  for (const entry of entries) writer.var16(entry);
  return writer.done();
}

/** The first `width` entries of a bundle; a full bundle may stand for a partial one. Throws `truncated`, `trailing_bytes`. */
export function decodeEntries(bytes: Uint8Array, width: number): Uint8Array[] {
  const input = new Reader(bytes);
  const entries: Uint8Array[] = [];
  while (entries.length < width || (input.left > 0 && entries.length < tileWidth)) {
    entries.push(input.var16());
  }
  input.end();
  if (entries.length !== width && entries.length !== tileWidth) throw new Fault('trailing_bytes');
  return entries.slice(0, width);
}
