/** Guessing a password with nothing but a copy of the databases. docs/protocol/accounts.md §2 */
import { createHash, createHmac, createSecretKey } from 'node:crypto';
import { nodePlatform } from '@island/client/platform-node.ts';
import { hashPassword } from '@island/protocol/crypto/password.ts';
import { columnBytes, openRecord, placeBytes } from '@island/services/kit/at-rest-record.ts';
import { verify } from '@node-rs/argon2';
import { bytesIn, type Row, rowsOf, type Table } from './databases.ts';

/** What could say of a guess that it is right, by name. */
export async function confirms(
  tables: readonly Table[],
  name: string,
  guess: string,
  /** Keys that the verifier and the sealing may have been made under. */
  peppers: ReadonlyMap<string, Uint8Array>,
): Promise<string[]> {
  const row = rowsOf(tables, 'accounts', 'people').find((person) => person['name'] === name);
  if (row === undefined) throw new Error(`${name} is not there`);
  const kdf = {
    memory: number(row, 'memory'),
    passes: number(row, 'passes'),
    lanes: number(row, 'lanes'),
  };
  const salt = bytesIn(row, 'salt');
  const { auth, wrap, key } = await hashPassword(guess, salt, kdf, nodePlatform.argon2id);
  const found: string[] = [];
  const derived = { auth, wrap, 'the public key': key.public, 'the private key': key.private };
  for (const [what, value] of Object.entries(derived))
    for (const bytes of [value, createHash('sha256').update(value).digest()])
      if (lies(tables, bytes)) found.push(`${what} lies in the databases`);

  const verifier = String(row['verifier']);
  const bare = [Buffer.from(auth).toString('hex'), Buffer.from(auth).toString('base64url')];
  for (const shown of bare)
    if (await verify(verifier, shown)) found.push('the verifier, without a pepper');
  for (const [what, pepper] of peppers) {
    const hmac = createHmac('sha256', pepper).update('island/accounts/auth\0').update(auth);
    if (await verify(verifier, hmac.digest('hex'))) found.push(`the verifier, under ${what}`);
    if (opens(row, pepper, key.public)) found.push(`the password key, under ${what}`);
  }
  return found;
}

const number = (row: Row, column: string): number => Number(row[column]);

function lies(tables: readonly Table[], bytes: Uint8Array): boolean {
  const needle = Buffer.from(bytes);
  const spellings = [
    needle.toString('hex'),
    needle.toString('base64url'),
    needle.toString('base64'),
  ];
  return tables.some(({ rows }) =>
    rows.some((row) =>
      Object.values(row).some((value) =>
        value instanceof Uint8Array
          ? Buffer.from(value).includes(needle)
          : typeof value === 'string' && spellings.some((text) => value.includes(text)),
      ),
    ),
  );
}

function opens(row: Row, key: Uint8Array, expected: Uint8Array): boolean {
  const column = columnBytes('accounts', 'people', 'password_key');
  const place = placeBytes(column, Buffer.from(String(row['account'])));
  const opened = openRecord(createSecretKey(key), place, bytesIn(row, 'password_key'));
  return opened !== undefined && Buffer.compare(opened, expected) === 0;
}
