/**
 * The epochs of the log on the disk. docs/protocol/transparency.md §6
 *
 * Invariants: entries, hashes, labels and the signed checkpoint of an epoch are stored in one transaction, before
 * anybody is shown the checkpoint; it is never changed, and no other of its size is ever signed. At most the newest
 * epoch is open. An epoch that says it is published has a note that satisfies its policies.
 */
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
  await storeLabels(sql, draft.labels);
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

/** Labels of one statement: a statement each would cost more than all else of an epoch. */
const labelsPerStatement = 256;

async function storeLabels(sql: Statements, labels: readonly LabelChange[]): Promise<void> {
  for (let at = 0; at < labels.length; at += labelsPerStatement) {
    const rows = labels
      .slice(at, at + labelsPerStatement)
      .map(({ id, version, position, entry, hash, place, proof, known }) => [
        ...[id, version, position, hex(hash), hex(entry)],
        ...(known ? [] : [hex(place), hex(proof)]),
      ]);
    await sql.run(
      `UPDATE log_labels SET version = c.version, position = c.position, hash = unhex(c.hash),
         entry = unhex(c.entry),
         place = coalesce(log_labels.place, unhex(c.place)),
         proof = coalesce(log_labels.proof, unhex(c.proof))
       FROM (SELECT value ->> 0 AS id, value ->> 1 AS version, value ->> 2 AS position,
         value ->> 3 AS hash, value ->> 4 AS entry, value ->> 5 AS place, value ->> 6 AS proof FROM json_each(?)) AS c
       WHERE log_labels.id = c.id`,
      [JSON.stringify(rows)],
    );
  }
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
