/**
 * The keys of this witness: one name, and one key of each kind of c2sp.org/tlog-cosignature. Both are sealed at rest
 * and never change: whoever relies on this witness has them in a policy. docs/protocol/transparency.md §7
 *
 *     name = "pi-witness/" ‖ base32 of SHA-256( Ed25519 public key )[0..16), lower-case
 */
import { ed25519, mldsa44, sha256 } from '@island/protocol/crypto/primitives.ts';
import {
  type Cosigner,
  ed25519Cosigner,
  mldsaCosigner,
} from '@island/protocol/transparency/cosignature.ts';
import { formatVkey } from '@island/protocol/transparency/note.ts';
import { base32 } from '@island/protocol/wire/text.ts';
import type { VaultSecrets } from '../kit/vault-secrets.ts';

export interface WitnessKeys {
  name: string;
  /** As verifier keys of signed notes, in the order of `cosigners`. */
  keys: string[];
  cosigners: readonly Cosigner[];
}

/** @param mayMake whether nothing was signed yet: a witness that lost its keys is another one */
export async function openKeys(secrets: VaultSecrets, mayMake: boolean): Promise<WitnessKeys> {
  const pair = ed25519.fromSeed(await secrets.seed('ed25519', mayMake));
  const name = `pi-witness/${base32(sha256(pair.public).subarray(0, 16))}`;
  const lattice = mldsa44.fromSeed(await secrets.seed('ml-dsa-44', mayMake));
  const cosigners = [ed25519Cosigner(name, pair), mldsaCosigner(name, lattice)];
  return { name, keys: cosigners.map(({ vkey }) => formatVkey(vkey)), cosigners };
}
