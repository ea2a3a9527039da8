/**
 * What a service keeps, sealed at rest (M5): a key for each table and day, wrapped under the service's KEK,
 * and records that open only where they lie. docs/protocol/at-rest.md
 *
 * One vault a database, opened by the one process that has it. Keys are made and committed before anything is
 * sealed under them (`keyOf`); sealing and opening wait for nothing.
 */
import type { KeyObject } from 'node:crypto';
import {
  columnBytes,
  kidOf,
  openRecord,
  placeBytes,
  sealRecord,
  UnopenedRecord,
} from './at-rest-record.ts';
import { ConfigError } from './config.ts';
import type { Log } from './log.ts';
import type { ServiceKeys } from './service-keys.ts';
import type { Schema, Store } from './store.ts';
import type { Statements } from './store-handle.ts';
import {
  insertKey,
  listKeys,
  newKey,
  recordsPerBlock,
  reserve,
  unwrapKey,
  vaultTables,
  type WrappedKey,
  wrapKey,
} from './vault-keys.ts';
import { rewrapKeys } from './vault-rewrap.ts';
import { createSecrets, type VaultSecrets } from './vault-secrets.ts';

/** A key of one table and day, committed, with records left that it may seal. */
export interface DayKey {
  readonly kid: number;
  readonly day: number;
  readonly key: KeyObject;
  left: number;
}

export interface VaultTable {
  /** The present key of that day; 0 for rows that have no day. Never inside a transaction: it may need one. */
  keyOf(day: number): Promise<DayKey>;
  /**
   * @param into where the record is to be: `recordBytes` longer than `plain`
   * @throws RangeError when the key was used up since `keyOf` gave it
   */
  seal(key: DayKey, column: string, row: Uint8Array, plain: Uint8Array, into?: Buffer): Buffer;
  /** @throws UnopenedRecord when the record was not sealed for this place, was changed, or its key is gone */
  open(column: string, row: Uint8Array, sealed: Uint8Array): Buffer;
  /** Forgets the keys of days before: what was sealed under them is gone, wherever a copy lies. */
  drop(beforeDay: number): Promise<number>;
}

export interface Vault extends AsyncDisposable {
  table(name: string): VaultTable;
  readonly secrets: VaultSecrets;
  /** Wraps every key under the newest KEK, a few at a time; done before, it does nothing. */
  rewrap(): Promise<void>;
}

export interface VaultOptions<S extends Schema> {
  store: Store<S>;
  /** Absent when the process was given none. */
  keys: ServiceKeys | undefined;
  log: Log;
}

/** Records that a key given by `keyOf` is good for at least. */
const ready = recordsPerBlock / 4;

/** @throws ConfigError, one plain sentence, when the master key is not the one that the database was written under */
export async function openVault<S extends Schema>(options: VaultOptions<S>): Promise<Vault> {
  const { store, log } = options;
  if (options.keys === undefined)
    throw new ConfigError('The process was given no keys: start the island with island up.');
  const keys: ServiceKeys = options.keys;
  const { service } = keys;
  await store.write(async (_db, sql) => {
    for (const made of vaultTables) await sql.run(made);
  });
  const wrapped = new Map((await listKeys(store)).map((key) => [key.kid, key]));
  const open = unwrapAll(wrapped, keys, log);
  /** By table and day: the one that seals now. */
  const present = new Map<string, DayKey>();
  const making = new Map<string, Promise<DayKey>>();

  const nameOf = (table: string, day: number): string => `${day} ${table}`;

  async function make(table: string, day: number): Promise<DayKey> {
    const fitting = [...wrapped.values()].filter(
      ({ name, day: of, kid }) => name === table && of === day && open.has(kid),
    );
    const latest = fitting.at(-1);
    const made = await store.write((_db, sql) => reserveOrAdd(sql, table, day, latest?.kid));
    const name = nameOf(table, day);
    const before = present.get(name);
    const key =
      before?.kid === made.kid
        ? before
        : { kid: made.kid, day, key: open.get(made.kid) ?? made.key, left: 0 };
    if (!open.has(made.kid)) {
      open.set(made.kid, made.key);
      wrapped.set(made.kid, made.row);
    }
    key.left += recordsPerBlock;
    present.set(name, key);
    return key;
  }

  async function reserveOrAdd(
    sql: Statements,
    name: string,
    day: number,
    latest: number | undefined,
  ): Promise<{ kid: number; key: KeyObject; row: WrappedKey }> {
    const [row, key] = [wrapped.get(latest ?? 0), open.get(latest ?? 0)];
    if (row !== undefined && key !== undefined && (await reserve(sql, row.kid)))
      return { kid: row.kid, key, row };
    const [last] = await sql.rows<{ kid: number }>(
      'SELECT coalesce(max(kid), 0) AS kid FROM vault_keys',
    );
    const fresh = newKey();
    const named = { kid: (last?.kid ?? 0) + 1, name, day, kek: keys.newest };
    const added = {
      ...named,
      wrapped: wrapKey(kekOf(named.kek), service, named, fresh),
      used: recordsPerBlock,
    };
    await insertKey(sql, added);
    return { kid: named.kid, key: fresh, row: added };
  }

  function kekOf(version: number): KeyObject {
    const kek = keys.kek(version);
    if (kek === undefined) throw new Error('a version of the key that was there is gone');
    return kek;
  }

  async function keyOf(table: string, day: number): Promise<DayKey> {
    const name = nameOf(table, day);
    const kept = present.get(name);
    if (kept !== undefined && kept.left >= ready) return kept;
    const made = making.get(name) ?? make(table, day).finally(() => making.delete(name));
    making.set(name, made);
    return made;
  }

  function table(name: string): VaultTable {
    const columns = new Map<string, Buffer>();
    const place = (column: string, row: Uint8Array): Buffer => {
      const known = columns.get(column) ?? columnBytes(service, name, column);
      columns.set(column, known);
      return placeBytes(known, row);
    };
    return {
      keyOf: (day) => keyOf(name, day),
      seal(key, column, row, plain, into) {
        if (key.left <= 0) throw new RangeError('the key was used up: ask keyOf for each group');
        key.left -= 1;
        return sealRecord(key.key, key.kid, place(column, row), plain, { into });
      },
      open(column, row, sealed) {
        const kid = kidOf(sealed) ?? 0;
        const key = wrapped.get(kid)?.name === name ? open.get(kid) : undefined;
        const plain = key && openRecord(key, place(column, row), sealed);
        if (plain === undefined) throw new UnopenedRecord(name, column);
        return plain;
      },
      async drop(beforeDay) {
        const count = await store.write((_db, sql) =>
          sql.run('DELETE FROM vault_keys WHERE name = ? AND day > 0 AND day < ?', [
            name,
            beforeDay,
          ]),
        );
        for (const { kid, name: of, day } of [...wrapped.values()]) {
          if (of !== name || day === 0 || day >= beforeDay) continue;
          wrapped.delete(kid);
          open.delete(kid);
          present.delete(nameOf(name, day));
        }
        return count;
      },
    };
  }

  const ended = new AbortController();
  let rewrapping: Promise<void> | undefined;
  const rewrap = (): Promise<void> => {
    rewrapping ??= rewrapKeys(store, keys, ended.signal).finally(() => {
      rewrapping = undefined;
    });
    return rewrapping;
  };
  const background = (): void => {
    rewrap().catch((error: unknown) => log.error('rewrap_failed', error));
  };

  const secrets = await createSecrets({ store, table: table('vault_secrets') });
  const silent = keys.onNewer(background);
  background();
  return {
    table,
    secrets,
    rewrap,
    async [Symbol.asyncDispose]() {
      ended.abort();
      silent();
      await rewrapping?.catch(() => undefined);
    },
  };
}

/** A key row that somebody has written to costs what lies under it; none at all opens under a wrong master key. */
function unwrapAll(
  wrapped: ReadonlyMap<number, WrappedKey>,
  keys: ServiceKeys,
  log: Log,
): Map<number, KeyObject> {
  const open = new Map<number, KeyObject>();
  for (const row of wrapped.values()) {
    const kek = keys.kek(row.kek);
    // An older file than the data: to go on would be to lose what the newer version opens.
    if (kek === undefined)
      throw new ConfigError(
        `The master key has no version ${row.kek}, under which ${keys.service} keeps its data: put the newest copy of it back.`,
      );
    const key = unwrapKey(kek, keys.service, row);
    if (key !== undefined) open.set(row.kid, key);
  }
  if (wrapped.size > 0 && open.size === 0)
    throw new ConfigError(
      `The master key does not open what ${keys.service} keeps: put the one back that belongs to this data folder.`,
    );
  const lost = wrapped.size - open.size;
  if (lost > 0) log.warn('data_keys_unopened', { count: lost });
  return open;
}
