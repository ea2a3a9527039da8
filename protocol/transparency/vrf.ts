/**
 * ECVRF-RISTRETTO255-SHA512 (c2sp.org/vrf-r255, RFC 9381 §7.10): a hash of a label that only who has the key can
 * evaluate and everybody who is shown a proof can check. docs/protocol/transparency.md §3.2
 *
 *     proof  = Gamma 32 ‖ c 16 ‖ s 32                      80 bytes
 *     output = SHA-512( suite ‖ 0x03 ‖ Gamma ‖ 0x00 )      64 bytes
 *
 * Names follow the RFC. For one key and label there is one output, whoever made the proof; the proof itself may
 * have several spellings, so nothing is ever compared by it.
 */
import { equal, sha512 } from '../crypto/primitives.ts';
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
import { TransparencyFault } from './transparency-fault.ts';

const suite = concat(Uint8Array.of(0xff), utf8Bytes('c2sp.org/vrf-r255'));
const challengeFront = concat(suite, Uint8Array.of(0x02));
const outputFront = concat(suite, Uint8Array.of(0x03));
const nonceFront = concat(suite, Uint8Array.of(0x81));
const encodeFront = concat(suite, Uint8Array.of(0x82));
const back = Uint8Array.of(0x00);
const keyLabel = utf8Bytes('pi-kt/v1 vrf-key\0');

export const vrfProofBytes = 80;

export interface VrfKey {
  /** The scalar x. */
  readonly private: Uint8Array;
  /** Y = x·B. */
  readonly public: Uint8Array;
}

/** The key of a scalar, 32 bytes. Throws `not_canonical` for one that is zero or not reduced. */
export function vrfKey(secret: Uint8Array): VrfKey {
  return { private: scalar(secret), public: multiplyBase(secret) };
}

/** x = SHA-512( "pi-kt/v1 vrf-key" ‖ 0x00 ‖ seed 32 ) mod q. */
export function deriveVrfKey(seed: Uint8Array): VrfKey {
  if (seed.length !== 32) throw new Fault('malformed');
  return vrfKey(reduced(sha512(concat(keyLabel, seed))));
}

/** ECVRF_encode_to_curve, with the public key as salt. */
const pointOf = (publicKey: Uint8Array, alpha: Uint8Array): Uint8Array =>
  elementFromHash(sha512(concat(encodeFront, publicKey, alpha)));

/** ECVRF_challenge_generation: 16 bytes. */
const challenge = (...points: readonly Uint8Array[]): Uint8Array =>
  sha512(concat(challengeFront, ...points, back)).subarray(0, 16);

const outputOf = (gamma: Uint8Array): Uint8Array => sha512(concat(outputFront, gamma, back));

/** A challenge as a scalar: it is below q by its length. */
function padded(c: Uint8Array): Uint8Array {
  const wide = new Uint8Array(32);
  wide.set(c);
  return wide;
}

/** ECVRF_prove. The same key and `alpha` always give the same proof. */
export function prove(key: VrfKey, alpha: Uint8Array): { proof: Uint8Array; output: Uint8Array } {
  const h = pointOf(key.public, alpha);
  const gamma = multiply(key.private, h);
  const k = reduced(sha512(concat(nonceFront, key.private, h)));
  const c = challenge(key.public, h, gamma, multiplyBase(k), multiply(k, h));
  const s = plusProduct(k, padded(c), key.private);
  return { proof: concat(gamma, c, s), output: outputOf(gamma) };
}

/**
 * ECVRF_verify with validated keys: the output, 64 bytes. Throws `vrf_invalid` for a proof of another key or
 * label, for points and scalars in another spelling than theirs, and for the identity.
 */
export function verify(publicKey: Uint8Array, alpha: Uint8Array, proof: Uint8Array): Uint8Array {
  const gamma = proof.subarray(0, 32);
  const c = proof.subarray(32, 48);
  if (proof.length !== vrfProofBytes || !equal(recomputed(publicKey, alpha, proof), c)) {
    throw new TransparencyFault('vrf_invalid');
  }
  return outputOf(gamma);
}

/** The challenge that belongs to a proof. */
function recomputed(publicKey: Uint8Array, alpha: Uint8Array, proof: Uint8Array): Uint8Array {
  try {
    element(publicKey);
    const gamma = element(proof.subarray(0, 32));
    const c = padded(proof.subarray(32, 48));
    const s = scalar(proof.subarray(48));
    const h = pointOf(publicKey, alpha);
    const u = subtract(multiplyBase(s), multiply(c, publicKey));
    const v = subtract(multiply(s, h), multiply(c, gamma));
    return challenge(publicKey, h, gamma, u, v);
  } catch (cause) {
    if (cause instanceof Fault) throw new TransparencyFault('vrf_invalid', { cause });
    throw cause;
  }
}
