/** What delivery forgets by itself, and when. docs/protocol/dm.md §8 */
import { limits } from '@island/protocol/wire/limits.ts';
import { retentionDays } from '../kit/retention.ts';
import type { DeliveryStore } from './database.ts';
import type { Mailboxes } from './mailbox.ts';

/** Rows that one transaction forgets. */
const piece = 20_000;

/**
 * Envelopes that nobody fetched within `limits.envelopeDays` go as if they had been acknowledged, and the key
 * that they were sealed under;
 * ids of those that are gone follow `limits.tombstoneDays` later. Spent tokens and what was issued go
 * with the key of their day, delivery keys when they open nothing any more. Then the write-ahead log is
 * emptied, so that no copy of what was deleted stays in it.
 * @param today days since 1970-01-01 UTC
 * @returns how many mailboxes lost mail
 */
export async function expire(
  store: DeliveryStore,
  mailboxes: Pick<Mailboxes, 'forget' | 'dropKeys'>,
  today: number,
): Promise<number> {
  // Days ascend with `seq`: the first envelope tells whether there is anything to do.
  const overdue = await store.rows<{ mailbox: Buffer; seq: number }>(
    `SELECT mailbox, (SELECT max(e.seq) FROM envelopes AS e WHERE e.mailbox = m.mailbox AND e.day < ?) AS seq
     FROM mailboxes AS m
     WHERE head > floor AND
       (SELECT e.day FROM envelopes AS e WHERE e.mailbox = m.mailbox ORDER BY e.seq LIMIT 1) < ?`,
    [today - limits.envelopeDays, today - limits.envelopeDays],
  );
  await Promise.all(overdue.map(({ mailbox, seq }) => mailboxes.forget(mailbox, seq)));
  await mailboxes.dropKeys(today - limits.envelopeDays);
  await store.write((_db, sql) =>
    sql.run('DELETE FROM accepted WHERE gone < ?', [today - limits.tombstoneDays]),
  );
  // A key is good on its day and the next. What a day had is forgotten in pieces: others write, too.
  for (let left = piece; left === piece; ) {
    left = await store.write((_db, sql) =>
      sql.run(
        `DELETE FROM spent WHERE (day, token) IN
         (SELECT day, token FROM spent WHERE day < ? LIMIT ${piece})`,
        [today - retentionDays.spentTokens],
      ),
    );
  }
  await store.write(async (_db, sql) => {
    await sql.run('DELETE FROM issued WHERE day < ?', [today]);
    await sql.run('DELETE FROM delivery_keys WHERE until < ?', [today]);
  });
  await store.rows('PRAGMA wal_checkpoint(TRUNCATE)');
  return overdue.length;
}
