/**
 * The log before this one, and the one that is to follow: rows of the directory. docs/protocol/transparency.md §6.7
 *
 * Invariants: from the row of a successor on its predecessor signs nothing. What the successor's first checkpoint is
 * made of is on the disk before a witness is shown it. It takes over in one transaction, with every event.
 */
import type { Predecessor } from '@island/protocol/transparency/predecessor.ts';
import type { DirectoryStore } from '../database.ts';
import type { EpochDraft } from './epoch-draft.ts';
import type { LogEntries } from './log-entries.ts';
import { insertEpoch, positionOfEvent, type StoredEpoch } from './log-epochs.ts';
import type { LogHashes } from './log-hashes.ts';

/** What the present log follows, if it is not the first. */
export interface Followed extends Predecessor {
  /** How many logs there were before. */
  number: number;
  /** The newest event when it ended. */
  events: number;
}

export async function followedLog(store: DirectoryStore): Promise<Followed | undefined> {
  const [row] = await store.rows<Followed & Record<string, unknown>>(
    'SELECT number, vkey, size, root, seen, events FROM log_predecessors ORDER BY number DESC LIMIT 1',
  );
  return row;
}

/** What the first checkpoint of a successor is made of, beside its keys. */
export interface Successor {
  /** Its first policy. */
  policy: string;
  size: number;
  root: Uint8Array;
  seen: number;
  timestamp: number;
}

export async function waitingSuccessor(store: DirectoryStore): Promise<Successor | undefined> {
  const [row] = await store.rows<Successor & Record<string, unknown>>(
    'SELECT policy, size, root, seen, timestamp FROM log_successor',
  );
  return row;
}

/** Throws where one waits already. */
export const keepSuccessor = (
  store: DirectoryStore,
  { policy, size, root, seen, timestamp }: Successor,
): Promise<unknown> =>
  store.write((_db, sql) =>
    sql.run(
      'INSERT INTO log_successor (id, policy, size, root, seen, timestamp) VALUES (1, ?, ?, ?, ?, ?)',
      [policy, size, root, seen, timestamp],
    ),
  );

/** From its commit on the log is another. `first`: its first epoch, `note` with the signatures of its witnesses. */
export function takeOver(
  parts: { store: DirectoryStore; hashes: LogHashes; entries: LogEntries },
  asked: {
    successor: Successor;
    former: { vkey: string; epoch: StoredEpoch };
    first: EpochDraft;
    note: string;
    /** Unix seconds. */
    now: number;
  },
): Promise<void> {
  const { successor, former, first, note, now } = asked;
  const { size, root, seen, policy } = successor;
  const { published, note: signed, lastEvent } = former.epoch;
  return parts.store.write(async (_db, sql) => {
    // Also those that are about to be erased. All others have their entry, or what it is made of.
    const erased = await sql.rows<{ seq: number; position: number }>(
      `SELECT e.seq, ${positionOfEvent} AS position FROM log_events e
       WHERE e.entry IS NULL AND e.seq <= ? AND (e.opening IS NULL OR e.label IN (
         SELECT account_label FROM endings UNION SELECT name_label FROM endings))`,
      [lastEvent],
    );
    for (const { seq, position } of erased)
      await sql.run('UPDATE log_events SET entry = ? WHERE seq = ?', [
        await parts.entries.entry(position),
        seq,
      ]);
    await sql.run(
      `INSERT INTO log_predecessors (number, vkey, size, root, note, seen, events, ended)
       VALUES ((SELECT 1 + coalesce(max(number), 0) FROM log_predecessors), ?, ?, ?, ?, ?,
         (SELECT coalesce(max(seq), 0) FROM log_events), ?)`,
      [former.vkey, size, root, published ?? signed, seen, now],
    );
    for (const table of ['log_epochs', 'log_tiles', 'log_bundles', 'policies'])
      await sql.run(`DELETE FROM ${table}`);
    // What witnesses have signed of the other log says nothing of this one.
    for (const table of ['witness_sizes', 'carried_signatures', 'log_successor'])
      await sql.run(`DELETE FROM ${table}`);
    await sql.run('INSERT INTO policies (number, text, published) VALUES (1, ?, 0)', [policy]);
    await insertEpoch(sql, parts, first, note);
  });
}
