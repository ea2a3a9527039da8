/**
 * The epochs of the log on the disk. docs/protocol/transparency.md §6
 *
 * Invariants: entries, hashes, places and the signed checkpoint of an epoch are stored in one transaction, before
 * anybody is shown the checkpoint; it is never changed, and no other of its size is ever signed. At most the newest
 * epoch is open. An epoch that says it is published has a note that satisfies its policies.
 */
import { eventBytes } from '@island/protocol/transparency/leaves.ts';
import { concat } from '@island/protocol/wire/bytes.ts';
import { hex } from '@island/protocol/wire/text.ts';
import type { Row, Statements } from '../../kit/store-handle.ts';
import type { DirectoryStore } from '../database.ts';
import type { Epoch, EpochDraft, LabelChange } from './epoch-draft.ts';
import type { LogEntries } from './log-entries.ts';
import type { LogHashes } from './log-hashes.ts';

export interface StoredEpoch extends Epoch {
  /** The note with the signatures of witnesses; absent while the epoch is open. */
  published: string | undefined;
}

const columns =
  'number, size, last_event AS lastEvent, policy, timestamp, root, map_root AS mapRoot, map_count AS mapCount, note, published';

/** Ascending; the newest two. */
export async function newestEpochs(store: DirectoryStore): Promise<StoredEpoch[]> {
  const rows = await store.rows(`SELECT ${columns} FROM log_epochs ORDER BY number DESC LIMIT 2`);
  return rows.map(epochOf).reverse();
}

/** Where event `e` lies in the log: the last one of an epoch just before its EPOCH, those before in their order. */
export const positionOfEvent = `(SELECT size - 2 - (last_event - e.seq) FROM log_epochs
  WHERE last_event >= e.seq ORDER BY last_event, number LIMIT 1)`;

/** @throws where the log does not have it */
export async function positionOf(
  store: DirectoryStore,
  label: number,
  version: number,
): Promise<number> {
  const [row] = await store.rows(
    `SELECT ${positionOfEvent} AS position FROM log_events e WHERE label = ? AND version = ?`,
    [label, version],
  );
  const position = row?.['position'];
  if (typeof position !== 'number') throw new Error('a version of a label is missing');
  return position;
}

const epochOf = (row: Row): StoredEpoch => {
  const epoch = row as unknown as StoredEpoch & { published: string | null };
  return { ...epoch, published: epoch.published ?? undefined };
};

/**
 * @param published the note, where the epoch needs nobody's signature but the log's
 * @throws when it, or another of its number or size, is there already
 */
export function storeEpoch(
  parts: { store: DirectoryStore; entries: LogEntries; hashes: LogHashes },
  draft: EpochDraft,
  published?: string,
): Promise<void> {
  return parts.store.write((_db, sql) => insertEpoch(sql, parts, draft, published));
}

/** The same, in a transaction of one's own. */
export async function insertEpoch(
  sql: Statements,
  parts: { entries: LogEntries; hashes: LogHashes },
  draft: EpochDraft,
  published?: string,
): Promise<void> {
  const { number, size, lastEvent, policy, timestamp, root, mapRoot, mapCount, note } = draft.epoch;
  await parts.entries.store(sql, draft.entries);
  await parts.hashes.store(sql, draft.tree);
  if (draft.events.length > 0) await storeEvents(sql, draft.events, lastEvent);
  await storePlaces(sql, draft.labels);
  await sql.run(
    `INSERT INTO log_epochs (number, size, last_event, policy, timestamp, root, map_root, map_count, note, published)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    [
      ...[number, size, lastEvent, policy, timestamp],
      ...[root, mapRoot, mapCount, note, published ?? null],
    ],
  );
  if (published !== undefined) await policiesInForce(sql, policy);
}

/** The events of an epoch lie one behind the other, there as here. */
const storeEvents = (sql: Statements, events: readonly Uint8Array[], lastEvent: number) =>
  sql.run(
    `UPDATE log_events SET entry = substr(?1, 1 + ${eventBytes} * (seq - ?2 - 1), ${eventBytes})
     WHERE seq > ?2 AND seq <= ?3`,
    [concat(...events), lastEvent - events.length, lastEvent],
  );

/** Labels of one statement: a statement each would cost more than all else of an epoch. */
const labelsPerStatement = 256;

/** Where those that are new lie in the map. */
async function storePlaces(sql: Statements, labels: readonly LabelChange[]): Promise<void> {
  const placed = labels.flatMap(({ id, place, proof }) =>
    proof ? [[id, hex(place), hex(proof)]] : [],
  );
  for (let at = 0; at < placed.length; at += labelsPerStatement)
    await sql.run(
      `UPDATE log_labels SET place = unhex(c.place), proof = unhex(c.proof)
       FROM (SELECT value ->> 0 AS id, value ->> 1 AS place, value ->> 2 AS proof
         FROM json_each(?)) AS c
       WHERE log_labels.id = c.id`,
      [JSON.stringify(placed.slice(at, at + labelsPerStatement))],
    );
}

const policiesInForce = (sql: Statements, newest: number) =>
  sql.run('UPDATE policies SET published = 1 WHERE number <= ? AND published = 0', [newest]);

/** Another note of the same checkpoint, with more signatures, in place of the one that it was published with. */
export const replacePublished = (
  store: DirectoryStore,
  { number }: Pick<Epoch, 'number'>,
  note: string,
): Promise<unknown> =>
  store.write((_db, sql) =>
    sql.run('UPDATE log_epochs SET published = ? WHERE number = ? AND published IS NOT NULL', [
      note,
      number,
    ]),
  );

/** @returns the note that it is published with: the one of before, where it was published already */
export const publishEpoch = (
  store: DirectoryStore,
  { number, policy }: Epoch,
  note: string,
): Promise<string> =>
  store.write(async (_db, sql) => {
    const open = 'UPDATE log_epochs SET published = ? WHERE number = ? AND published IS NULL';
    await sql.run(open, [note, number]);
    await policiesInForce(sql, policy);
    const [row] = await sql.rows('SELECT published FROM log_epochs WHERE number = ?', [number]);
    return String(row?.['published']);
  });
