/**
 * What earlier versions kept: a root secret in `pepper.key` beside the database, and values sealed under keys
 * derived from it. All of it is sealed anew in one transaction at the first start after the upgrade, and the
 * file is wiped. docs/protocol/at-rest.md §6
 *
 *     former = u8 1 ‖ nonce 12 ‖ AES-256-GCM( key, nonce, secret, AD = u8 1 ‖ text16 table ‖ text16 column ‖ text16 row )
 */
import { createDecipheriv, createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Writer } from '@island/protocol/wire/bytes.ts';
import type { Place, Sealing } from '../kit/sealing.ts';
import type { SqlValue, Statements } from '../kit/store-handle.ts';
import type { Vault } from '../kit/vault.ts';
import { wipe } from '../kit/vault-secrets.ts';
import type { AccountsStore } from './database.ts';

interface Kind {
  purpose: string;
  table: string;
  column: string;
  /** Primary key: together, with dots between them, the name of the row. */
  keys: readonly string[];
}

const kinds: readonly Kind[] = [
  { purpose: 'signing-keys', table: 'signing_keys', column: 'sealed', keys: ['kid'] },
  { purpose: 'password-keys', table: 'people', column: 'password_key', keys: ['account'] },
  { purpose: 'totp', table: 'people', column: 'totp_secret', keys: ['account'] },
  { purpose: 'totp', table: 'people', column: 'totp_pending', keys: ['account'] },
  {
    purpose: 'shares',
    table: 'staged_records',
    column: 'shares',
    keys: ['account', 'list_hash'],
  },
  { purpose: 'shares', table: 'code_slots', column: 'share', keys: ['account', 'loc'] },
  { purpose: 'shares', table: 'joinings', column: 'share', keys: ['id'] },
  { purpose: 'oidc', table: 'policy', column: 'oidc', keys: ['id'] },
  { purpose: 'oidc', table: 'oidc_flows', column: 'sealed', keys: ['flow'] },
];

/** Tables with sealed values. */
export const sealedTables: readonly string[] = [...new Set(kinds.map(({ table }) => table))];

/** Does nothing where there is no such file. @param name of the root among the vault's secrets */
export async function adoptFormer(
  parts: { store: AccountsStore; vault: Vault; sealing: Sealing; name: string },
  file: string,
): Promise<void> {
  const { store, vault, sealing, name } = parts;
  const root = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (root === undefined) return;
  if ((await vault.secrets.get(name)) === undefined) {
    await store.write(async (_db, sql) => {
      for (const kind of kinds) await resealColumn(kind, root, sealing, sql);
      await vault.secrets.put(sql, name, root);
    });
    // Nor does the write-ahead log keep what was sealed under the file.
    await store.rows('PRAGMA wal_checkpoint(TRUNCATE)');
  }
  await wipe(file);
}

async function resealColumn(
  { purpose, table, column, keys }: Kind,
  root: Uint8Array,
  sealing: Sealing,
  sql: Statements,
): Promise<void> {
  const key = createHmac('sha256', root).update(`island/accounts/sealing/${purpose}\0`).digest();
  const rows = await sql.rows<Record<string, SqlValue>>(
    `SELECT ${[...keys, column].join(', ')} FROM ${table} WHERE ${column} IS NOT NULL`,
  );
  for (const row of rows) {
    const values = keys.map((name) => row[name] ?? null);
    const place = { table, column, row: values.map(nameOf).join('.') };
    const secret = openFormer(key, place, row[column]);
    await sql.run(
      `UPDATE ${table} SET ${column} = ? WHERE ${keys.map((name) => `${name} = ?`).join(' AND ')}`,
      [sealing.seal(place, secret), ...values],
    );
  }
}

const nameOf = (value: SqlValue): string =>
  value instanceof Uint8Array ? Buffer.from(value).toString('hex') : String(value);

const tag = { authTagLength: 16 } as const;

/** @throws Error when the file does not belong to the database */
function openFormer(key: Uint8Array, { table, column, row }: Place, sealed: unknown): Buffer {
  const refusal = new Error(
    `a sealed value of ${table}.${column} does not open: pepper.key is not the one that belongs to this database`,
  );
  if (!(sealed instanceof Uint8Array) || sealed.length < 29 || sealed[0] !== 1) throw refusal;
  const end = sealed.length - tag.authTagLength;
  const place = new Writer(96).u8(1).text16(table).text16(column).text16(row).done();
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(1, 13), tag)
    .setAAD(place)
    .setAuthTag(sealed.subarray(end));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(13, end)), decipher.final()]);
  } catch {
    throw refusal;
  }
}
