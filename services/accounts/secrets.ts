/**
 * The secrets of accounts: one file, and a key for each purpose derived from it. Without the file
 * nobody could sign in again and nothing sealed would open, so a missing one is refused as soon as
 * the database holds any of it. docs/protocol/accounts.md §2, §8
 */
import { createHmac } from 'node:crypto';
import { join } from 'node:path';
import { createSealing, type Sealing } from '../kit/sealing.ts';
import { openSecret } from '../kit/secret-file.ts';
import type { AccountsStore } from './database.ts';
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
  /** What is stored sealed, each kind under a key of its own. */
  sealing: {
    signingKeys: Sealing;
    passwordKeys: Sealing;
    totp: Sealing;
    /** Shares of backup codes: code slots, staged records, joinings. */
    shares: Sealing;
    /** The organisation's client secret, and sign-ins with it under way. */
    oidc: Sealing;
  };
}

export async function openSecrets(data: string, store: AccountsStore): Promise<Secrets> {
  const somebody = await store.read.select({ account: people.account }).from(people).limit(1);
  const sealedKeys = await store.read.select({ kid: signingKeys.kid }).from(signingKeys).limit(1);
  const mayMake = somebody.length === 0 && sealedKeys.length === 0;
  const root = await openSecret(join(data, 'pepper.key'), mayMake);
  const derive = (purpose: string): Uint8Array =>
    createHmac('sha256', root).update(`island/accounts/${purpose}\0`).digest();
  const sealed = (purpose: string): Sealing => createSealing(derive(`sealing/${purpose}`));
  return {
    pepper: derive('pepper'),
    invention: derive('invention'),
    refresh: derive('refresh'),
    attempts: derive('attempts'),
    nonces: derive('nonces'),
    subjects: derive('subjects'),
    sealing: {
      signingKeys: sealed('signing-keys'),
      passwordKeys: sealed('password-keys'),
      totp: sealed('totp'),
      shares: sealed('shares'),
      oidc: sealed('oidc'),
    },
  };
}
