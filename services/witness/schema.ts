/**
 * The table of `witness`. docs/protocol/transparency.md §7
 *
 * A row is never deleted: a log that was forgotten and then trusted again could show another history from the
 * beginning. Both columns are sealed, each bound to its row (heads.ts, logs.ts).
 */
import { blob, sqliteTable } from 'drizzle-orm/sqlite-core';

const bytes = (name: string) => blob(name, { mode: 'buffer' });

export const logs = sqliteTable('logs', {
  /** SHA-256 of the origin: what it is fetched by. */
  id: bytes('id').primaryKey(),
  /** Origin, verifier keys, whether it is trusted. */
  log: bytes('log').notNull(),
  /** Size, root, time and signed note of the newest checkpoint; null before the first. */
  head: bytes('head'),
});
