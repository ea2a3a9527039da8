/**
 * The two keys of the log: the one that signs checkpoints, whose hash is the log's name for ever, and the VRF's,
 * which hides labels. Secrets of the directory's vault. docs/protocol/transparency.md §6
 *
 *     origin = "pi-kt/" ‖ base32( SHA-256( public key 32 )[0..16) )
 */
import { ed25519, sha256 } from '@island/protocol/crypto/primitives.ts';
import { formatVkey, type NoteSigner, noteSigner } from '@island/protocol/transparency/note.ts';
import { deriveVrfKey, type VrfKey } from '@island/protocol/transparency/vrf.ts';
import { base32 } from '@island/protocol/wire/text.ts';
import type { VaultSecrets } from '../../kit/vault-secrets.ts';

export interface LogKeys {
  origin: string;
  /** Its line, as others pin it. */
  vkey: string;
  signer: NoteSigner;
  vrf: VrfKey;
}

/**
 * @param began whether the log has an epoch: another key would be another log
 * @param before how many logs it follows: each has a key of its own, and all have the VRF key of the first
 */
export async function openLogKeys(
  secrets: VaultSecrets,
  began: boolean,
  before = 0,
): Promise<LogKeys> {
  const pair = ed25519.fromSeed(await secrets.seed(secretOf(before), !began));
  const vrf = deriveVrfKey(await secrets.seed('log-vrf', !began && before === 0));
  const origin = `pi-kt/${base32(sha256(pair.public).subarray(0, 16))}`;
  const signer = noteSigner(origin, pair);
  return { origin, signer, vrf, vkey: formatVkey(signer.vkey) };
}

const secretOf = (before: number): string => (before === 0 ? 'log' : `log-${before + 1}`);
