/**
 * ECVRF-RISTRETTO255-SHA512 (c2sp.org/vrf-r255, RFC 9381 §7.10): a hash of a label that only who has the key can
 * evaluate and everybody who is shown a proof can check. docs/protocol/transparency.md §3.2
 *
 *     proof  = Gamma 32 ‖ c 16 ‖ s 32                      80 bytes
 *     output = SHA-512( suite ‖ 0x03 ‖ Gamma ‖ 0x00 )      64 bytes
 *
 * For one key and label there is one output, whoever made the proof; the proof itself may have several spellings, so
 * nothing is ever compared by it.
 */
import { sha512 } from '../crypto/primitives.ts';
import {
  element,
  elementFromHash,
  multiply,
  multiplyBase,
  plusProduct,
  reduced,
  scalar,
  subtract,
} from '../crypto/ristretto.ts';
import { concat, utf8Bytes } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { type EcvrfKey, type EcvrfSuite, ecvrf } from './ecvrf.ts';

const name = concat(Uint8Array.of(0xff), utf8Bytes('c2sp.org/vrf-r255'));
const nonceFront = concat(name, Uint8Array.of(0x81));
const encodeFront = concat(name, Uint8Array.of(0x82));
const keyLabel = utf8Bytes('pi-kt/v1 vrf-key\0');

export type VrfKey = EcvrfKey;

/** Its group has no cofactor; nonce and encoding are those of c2sp.org/vrf-r255. */
const suite: EcvrfSuite<VrfKey> = {
  ...{ name, pointBytes: 32, challengeBytes: 16, scalarBytes: 32, hash: sha512 },
  encodeToCurve: (publicKey, alpha) =>
    elementFromHash(sha512(concat(encodeFront, publicKey, alpha))),
  nonce: (key, h) => reduced(sha512(concat(nonceFront, key.private, h))),
  ...{ publicKey: element, point: element, scalar },
  ...{ multiply, multiplyBase, subtract, plusProduct },
  clearCofactor: (point) => point,
};

/**
 * `verify` throws `vrf_invalid` for a proof of another key or label, for points and scalars in another spelling than
 * theirs, and for the identity; else it gives the output, 64 bytes.
 */
export const { proofBytes: vrfProofBytes, proofToHash, prove, verify } = ecvrf(suite);

/** The key of a scalar, 32 bytes. Throws `not_canonical` for one that is zero or not reduced. */
export function vrfKey(secret: Uint8Array): VrfKey {
  return { private: scalar(secret), public: multiplyBase(secret) };
}

/** x = SHA-512( "pi-kt/v1 vrf-key" ‖ 0x00 ‖ seed 32 ) mod q. */
export function deriveVrfKey(seed: Uint8Array): VrfKey {
  if (seed.length !== 32) throw new Fault('malformed');
  return vrfKey(reduced(sha512(concat(keyLabel, seed))));
}
