/**
 * RFC 9497, ristretto255-SHA512 in verifiable mode: a keyed hash of an input that who holds the key never
 * sees, with one proof for a whole batch that everything was made with the key it is known by.
 * docs/protocol/tokens.md §3
 *
 * Names follow the RFC. Elements and scalars are 32 bytes each, a proof is c ‖ s.
 */
import { concat, utf8Bytes, Writer } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { equal, type Random, sha512 } from './primitives.ts';
import {
  add,
  element,
  elementFromHash,
  invert,
  minusProduct,
  multiply,
  multiplyBase,
  randomScalar,
  reduced,
  scalar,
} from './ristretto.ts';

const context = 'OPRFV1-\x01-ristretto255-SHA512';
const tag = (name: string): Uint8Array => utf8Bytes(name + context);
const toGroup = tag('HashToGroup-');
const toScalar = tag('HashToScalar-');
const toKey = tag('DeriveKeyPair');
const seedTag = tag('Seed-');
const composite = utf8Bytes('Composite');
const challenge = utf8Bytes('Challenge');
const finalized = utf8Bytes('Finalize');

const base = multiplyBase(Uint8Array.from([1, ...new Array<number>(31).fill(0)]));
/** One block of SHA-512. */
const blockOfZeros = new Uint8Array(128);

/** expand_message_xmd of RFC 9380 §5.3.1 with SHA-512, for 64 bytes. */
function expand(message: Uint8Array, dst: Uint8Array): Uint8Array {
  const end = concat(dst, Uint8Array.of(dst.length));
  const first = sha512(concat(blockOfZeros, message, Uint8Array.of(0, 64, 0), end));
  return sha512(concat(first, Uint8Array.of(1), end));
}

const hashToScalar = (message: Uint8Array, dst: Uint8Array): Uint8Array =>
  reduced(expand(message, dst));

export const hashToGroup = (input: Uint8Array): Uint8Array =>
  elementFromHash(expand(input, toGroup));

export interface VoprfKey {
  readonly private: Uint8Array;
  readonly public: Uint8Array;
}

/** DeriveKeyPair. `seed`: 32 bytes. */
export function deriveKey(seed: Uint8Array, info: Uint8Array): VoprfKey {
  if (seed.length !== 32) throw new Fault('malformed');
  const input = new Writer(128).raw(seed).var16(info);
  for (let counter = 0; counter < 256; counter++) {
    const secret = hashToScalar(concat(input.done(), Uint8Array.of(counter)), toKey);
    if (secret.some((byte) => byte !== 0)) return { private: secret, public: multiplyBase(secret) };
  }
  throw new Fault('internal');
}

/** Blind. `by`: from `randomScalar`, used once. */
export const blind = (input: Uint8Array, by: Uint8Array): Uint8Array =>
  multiply(by, hashToGroup(input));

/**
 * BlindEvaluateBatch: answers in the order of `blinded`, and their proof. Throws `not_canonical` for bytes
 * that are no element, and for the identity. `random`: for the proof; a repeated one gives the key away.
 */
export function evaluate(
  key: VoprfKey,
  blinded: readonly Uint8Array[],
  random?: Random,
): { evaluated: Uint8Array[]; proof: Uint8Array } {
  const evaluated = blinded.map((each) => multiply(key.private, element(each)));
  const r = randomScalar(random);
  const m = combined(weightsOf(key.public, blinded, evaluated), blinded);
  const z = multiply(key.private, m);
  const c = challengeOf(key.public, m, z, multiplyBase(r), multiply(r, m));
  return { evaluated, proof: concat(c, minusProduct(r, c, key.private)) };
}

/** VerifyProof. Throws `not_canonical` for bytes that are no element or no scalar. */
export function isProved(
  publicKey: Uint8Array,
  blinded: readonly Uint8Array[],
  evaluated: readonly Uint8Array[],
  proof: Uint8Array,
): boolean {
  if (blinded.length === 0 || evaluated.length !== blinded.length) return false;
  for (const each of [publicKey, ...evaluated]) element(each);
  const c = scalar(proof.subarray(0, 32));
  const s = scalar(proof.subarray(32));
  const weights = weightsOf(publicKey, blinded, evaluated);
  const m = combined(weights, blinded);
  const z = combined(weights, evaluated);
  const t2 = add(multiply(s, base), multiply(c, publicKey));
  const t3 = add(multiply(s, m), multiply(c, z));
  return equal(challengeOf(publicKey, m, z, t2, t3), c);
}

/** Finalize, after the proof was found good. */
export function finalize(input: Uint8Array, by: Uint8Array, evaluated: Uint8Array): Uint8Array {
  return outputOf(input, multiply(invert(by), evaluated));
}

/** Evaluate: what `finalize` gives, from the key itself. */
export const evaluateInput = (key: VoprfKey, input: Uint8Array): Uint8Array =>
  outputOf(input, multiply(key.private, hashToGroup(input)));

const outputOf = (input: Uint8Array, unblinded: Uint8Array): Uint8Array =>
  sha512(new Writer(256).var16(input).var16(unblinded).raw(finalized).done());

/** The d_i of ComputeComposites: they bind every pair to its place and to the key. */
function weightsOf(
  publicKey: Uint8Array,
  c: readonly Uint8Array[],
  d: readonly Uint8Array[],
): Uint8Array[] {
  const seed = sha512(new Writer(128).var16(publicKey).var16(seedTag).done());
  return c.map((each, i) => {
    const out = new Writer(256)
      .var16(seed)
      .u16(i)
      .var16(each)
      .var16(d[i] ?? new Uint8Array(0));
    return hashToScalar(out.raw(composite).done(), toScalar);
  });
}

function combined(weights: readonly Uint8Array[], elements: readonly Uint8Array[]): Uint8Array {
  const [first, ...others] = elements.map((each, i) => multiply(weights[i] ?? each, each));
  if (first === undefined) throw new Fault('malformed');
  return others.reduce(add, first);
}

function challengeOf(...elements: readonly Uint8Array[]): Uint8Array {
  const out = new Writer(256);
  for (const each of elements) out.var16(each);
  return hashToScalar(out.raw(challenge).done(), toScalar);
}
