/**
 * The tables of `spaces`. docs/protocol/channel.md
 *
 * What is stored of a post: its place in its channel, whose device made it, the number that its chain gives it, its
 * hash, and the sealed bytes. No time, and no day. What is stored of who is in a space is sealed as well, but for what
 * is asked for by account: that it is a member of it.
 */
import { blob, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core';

const bytes = (name: string) => blob(name, { mode: 'buffer' });

export const spaces = sqliteTable('spaces', {
  space: bytes('space').primaryKey(),
  /** Of the newest entry. */
  seq: integer('seq').notNull(),
  owner: bytes('owner').notNull(),
  /** Counts the changes of members' device lists. */
  lists: integer('lists').notNull(),
  /** Of entries and posts together. */
  bytes: integer('bytes').notNull(),
  /** The day on which its owner or the operator ended it. */
  ended: integer('ended'),
});

export const entries = sqliteTable(
  'entries',
  {
    space: bytes('space').notNull(),
    seq: integer('seq').notNull(),
    /** Sealed. */
    entry: bytes('entry').notNull(),
  },
  (row) => [primaryKey({ columns: [row.space, row.seq] })],
);

export const memberships = sqliteTable(
  'memberships',
  {
    account: bytes('account').notNull(),
    space: bytes('space').notNull(),
    /** The count of the space when this account's devices changed last. */
    lists: integer('lists').notNull(),
  },
  (row) => [primaryKey({ columns: [row.account, row.space] })],
);

export const channels = sqliteTable('channels', {
  channel: bytes('channel').primaryKey(),
  space: bytes('space').notNull(),
  /** Of the newest post, and the running hash behind it. channel.md §7 */
  head: integer('head').notNull(),
  feed: bytes('feed').notNull(),
  gone: integer('gone').notNull(),
});

export const posts = sqliteTable(
  'posts',
  {
    channel: bytes('channel').notNull(),
    seq: integer('seq').notNull(),
    /** The newest entry of the log when it was taken. */
    accepted: integer('accepted').notNull(),
    author: bytes('author').notNull(),
    device: integer('device').notNull(),
    chain: bytes('chain').notNull(),
    iteration: integer('iteration').notNull(),
    /** SHA-256 of the post: stays when the post was removed. */
    leaf: bytes('leaf').notNull(),
    feed: bytes('feed').notNull(),
    /** Sealed; null once it was removed. */
    post: bytes('post'),
  },
  (row) => [primaryKey({ columns: [row.channel, row.seq] })],
);

export const reports = sqliteTable(
  'reports',
  {
    space: bytes('space').notNull(),
    number: integer('number').notNull(),
    report: bytes('report').notNull(),
    author: bytes('author').notNull(),
    day: integer('day').notNull(),
    /** By its author for moderators, and once more for the disk. */
    sealed: bytes('sealed').notNull(),
  },
  (row) => [primaryKey({ columns: [row.space, row.number] })],
);

/** One row. */
export const beginning = sqliteTable('beginning', {
  one: integer('one').primaryKey(),
  beginners: text('beginners').notNull(),
});

export const listed = sqliteTable('listed', { account: bytes('account').primaryKey() });
