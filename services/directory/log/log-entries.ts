/**
 * The entries of the log, in bundles of 256 as they are handed out. docs/protocol/transparency.md §6, c2sp.org/tlog-tiles
 *
 *     bundle = n × { u16 length ‖ entry }
 *
 * Invariant: a bundle only grows at its end.
 */
import type { Statements } from '../../kit/store-handle.ts';
import type { DirectoryStore } from '../database.ts';
import { newestKept } from './newest-kept.ts';

const width = 256;
/** 26 kB each, when they are full. */
const mostBundles = 64;
/** Of what is read from end to end. */
const bundlesPerPage = 32;

interface Bundle {
  bytes: Uint8Array;
  /** Where each entry begins, and where the last one ends. */
  ends: readonly number[];
}

export interface GrownEntries {
  bundles: readonly { bundle: number; bytes: Uint8Array }[];
}

export interface LogEntry {
  position: number;
  entry: Uint8Array;
}

export interface LogEntries {
  /** One entry, without its length. */
  entry(index: number): Promise<Uint8Array>;
  /** Of entries `256 × bundle` onwards the first so many. */
  bundle(bundle: number, count: number): Promise<Uint8Array>;
  /** Entries `from` to `to`, the last one first, in pages; entries are views. */
  backwards(from: number, to: number): AsyncIterable<readonly LogEntry[]>;
  grow(size: number, entries: readonly Uint8Array[]): Promise<GrownEntries>;
  store(sql: Statements, grown: GrownEntries): Promise<void>;
  /** Once it is stored. */
  keep(grown: GrownEntries): void;
}

export function openLogEntries(store: DirectoryStore): LogEntries {
  const kept = newestKept<Bundle>(mostBundles);

  /** With so many entries at least. */
  async function load(bundle: number, least: number): Promise<Bundle> {
    const known = kept.get(bundle);
    if (known !== undefined && known.ends.length > least) return known;
    const [row] = await store.rows('SELECT entries FROM log_bundles WHERE bundle = ?', [bundle]);
    const bytes = row?.['entries'];
    const found = opened(bytes instanceof Uint8Array ? bytes : new Uint8Array(0));
    if (found.ends.length <= least) throw new RangeError('an entry of the log is not there');
    const other = kept.get(bundle);
    // Another one may have come while this was being read: the longer one is the newer.
    if (other !== undefined && other.ends.length >= found.ends.length) return other;
    kept.set(bundle, found);
    return found;
  }

  return {
    async entry(index) {
      const at = index % width;
      const { bytes, ends } = await load(Math.floor(index / width), at + 1);
      // A copy: whoever keeps it does not keep the bundle.
      return Uint8Array.from(bytes.subarray((ends[at] ?? 0) + 2, ends[at + 1]));
    },
    async bundle(bundle, count) {
      const { bytes, ends } = await load(bundle, count);
      return bytes.subarray(0, ends[count]);
    },
    async *backwards(from, to) {
      for (let end = to; end > from; ) {
        const last = Math.floor((end - 1) / width);
        const least = Math.max(Math.floor(from / width), last + 1 - bundlesPerPage);
        const rows = await store.rows<{ bundle: number; entries: Uint8Array }>(
          'SELECT bundle, entries FROM log_bundles WHERE bundle BETWEEN ? AND ? ORDER BY bundle DESC',
          [least, last],
        );
        yield rows.flatMap(({ bundle, entries }) =>
          entriesIn(entries, bundle * width, from, end).reverse(),
        );
        end = least * width;
      }
    },
    async grow(size, entries) {
      const bundles = [];
      let bundle = Math.floor(size / width);
      const has = size % width;
      const { bytes, ends } = has === 0 ? opened(nothing) : await load(bundle, has);
      for (let before = bytes.subarray(0, ends[has]), at = 0; at < entries.length; bundle++) {
        const to = at === 0 ? width - has : at + width;
        bundles.push({ bundle, bytes: withMore(before, entries.slice(at, to)) });
        [before, at] = [nothing, to];
      }
      return { bundles };
    },
    async store(sql, { bundles }) {
      for (const { bundle, bytes } of bundles)
        await sql.run(
          `INSERT INTO log_bundles (bundle, entries) VALUES (?, ?)
           ON CONFLICT (bundle) DO UPDATE SET entries = excluded.entries`,
          [bundle, bytes],
        );
    },
    keep({ bundles }) {
      for (const { bundle, bytes } of bundles) kept.set(bundle, opened(bytes));
    },
  };
}

const nothing = new Uint8Array(0);

function withMore(bundle: Uint8Array, entries: readonly Uint8Array[]): Uint8Array {
  let at = bundle.length;
  const bytes = new Uint8Array(entries.reduce((sum, { length }) => sum + 2 + length, at));
  bytes.set(bundle);
  for (const entry of entries) {
    bytes[at] = entry.length >> 8;
    bytes[at + 1] = entry.length;
    bytes.set(entry, at + 2);
    at += 2 + entry.length;
  }
  return bytes;
}

/** Of a bundle that begins with entry `first`, those from `from` up to `to`. */
function entriesIn(bytes: Uint8Array, first: number, from: number, to: number): LogEntry[] {
  const { ends } = opened(bytes);
  const found: LogEntry[] = [];
  for (let at = Math.max(0, from - first); at < Math.min(ends.length - 1, to - first); at++)
    found.push({ position: first + at, entry: bytes.subarray((ends[at] ?? 0) + 2, ends[at + 1]) });
  return found;
}

function opened(bytes: Uint8Array): Bundle {
  const ends = [0];
  for (let at = 0; at < bytes.length; ) {
    at += 2 + (((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0));
    ends.push(at);
  }
  return { bytes, ends };
}
