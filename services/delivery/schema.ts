/**
 * The tables of `delivery`. docs/protocol/dm.md §7
 *
 * What is stored of an envelope: whose mailbox it lies in, its place there, the id that its sender
 * drew at random, the sealed body, the day it came, whether it came without the recipient's delivery key. No sender, no address, no time of day. The
 * tables have no row numbers: numbered across mailboxes, rows would keep the order in which people
 * got mail, and with it who answered whom.
 */
import { blob, integer, primaryKey, sqliteTable } from 'drizzle-orm/sqlite-core';

/** `account 16 ‖ u32 device`. */
const mailbox = () => blob('mailbox', { mode: 'buffer' });

/**
 * One row a device that ever got mail, for as long as it is on its list, so that no `seq` is used twice.
 * Sequence numbers have no gaps, so `head - floor` envelopes are waiting.
 */
export const mailboxes = sqliteTable('mailboxes', {
  mailbox: mailbox().primaryKey(),
  /** The newest `seq` ever given here. */
  head: integer('head').notNull(),
  /** Everything up to here is acknowledged or expired, and deleted. */
  floor: integer('floor').notNull(),
});

export const envelopes = sqliteTable(
  'envelopes',
  {
    mailbox: mailbox().notNull(),
    seq: integer('seq').notNull(),
    id: blob('id', { mode: 'buffer' }).notNull(),
    body: blob('body', { mode: 'buffer' }).notNull(),
    /** Days since 1970-01-01 UTC. */
    day: integer('day').notNull(),
    /** 1 when it came without the recipient's delivery key. */
    request: integer('request').notNull(),
  },
  (row) => [primaryKey({ columns: [row.mailbox, row.seq] })],
);

/** Every id accepted: while its envelope waits, and for `limits.tombstoneDays` after it is gone. */
export const accepted = sqliteTable(
  'accepted',
  {
    id: blob('id', { mode: 'buffer' }).notNull(),
    mailbox: mailbox().notNull(),
    /** The day the envelope was acknowledged or expired; null while it waits. */
    gone: integer('gone'),
  },
  (row) => [primaryKey({ columns: [row.id, row.mailbox] })],
);

/** Tokens that were spent, until the key of their day is over. docs/protocol/tokens.md §7 */
export const spent = sqliteTable(
  'spent',
  {
    /** Of the token's key, days since 1970-01-01 UTC. */
    day: integer('day').notNull(),
    /** SHA-256(token)[0..16). */
    token: blob('token', { mode: 'buffer' }).notNull(),
    /** SHA-256[0..16) of what it paid for. */
    context: blob('context', { mode: 'buffer' }).notNull(),
  },
  (row) => [primaryKey({ columns: [row.day, row.token] })],
);

/** How many tokens of a day and class an account got. docs/protocol/tokens.md §6 */
export const issued = sqliteTable(
  'issued',
  {
    day: integer('day').notNull(),
    class: integer('class').notNull(),
    /** Keyed hash of the account. */
    holder: blob('holder', { mode: 'buffer' }).notNull(),
    count: integer('count').notNull(),
  },
  (row) => [primaryKey({ columns: [row.day, row.class, row.holder] })],
);

/** Hashes of delivery keys. docs/protocol/tokens.md §8 */
export const deliveryKeys = sqliteTable(
  'delivery_keys',
  {
    account: blob('account', { mode: 'buffer' }).notNull(),
    epoch: integer('epoch').notNull(),
    /** SHA-256 of the key. */
    hash: blob('hash', { mode: 'buffer' }).notNull(),
    /** The last day on which it opens anything; null for the present one. */
    until: integer('until'),
  },
  (row) => [primaryKey({ columns: [row.account, row.epoch] })],
);
