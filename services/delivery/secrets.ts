/**
 * The secret of delivery: one in the vault, and a key for each purpose derived from it. A lost one is made anew:
 * then tokens that were issued are good no more, and nothing else. docs/protocol/tokens.md §5
 */
import { createHmac } from 'node:crypto';
import type { VaultSecrets } from '../kit/vault-secrets.ts';

export interface TokenSecrets {
  /** Derives the keys that tokens are issued with. */
  seed: Uint8Array;
  /** Keys the hash of the accounts that get tokens. */
  holders: Uint8Array;
}

export async function openTokenSecrets(secrets: VaultSecrets): Promise<TokenSecrets> {
  const root = await secrets.seed('tokens', true);
  const derive = (purpose: string): Uint8Array =>
    createHmac('sha256', root).update(`island/delivery/${purpose}\0`).digest();
  return { seed: derive('token-keys'), holders: derive('token-holders') };
}
