/**
 * The data keys (DEK) of a service: one for each table and day, in a table of the service's own database, each
 * wrapped under the service's KEK. docs/protocol/at-rest.md §2
 *
 *     wrapped = nonce 12 ‖ AES-256-GCM( KEK, nonce, DEK 32, AAD ) ‖ tag 16
 *     AAD     = "PI/1/dek" ‖ text16 service ‖ text16 table ‖ u32 day ‖ u32 kid ‖ u32 KEK version
 *
 * A key is counted before it is used: `reserve` takes a block of records from what it is good for, durably, so
 * that no restart forgets how much was sealed under it.
 */
import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import { Writer } from '@island/protocol/wire/bytes.ts';
import type { Statements } from './store-handle.ts';

/** Records under one key, of the 2^32 after which random nonces would have to be feared; and in one block. */
export const recordsPerKey = 2 ** 24;
export const recordsPerBlock = 2 ** 16;

const tag = { authTagLength: 16 } as const;

/** The only SQL of the vault that makes tables: kept by the kit, in every service's database. */
export const vaultTables = [
  `CREATE TABLE IF NOT EXISTS vault_keys (
     kid INTEGER PRIMARY KEY CHECK (kid BETWEEN 1 AND 4294967295),
     name TEXT NOT NULL,
     day INTEGER NOT NULL CHECK (day >= 0),
     kek INTEGER NOT NULL CHECK (kek >= 1),
     wrapped BLOB NOT NULL CHECK (length(wrapped) = 60),
     used INTEGER NOT NULL CHECK (used >= 0)
   ) STRICT, WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS vault_secrets (
     name TEXT PRIMARY KEY,
     sealed BLOB NOT NULL
   ) STRICT, WITHOUT ROWID`,
] as const;

export interface WrappedKey {
  kid: number;
  /** Of the table that it is for. */
  name: string;
  /** Days since 1970-01-01 UTC; 0 for a table whose rows have none. */
  day: number;
  /** Version of the KEK that it is wrapped under. */
  kek: number;
  wrapped: Uint8Array;
  /** Records that it was reserved for. */
  used: number;
}

type Named = Pick<WrappedKey, 'kid' | 'name' | 'day' | 'kek'>;

const aad = (service: string, { kid, name, day, kek }: Named): Uint8Array =>
  new Writer(96)
    .raw(Buffer.from('PI/1/dek'))
    .text16(service)
    .text16(name)
    .u32(day)
    .u32(kid)
    .u32(kek)
    .done();

/** @param nonce for known answers only */
export function wrapKey(
  kek: KeyObject,
  service: string,
  named: Named,
  dek: KeyObject,
  nonce: Uint8Array = randomBytes(12),
): Buffer {
  const cipher = createCipheriv('aes-256-gcm', kek, nonce, tag).setAAD(aad(service, named));
  const bytes = dek.export();
  const body = Buffer.concat([nonce, cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
  bytes.fill(0);
  return body;
}

/** Undefined when it was not wrapped so under this key. */
export function unwrapKey(kek: KeyObject, service: string, key: WrappedKey): KeyObject | undefined {
  const { wrapped } = key;
  if (wrapped.length !== 60) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', kek, wrapped.subarray(0, 12), tag)
    .setAAD(aad(service, key))
    .setAuthTag(wrapped.subarray(44));
  const bytes = decipher.update(wrapped.subarray(12, 44));
  try {
    decipher.final();
    return createSecretKey(bytes);
  } catch {
    return undefined;
  } finally {
    bytes.fill(0);
  }
}

export const newKey = (): KeyObject => {
  const bytes = randomBytes(32);
  const key = createSecretKey(bytes);
  bytes.fill(0);
  return key;
};

export const listKeys = (sql: Pick<Statements, 'rows'>): Promise<WrappedKey[]> =>
  sql.rows<WrappedKey & Record<string, unknown>>(
    'SELECT kid, name, day, kek, wrapped, used FROM vault_keys ORDER BY kid',
  );

export const insertKey = (sql: Statements, key: WrappedKey): Promise<number> =>
  sql.run('INSERT INTO vault_keys (kid, name, day, kek, wrapped, used) VALUES (?, ?, ?, ?, ?, ?)', [
    key.kid,
    key.name,
    key.day,
    key.kek,
    key.wrapped,
    key.used,
  ]);

/** Takes a block; false when the key has none left, or is gone. */
export const reserve = async (sql: Statements, kid: number): Promise<boolean> =>
  (await sql.run('UPDATE vault_keys SET used = used + ? WHERE kid = ? AND used + ? <= ?', [
    recordsPerBlock,
    kid,
    recordsPerBlock,
    recordsPerKey,
  ])) === 1;
