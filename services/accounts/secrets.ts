/**
 * The secrets of accounts: one file, and a key for each purpose derived from it. Without the file
 * nobody could sign in again, so a missing one is refused as soon as there are people.
 * docs/protocol/accounts.md §2
 */
import { createHmac } from 'node:crypto';
import { join } from 'node:path';
import { openSecret } from '../kit/secret-file.ts';
import type { AccountsStore } from './database.ts';
import { people } from './schema.ts';

export interface Secrets {
  /** Keys the hash of `auth` that is stored. */
  pepper: Uint8Array;
  /** Invents salts and account ids for unknown names. */
  invention: Uint8Array;
  /** Derives refresh tokens. */
  refresh: Uint8Array;
  /** Keys the names of attempt counters. */
  attempts: Uint8Array;
}

export async function openSecrets(data: string, store: AccountsStore): Promise<Secrets> {
  const somebody = await store.read.select({ account: people.account }).from(people).limit(1);
  const root = await openSecret(join(data, 'pepper.key'), somebody.length === 0);
  const derive = (purpose: string): Uint8Array =>
    createHmac('sha256', root).update(`island/accounts/${purpose}\0`).digest();
  return {
    pepper: derive('pepper'),
    invention: derive('invention'),
    refresh: derive('refresh'),
    attempts: derive('attempts'),
  };
}
