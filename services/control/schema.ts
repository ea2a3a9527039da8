/** Tables of control: the setup token. The SQL is in migrations/. docs/operations.md §8 */
import { blob, integer, sqliteTable } from 'drizzle-orm/sqlite-core';

/** One row at most: the token by which the first operator will name themselves. */
export const setupToken = sqliteTable('setup_token', {
  id: integer('id').primaryKey(),
  /** SHA-256 of the token. */
  hash: blob('hash', { mode: 'buffer' }).notNull(),
  used: integer('used', { mode: 'boolean' }).notNull(),
});
