/**
 * The one-time token of the first operator. The database knows its hash, and the vault the token itself as
 * long as it is unused, so that each start can show it. docs/operations.md §8
 */
import { createHash, randomBytes } from 'node:crypto';
import { base64url } from '@island/protocol/wire/text.ts';
import type { VaultSecrets } from '../kit/vault-secrets.ts';
import type { ControlStore } from './database.ts';
import { setupToken } from './schema.ts';

const tokenBytes = 24;
const digest = (token: string): Buffer => createHash('sha256').update(token).digest();

/** Among the vault's secrets; earlier versions had a file of that name. */
export const setupTokenName = 'setup-token';

/**
 * The unused token: the one there is, or a new one when there is none or it was lost. `undefined` once
 * it was used.
 */
export const showSetupToken = (
  store: ControlStore,
  secrets: VaultSecrets,
): Promise<string | undefined> =>
  store.write(async (db, sql) => {
    const [row] = await db.select().from(setupToken);
    if (row?.used === true) return undefined;
    const kept = (await secrets.get(setupTokenName))?.toString().trim();
    if (kept !== undefined && row?.hash.equals(digest(kept)) === true) return kept;
    const token = base64url(randomBytes(tokenBytes));
    await secrets.put(sql, setupTokenName, Buffer.from(token));
    const next = { id: 1, hash: digest(token), used: false };
    await db
      .insert(setupToken)
      .values(next)
      .onConflictDoUpdate({ target: setupToken.id, set: next });
    return token;
  });
