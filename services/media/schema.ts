/**
 * The tables of `media`. docs/decisions/070-media.md
 *
 * What is known of a blob: its size, how much of it is on the disk, the day on which it was begun.
 * Nobody's name, no address, no time within the day. Without row numbers: they would keep the order.
 */
import { blob, index, integer, sqliteTable } from 'drizzle-orm/sqlite-core';

export const blobs = sqliteTable(
  'blobs',
  {
    /** Follows from what was paid, so that whoever asks again gets the same one. */
    id: blob('id', { mode: 'buffer' }).primaryKey(),
    /** Bytes when it is complete. */
    size: integer('size').notNull(),
    /** Bytes that are in its file for certain; those behind them are not there. */
    stored: integer('stored').notNull(),
    /** SHA-256 of the key that continues and deletes it. */
    deleteHash: blob('delete_hash', { mode: 'buffer' }).notNull(),
    /** Unix day on which it was begun. */
    day: integer('day').notNull(),
    /** Whether it was deleted: its name is not given out again as long as its tokens might be. */
    gone: integer('gone', { mode: 'boolean' }).notNull(),
  },
  (row) => [index('blobs_by_day').on(row.day)],
);
