/**
 * The end of an account: its labels are erased in the log, and once the log has published that, everything goes that
 * the log committed to. docs/protocol/transparency.md §6.6
 *
 *     begin: row in `endings`, prekeys and name gone, an erasure of each label      one transaction
 *     publish: the erasures are in an epoch that is shown                           the log
 *     finish: lists, openings, states and the labels themselves gone, and the row   one transaction
 *
 * Invariant: what the log shows can be opened for as long as it is what the log shows. Each step can be repeated, and
 * whoever comes next goes on with what a crash has left.
 */
import { accountLabel } from '@island/protocol/transparency/label.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { failure, type Log } from '../kit/log.ts';
import type { Statements } from '../kit/store-handle.ts';
import type { DirectoryStore } from './database.ts';
import { addErasure, forgetLabel, nameLabelsOf } from './log/erased-labels.ts';
import type { DirectoryLog } from './log/log.ts';

export interface Endings {
  store: DirectoryStore;
  log: Pick<DirectoryLog, 'settled' | 'lastEvent'>;
  /** `version`: the one that erases the account. */
  onEnded?(account: AccountId, version: number): void;
}

const prekeyTables = ['standing_prekeys', 'one_time_prekeys', 'batches'] as const;

/** Resolves once it is in force, and published or waited for long enough. An account that is not there has ended. */
export async function endAccount(endings: Endings, account: AccountId): Promise<void> {
  const begun = await endings.store.write((_db, sql) => begin(sql, account));
  if (begun === undefined) return;
  // Whoever has its devices in mind asks anew.
  endings.onEnded?.(account, begun);
  await endings.log.settled();
  await finishEnded(endings);
}

/** @returns the version that erases the account; none where there is no such account */
async function begin(sql: Statements, account: AccountId): Promise<number | undefined> {
  const there = await sql.rows('SELECT 1 FROM enrolments WHERE account = ?', [account]);
  if (there.length === 0) return undefined;
  if (await isEnding(sql, account)) return newestVersion(sql, account);
  const labels = [accountLabel(account), ...(await nameLabelsOf(sql, account))];
  const ids: number[] = [];
  // The account first: where the name is shown as erased its account is, too.
  for (const label of labels) ids.push(await addErasure(sql, label));
  const [accountId, nameId] = ids;
  if (accountId === undefined || nameId === undefined || ids.length > 2)
    throw new Error('an account has one name');
  await sql.run('INSERT INTO endings (account, account_label, name_label) VALUES (?, ?, ?)', [
    account,
    accountId,
    nameId,
  ]);
  for (const table of prekeyTables)
    await sql.run(`DELETE FROM ${table} WHERE account = ?`, [account]);
  await sql.run('DELETE FROM names WHERE account = ?', [account]);
  return newestVersion(sql, account);
}

async function newestVersion(sql: Statements, account: AccountId): Promise<number> {
  const [row] = await sql.rows<{ version: number }>(
    'SELECT max(e.version) AS version FROM log_labels l JOIN log_events e ON e.label = l.id WHERE l.label = ?',
    [accountLabel(account)],
  );
  return row?.version ?? 0;
}

export const isEnding = async (
  sql: Pick<Statements, 'rows'>,
  account: AccountId,
): Promise<boolean> =>
  (await sql.rows('SELECT 1 FROM endings WHERE account = ?', [account])).length > 0;

/** What the published log shows as ended is forgotten. @returns how many accounts are gone now */
export async function finishEnded({ store, log }: Endings): Promise<number> {
  const rows = await store.rows<Ending>(
    `SELECT account, account_label AS accountLabel, name_label AS nameLabel FROM endings
     WHERE (SELECT max(seq) FROM log_events WHERE label IN (account_label, name_label)) <= ?`,
    [log.lastEvent()],
  );
  for (const ending of rows) await store.write((_db, sql) => finish(sql, ending));
  // No copy of what was deleted stays in the write-ahead log.
  if (rows.length > 0) await store.rows('PRAGMA wal_checkpoint(TRUNCATE)');
  return rows.length;
}

type Ending = { account: string; accountLabel: number; nameLabel: number };

async function finish(sql: Statements, { account, ...labels }: Ending): Promise<void> {
  // A device that was being served may have left prekeys since.
  for (const table of prekeyTables)
    await sql.run(`DELETE FROM ${table} WHERE account = ?`, [account]);
  await sql.run('DELETE FROM lists WHERE account = ?', [account]);
  await sql.run('DELETE FROM enrolments WHERE account = ?', [account]);
  await forgetLabel(sql, labels.accountLabel);
  await forgetLabel(sql, labels.nameLabel);
  await sql.run('DELETE FROM endings WHERE account = ?', [account]);
}

/** The same whenever the log may have gone on; one at a time. */
export function watchEndings(endings: Endings, log: Log): () => Promise<void> {
  let running: Promise<void> | undefined;
  async function run(): Promise<void> {
    try {
      const count = await finishEnded(endings);
      if (count > 0) log.info('accounts_ended', { count });
    } catch (error) {
      // The next epoch, or the next round, goes on.
      log.warn('endings_wait', failure(error));
    }
  }
  return () => {
    running ??= run().finally(() => {
      running = undefined;
    });
    return running;
  };
}
