/**
 * The map of the log in memory, as it was before the directory stopped: from the newest event of each label.
 * docs/protocol/transparency.md §6
 *
 * Invariant: its root is the one that the epoch says, or the directory does not go on.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { equal } from '@island/protocol/crypto/primitives.ts';
import { mapValue } from '@island/protocol/transparency/map-proof.ts';
import type { MapSnapshot } from '@island/protocol/transparency/map-snapshot.ts';
import { createMap, type LabelMap } from '@island/protocol/transparency/map-tree.ts';
import type { DirectoryStore } from '../database.ts';
import type { StoredEpoch } from './log-epochs.ts';
import type { LogHashes } from './log-hashes.ts';

interface NewestRow {
  id: number;
  place: Uint8Array;
  version: number;
  position: number;
  hash: Uint8Array;
}

export interface LoadedMap {
  /** As of the newest epoch, open or not. */
  map: LabelMap;
  /** As of the newest published one. */
  published: MapSnapshot | undefined;
}

const rowsPerPage = 8192;

/** @throws Error, one plain sentence, when the rows are not what was signed */
export async function loadMap(
  parts: { store: DirectoryStore; hashes: LogHashes },
  epochs: readonly StoredEpoch[],
): Promise<LoadedMap> {
  const map = createMap();
  const published = epochs.findLast((epoch) => epoch.published !== undefined);
  const newest = epochs.at(-1);
  const later: NewestRow[] = [];
  for (let after = 0; ; ) {
    const page = await newestRows(parts.store, after);
    for (const row of page) {
      if (row.position < (published?.size ?? 0)) put(map, row);
      else later.push(row);
    }
    after = page.at(-1)?.id ?? 0;
    if (page.length < rowsPerPage) break;
    await turn();
  }
  if (published === undefined) return { map, published: undefined };
  for (const { id, place } of later) {
    const before = await newestBefore(parts, id, published);
    if (before !== undefined) put(map, { place, ...before });
  }
  check(map, published);
  const snapshot = map.snapshot();
  for (const row of later) put(map, row);
  if (newest !== undefined) check(map, newest);
  return { map, published: snapshot };
}

const newestRows = async (store: DirectoryStore, after: number) =>
  (await store.rows(
    `SELECT id, place, version, position, hash FROM log_labels
     WHERE id > ? AND version > 0 ORDER BY id LIMIT ?`,
    [after, rowsPerPage],
  )) as unknown as NewestRow[];

/** The newest event of a label that an epoch has. */
async function newestBefore(
  { store, hashes }: { store: DirectoryStore; hashes: LogHashes },
  label: number,
  { lastEvent }: StoredEpoch,
) {
  const [row] = (await store.rows(
    `SELECT e.version, ${positionOfEvent} AS position FROM log_events e
     WHERE e.label = ? AND e.seq <= ? ORDER BY e.version DESC LIMIT 1`,
    [label, lastEvent],
  )) as unknown as { version: number; position: number }[];
  return row && { ...row, hash: await hashes.read(0, row.position) };
}

/** Where event `e` lies in the log: the last one of an epoch just before its EPOCH, those before in their order. */
export const positionOfEvent = `(SELECT size - 2 - (last_event - e.seq) FROM log_epochs
  WHERE last_event >= e.seq ORDER BY last_event, number LIMIT 1)`;

const put = (map: LabelMap, { place, version, position, hash }: Omit<NewestRow, 'id'>): void =>
  map.set(place, mapValue(version, position, hash));

function check(map: LabelMap, { mapRoot, mapCount }: StoredEpoch): void {
  if (map.count === mapCount && equal(map.root, mapRoot)) return;
  throw new Error(
    'The log of keys in the database is not the one that was signed: restore the data folder from a backup.',
  );
}
