/**
 * The one-time token of the first operator. The database knows its hash; the token itself lies in a
 * 0600 file as long as it is unused, so that each start can show it. docs/operations.md §8
 */
import { createHash, randomBytes } from 'node:crypto';
import { base64url } from '@island/protocol/wire/text.ts';
import { readPrivateText, writePrivateText } from '../kit/private-text.ts';
import type { ControlStore, Database } from './database.ts';
import { setupToken } from './schema.ts';

const tokenBytes = 24;
const digest = (token: string): Buffer => createHash('sha256').update(token).digest();

/**
 * The unused token: the one there is, or a new one when there is none or its file was lost.
 * `undefined` once it was used.
 */
export const showSetupToken = (store: ControlStore, file: string): Promise<string | undefined> =>
  store.write(async (db) => {
    const [row] = await db.select().from(setupToken);
    if (row?.used === true) return undefined;
    const kept = await readPrivateText(file);
    if (kept !== undefined && row?.hash.equals(digest(kept)) === true) return kept;
    return replace(db, file);
  });

async function replace(db: Database, file: string): Promise<string> {
  const token = base64url(randomBytes(tokenBytes));
  // The file first: a token in the file that the database does not know is replaced next time.
  await writePrivateText(file, token);
  const row = { id: 1, hash: digest(token), used: false };
  await db.insert(setupToken).values(row).onConflictDoUpdate({ target: setupToken.id, set: row });
  return token;
}
