/**
 * The secrets of accounts: one root in the vault, and a key for each purpose derived from it. Without it nobody
 * could sign in again, so a missing one is refused as soon as the database holds any of it; what is stored
 * sealed is under the vault's own keys. docs/protocol/accounts.md §2, §8
 */
import { createHmac } from 'node:crypto';
import { join } from 'node:path';
import { openSealing, type Sealing } from '../kit/sealing.ts';
import type { Vault } from '../kit/vault.ts';
import type { AccountsStore } from './database.ts';
import { adoptFormer, sealedTables } from './former-sealing.ts';
import { people, signingKeys } from './schema.ts';

export interface Secrets {
  /** Keys the hash of `auth` that is stored. */
  pepper: Uint8Array;
  /** Invents salts and account ids for unknown names. */
  invention: Uint8Array;
  /** Derives refresh tokens. */
  refresh: Uint8Array;
  /** Keys the names of attempt counters. */
  attempts: Uint8Array;
  /** Keys the MAC of nonces. */
  nonces: Uint8Array;
  /** Keys the hash of what an organisation calls a person. */
  subjects: Uint8Array;
  /** What is stored sealed: signing keys, password keys, six-digit secrets, shares, the organisation's secret. */
  sealing: Sealing;
}

const root = 'root';

/** @param data the folder of accounts, where earlier versions kept the root */
export async function openSecrets(parts: {
  data: string;
  store: AccountsStore;
  vault: Vault;
}): Promise<Secrets> {
  const { data, store, vault } = parts;
  const sealing = await openSealing(vault, sealedTables);
  await adoptFormer({ store, vault, sealing, name: root }, join(data, 'pepper.key'));
  const somebody = await store.read.select({ account: people.account }).from(people).limit(1);
  const sealedKeys = await store.read.select({ kid: signingKeys.kid }).from(signingKeys).limit(1);
  const mayMake = somebody.length === 0 && sealedKeys.length === 0;
  const secret = await vault.secrets.seed(root, mayMake);
  const derive = (purpose: string): Uint8Array =>
    createHmac('sha256', secret).update(`island/accounts/${purpose}\0`).digest();
  return {
    pepper: derive('pepper'),
    invention: derive('invention'),
    refresh: derive('refresh'),
    attempts: derive('attempts'),
    nonces: derive('nonces'),
    subjects: derive('subjects'),
    sealing,
  };
}
