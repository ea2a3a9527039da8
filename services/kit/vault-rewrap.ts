/**
 * Brings the data keys of a service under the newest version of its KEK, a few in each transaction. What is to
 * be done is asked of the database, inside the transaction: a key that is being made meanwhile is not missed,
 * and whenever this ends early, the next start goes on. docs/protocol/at-rest.md §5
 */
import type { KeyObject } from 'node:crypto';
import type { ServiceKeys } from './service-keys.ts';
import type { Schema, Store } from './store.ts';
import { unwrapKey, type WrappedKey, wrapKey } from './vault-keys.ts';

/** Keys in one transaction. */
const piece = 64;

/** Resolves when all is done, and says so; or soon after `signal` was aborted. */
export async function rewrapKeys<S extends Schema>(
  store: Store<S>,
  keys: ServiceKeys,
  signal: AbortSignal,
): Promise<void> {
  /** Keys that somebody has written to don't open, stay as they are, and are passed over. */
  let after = 0;
  let kek = keys.newest;
  while (!signal.aborted) {
    if (kek !== keys.newest) {
      kek = keys.newest;
      after = 0;
    }
    const last = await rewrapPiece(store, keys, kek, after);
    if (last !== undefined) {
      after = last;
      continue;
    }
    // What was wrapped before must not stay in the write-ahead log.
    await store.rows('PRAGMA wal_checkpoint(TRUNCATE)');
    if (kek !== keys.newest) continue;
    keys.settled(kek);
    return;
  }
}

/** @returns the last of the keys looked at; nothing when there was none */
const rewrapPiece = <S extends Schema>(
  store: Store<S>,
  keys: ServiceKeys,
  kek: number,
  after: number,
): Promise<number | undefined> =>
  store.write(async (_db, sql) => {
    const rows = await sql.rows<WrappedKey & Record<string, unknown>>(
      `SELECT kid, name, day, kek, wrapped, used FROM vault_keys
       WHERE kek <> ? AND kid > ? ORDER BY kid LIMIT ${piece}`,
      [kek, after],
    );
    for (const row of rows) {
      const wrapped = wrappedAnew(keys, row, kek);
      if (wrapped !== undefined)
        await sql.run('UPDATE vault_keys SET kek = ?, wrapped = ? WHERE kid = ?', [
          kek,
          wrapped,
          row.kid,
        ]);
    }
    return rows.at(-1)?.kid;
  });

function wrappedAnew(keys: ServiceKeys, row: WrappedKey, kek: number): Buffer | undefined {
  const [from, to]: (KeyObject | undefined)[] = [keys.kek(row.kek), keys.kek(kek)];
  const dek = from && unwrapKey(from, keys.service, row);
  return dek && to && wrapKey(to, keys.service, { ...row, kek }, dek);
}
