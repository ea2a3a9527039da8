/**
 * The tables of `archive`. docs/decisions/062-archive.md
 *
 * What is stored of a segment: whose archive it lies in, its place there, its bytes. No time and no
 * day. The tables have no row numbers: numbered across accounts, rows would keep the order in which
 * people wrote, and with it who wrote right after whom.
 */
import { blob, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core';

/** One row an account that ever had an archive, until the account ends. */
export const heads = sqliteTable('heads', {
  account: text('account').primaryKey(),
  /** Counts the chains of the account: an erased archive is followed by another one. */
  chain: integer('chain').notNull(),
  /** Of the newest segment; 0 and zeros before the first. */
  seq: integer('seq').notNull(),
  hash: blob('hash', { mode: 'buffer' }).notNull(),
  /** Of all segments of the chain together. */
  bytes: integer('bytes').notNull(),
  /** What the next segment must not fall below. */
  listEpoch: integer('list_epoch').notNull(),
  arkEpoch: integer('ark_epoch').notNull(),
});

export const segments = sqliteTable(
  'segments',
  {
    account: text('account').notNull(),
    chain: integer('chain').notNull(),
    seq: integer('seq').notNull(),
    bytes: blob('bytes', { mode: 'buffer' }).notNull(),
  },
  (row) => [primaryKey({ columns: [row.account, row.chain, row.seq] })],
);

/** Chains that nobody can ask for any more, while their segments are being deleted. */
export const erased = sqliteTable(
  'erased',
  { account: text('account').notNull(), chain: integer('chain').notNull() },
  (row) => [primaryKey({ columns: [row.account, row.chain] })],
);
