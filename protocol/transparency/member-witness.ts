/**
 * Witnesses that are devices of an island's own members: known by the name of their key, in whose policy ever they
 * stand. docs/protocol/transparency.md §7.6
 *
 *     name = <origin of the log> ‖ "/member/" ‖ base32( SHA-256( public key 32 )[0..16) )      lower-case, no padding
 *
 * The name says which island's member, and nothing of who: it is made of the key alone.
 */
import { ed25519, type SigningPair, sha256 } from '../crypto/primitives.ts';
import { base32 } from '../wire/text.ts';
import { type Cosigner, ed25519Cosigner } from './cosignature.ts';
import { keyTypes, type Vkey } from './note.ts';

/** Characters of a verifier key, at most: an origin of 32 characters makes one of 118. */
export const memberVkeyMax = 256;

const idOf = (key: Uint8Array): string => base32(sha256(key).subarray(0, 16));

/** `seed`: of a key that signs nothing else. */
export function memberCosigner(origin: string, seed: Uint8Array): Cosigner {
  const pair: SigningPair = ed25519.fromSeed(seed);
  return ed25519Cosigner(`${origin}/member/${idOf(pair.public)}`, pair);
}

export const isMemberWitness = ({ type, name, key }: Vkey): boolean =>
  type === keyTypes.cosignature &&
  /^pi-kt\/[a-z2-7]{26}\/member\/[a-z2-7]{26}$/.test(name) &&
  name.endsWith(`/${idOf(key)}`);

/**
 * Of which kind a witness of a policy is: `member`, a device of somebody on the island itself; `other`, which has an
 * address; `hand`, which has none, and whose signatures are carried. Members of one island are one opinion.
 */
export type WitnessClass = 'member' | 'other' | 'hand';

export function witnessClass({ vkey, url }: { vkey: Vkey; url?: string }): WitnessClass {
  if (url !== undefined) return 'other';
  return isMemberWitness(vkey) ? 'member' : 'hand';
}
