/**
 * The tables of `delivery`. docs/protocol/dm.md §7
 *
 * What is stored of an envelope: whose mailbox it lies in, its place there, the id that its sender
 * drew at random, the sealed body, the day it came. No sender, no address, no time of day. The
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
