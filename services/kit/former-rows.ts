/**
 * Rows that an earlier version kept as they came, sealed at the first start after the upgrade: a migration put
 * them aside in a table of their own, and each piece of them is sealed and gone from there in one transaction.
 * docs/protocol/at-rest.md §6
 */
import type { Schema, Store } from './store.ts';
import type { Row, SqlValue, Statements } from './store-handle.ts';
import type { Vault } from './vault.ts';

/** Rows in one transaction. */
const piece = 128;

export interface FormerRows<S extends Schema> {
  store: Store<S>;
  vault: Vault;
  /** Where the migration put them; dropped when it is empty. */
  table: string;
  /** Its primary key. */
  keys: readonly string[];
  /** Before each piece, outside of any transaction: makes the keys ready. */
  prepare(rows: readonly Row[]): Promise<void>;
  insert(sql: Statements, row: Row): Promise<unknown>;
}

/** Done once: afterwards a table of that name is nobody's, whoever made it. @returns how many rows it was */
export async function sealFormerRows<S extends Schema>(former: FormerRows<S>): Promise<number> {
  const { store, vault, table, keys } = former;
  const marker = `sealed ${table}`;
  if ((await vault.secrets.get(marker)) !== undefined) return 0;
  const [there] = await store.rows(
    "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?",
    [table],
  );
  let count = 0;
  for (let left = there !== undefined; left; ) {
    const rows = await store.rows(`SELECT * FROM ${table} LIMIT ${piece}`);
    await former.prepare(rows);
    await store.write(async (_db, sql) => {
      for (const row of rows) {
        await former.insert(sql, row);
        await sql.run(
          `DELETE FROM ${table} WHERE ${keys.map((key) => `${key} = ?`).join(' AND ')}`,
          keys.map((key) => row[key] as SqlValue),
        );
      }
    });
    count += rows.length;
    left = rows.length > 0;
  }
  await store.write(async (_db, sql) => {
    await sql.run(`DROP TABLE IF EXISTS ${table}`);
    await vault.secrets.put(sql, marker, Buffer.of(1));
  });
  if (count > 0) await store.rows('PRAGMA wal_checkpoint(TRUNCATE)');
  return count;
}
