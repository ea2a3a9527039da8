/**
 * The map of the log in memory, as it was before the directory stopped: out of the entries of the log themselves.
 * docs/protocol/transparency.md §6
 *
 * From the newest entry to the oldest: the first that is met of a label is what the map has of it, and those behind it
 * cost next to nothing. Invariant: its root is the one that the epoch says, or the directory does not go on.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { equal } from '@island/protocol/crypto/primitives.ts';
import { eventBytes, eventHash, leafTypes } from '@island/protocol/transparency/leaves.ts';
import { mapValue } from '@island/protocol/transparency/map-proof.ts';
import type { MapSnapshot } from '@island/protocol/transparency/map-snapshot.ts';
import { createMap, type LabelMap } from '@island/protocol/transparency/map-tree.ts';
import { Reader } from '@island/protocol/wire/bytes.ts';
import type { LogEntries, LogEntry } from './log-entries.ts';
import type { StoredEpoch } from './log-epochs.ts';

export interface LoadedMap {
  /** As of the newest epoch, open or not. */
  map: LabelMap;
  /** As of the newest published one. */
  published: MapSnapshot | undefined;
}

const nodesPerTurn = 16_384;

/** @throws Error, one plain sentence, when the entries are not what was signed */
export async function loadMap(
  entries: LogEntries,
  epochs: readonly StoredEpoch[],
): Promise<LoadedMap> {
  const map = createMap();
  const published = epochs.findLast((epoch) => epoch.published !== undefined);
  const newest = epochs.at(-1);
  if (published === undefined) return { map, published: undefined };
  for await (const page of entries.backwards(0, published.size)) {
    for (const one of page) if (isEvent(one) && !map.has(placeIn(one))) put(map, one);
    if (map.count === published.mapCount) break;
    await turn();
  }
  while (!map.hashSome(nodesPerTurn)) await turn();
  check(map, published);
  const snapshot = map.snapshot();
  if (newest === undefined || newest === published) return { map, published: snapshot };
  const later: LogEntry[] = [];
  for await (const page of entries.backwards(published.size, newest.size)) later.push(...page);
  for (const one of later.reverse()) if (isEvent(one)) put(map, one);
  check(map, newest);
  return { map, published: snapshot };
}

/** Whatever else is wrong with an entry shows in the root. */
const isEvent = ({ entry }: LogEntry): boolean =>
  entry.length === eventBytes && entry[0] === leafTypes.event;

/** Behind type and flags. */
const placeIn = ({ entry }: LogEntry): Uint8Array => entry.subarray(2, 34);

function put(map: LabelMap, one: LogEntry): void {
  const version = new Reader(one.entry.subarray(34)).u32();
  map.set(placeIn(one), mapValue(version, one.position, eventHash(one.entry)));
}

function check(map: LabelMap, { mapRoot, mapCount }: StoredEpoch): void {
  if (map.count === mapCount && equal(map.root, mapRoot)) return;
  throw new Error(
    'The log of keys in the database is not the one that was signed: restore the data folder from a backup.',
  );
}
