/**
 * A verifiable random function over an elliptic curve, of any suite whose integers are little-endian. RFC 9381 §5
 *
 *     proof     = Gamma ‖ c ‖ s                                           pointBytes + challengeBytes + scalarBytes
 *     challenge = hash( suite ‖ 0x02 ‖ Y ‖ H ‖ Gamma ‖ U ‖ V ‖ 0x00 )[0..challengeBytes)
 *     output    = hash( suite ‖ 0x03 ‖ cofactor · Gamma ‖ 0x00 )
 *
 * Names follow the RFC. Points and scalars are the bytes that stand for them. An island runs one suite (vrf.ts); tests
 * run those that the RFC has vectors for through the same lines.
 */
import { equal } from '../crypto/primitives.ts';
import { concat } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { TransparencyFault } from './transparency-fault.ts';

export interface EcvrfKey {
  /** The scalar x. */
  readonly private: Uint8Array;
  /** Y = x·B. */
  readonly public: Uint8Array;
}

/** RFC 9381 §5.5. What decodes throws a `Fault` for what is in no form, or in another than its one. */
export interface EcvrfSuite<Key extends EcvrfKey> {
  /** suite_string. */
  readonly name: Uint8Array;
  readonly pointBytes: number;
  readonly challengeBytes: number;
  readonly scalarBytes: number;
  hash(bytes: Uint8Array): Uint8Array;
  /** ECVRF_encode_to_curve (§5.4.1), with the public key as salt. */
  encodeToCurve(publicKey: Uint8Array, alpha: Uint8Array): Uint8Array;
  /** ECVRF_nonce_generation (§5.4.2): a scalar. */
  nonce(key: Key, h: Uint8Array): Uint8Array;
  /** string_to_point, and what ECVRF_validate_key (§5.4.5) asks of it. */
  publicKey(bytes: Uint8Array): Uint8Array;
  /** string_to_point. */
  point(bytes: Uint8Array): Uint8Array;
  /** A scalar below the order of the group. */
  scalar(bytes: Uint8Array): Uint8Array;
  multiply(by: Uint8Array, point: Uint8Array): Uint8Array;
  multiplyBase(by: Uint8Array): Uint8Array;
  subtract(a: Uint8Array, b: Uint8Array): Uint8Array;
  /** cofactor · point. */
  clearCofactor(point: Uint8Array): Uint8Array;
  /** Scalars: a + b · c. */
  plusProduct(a: Uint8Array, b: Uint8Array, c: Uint8Array): Uint8Array;
}

export interface Ecvrf<Key extends EcvrfKey> {
  readonly proofBytes: number;
  /**
   * ECVRF_proof_to_hash (§5.2): the output that a proof is of, if it is one, which `verify` tells. Throws
   * `vrf_invalid` for what is no proof by its form.
   */
  proofToHash(proof: Uint8Array): Uint8Array;
  /** ECVRF_prove (§5.1). The same key and `alpha` always give the same proof. */
  prove(key: Key, alpha: Uint8Array): { proof: Uint8Array; output: Uint8Array };
  /**
   * ECVRF_verify with validate_key (§5.3): the output. Throws `vrf_invalid` for a proof of another key or `alpha`,
   * and for points and scalars that the suite does not decode.
   */
  verify(publicKey: Uint8Array, alpha: Uint8Array, proof: Uint8Array): Uint8Array;
}

const back = Uint8Array.of(0x00);

function refusing<T>(work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof Fault) throw new TransparencyFault('vrf_invalid', { cause });
    throw cause;
  }
}

export function ecvrf<Key extends EcvrfKey>(suite: EcvrfSuite<Key>): Ecvrf<Key> {
  const { pointBytes, challengeBytes, scalarBytes, multiply, multiplyBase, subtract } = suite;
  const proofBytes = pointBytes + challengeBytes + scalarBytes;
  const challengeFront = concat(suite.name, Uint8Array.of(0x02));
  const outputFront = concat(suite.name, Uint8Array.of(0x03));

  /** ECVRF_challenge_generation (§5.4.3). */
  const challenge = (...points: readonly Uint8Array[]): Uint8Array =>
    suite.hash(concat(challengeFront, ...points, back)).subarray(0, challengeBytes);

  /** Of a Gamma that was decoded. */
  const outputOf = (gamma: Uint8Array): Uint8Array =>
    suite.hash(concat(outputFront, suite.clearCofactor(gamma), back));

  /** A challenge as a scalar: it is below the order by its length. */
  function padded(c: Uint8Array): Uint8Array {
    const wide = new Uint8Array(scalarBytes);
    wide.set(c);
    return wide;
  }

  /** The challenge that belongs to a proof of the right length (§5.4.4, then §5.3). */
  function recomputed(publicKey: Uint8Array, alpha: Uint8Array, proof: Uint8Array): Uint8Array {
    const y = suite.publicKey(publicKey);
    const gamma = suite.point(proof.subarray(0, pointBytes));
    const c = padded(proof.subarray(pointBytes, pointBytes + challengeBytes));
    const s = suite.scalar(proof.subarray(pointBytes + challengeBytes));
    const h = suite.encodeToCurve(y, alpha);
    const u = subtract(multiplyBase(s), multiply(c, y));
    const v = subtract(multiply(s, h), multiply(c, gamma));
    return challenge(y, h, gamma, u, v);
  }

  function isProof(publicKey: Uint8Array, alpha: Uint8Array, proof: Uint8Array): boolean {
    if (proof.length !== proofBytes) return false;
    const c = proof.subarray(pointBytes, pointBytes + challengeBytes);
    return equal(recomputed(publicKey, alpha, proof), c);
  }

  return {
    proofBytes,
    prove(key, alpha) {
      const h = suite.encodeToCurve(key.public, alpha);
      const gamma = multiply(key.private, h);
      const k = suite.nonce(key, h);
      const c = challenge(key.public, h, gamma, multiplyBase(k), multiply(k, h));
      const s = suite.plusProduct(k, padded(c), key.private);
      return { proof: concat(gamma, c, s), output: outputOf(gamma) };
    },
    proofToHash: (proof) =>
      refusing(() => {
        if (proof.length !== proofBytes) throw new Fault('malformed');
        suite.scalar(proof.subarray(pointBytes + challengeBytes));
        return outputOf(suite.point(proof.subarray(0, pointBytes)));
      }),
    verify: (publicKey, alpha, proof) =>
      refusing(() => {
        if (isProof(publicKey, alpha, proof)) return outputOf(proof.subarray(0, pointBytes));
        throw new TransparencyFault('vrf_invalid');
      }),
  };
}
