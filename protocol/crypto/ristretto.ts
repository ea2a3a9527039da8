/**
 * The prime-order group ristretto255 (RFC 9496) over libsodium, whose multiplication takes the same time
 * for every scalar. Everything that comes from outside goes through `element` and `scalar` first.
 * docs/protocol/tokens.md §3
 */
import sodium from 'libsodium-wrappers-sumo';
import { Fault } from '../wire/fault.ts';
import { equal, type Random, randomBytes } from './primitives.ts';

await sodium.ready;

const identity = new Uint8Array(32);

/** libsodium throws where a result is the identity or an input is not reduced. */
function must<T>(work: () => T): T {
  try {
    return work();
  } catch {
    throw new Fault('not_canonical');
  }
}

/** A canonical element, 32 bytes, that is not the identity; else `not_canonical`. */
export function element(bytes: Uint8Array): Uint8Array {
  const good =
    bytes.length === 32 &&
    !equal(bytes, identity) &&
    sodium.crypto_core_ristretto255_is_valid_point(bytes);
  if (!good) throw new Fault('not_canonical');
  return bytes;
}

/** A scalar below the group order, 32 bytes, little-endian; else `not_canonical`. */
export function scalar(bytes: Uint8Array): Uint8Array {
  if (bytes.length !== 32 || !equal(reduced(bytes), bytes)) throw new Fault('not_canonical');
  return bytes;
}

/** At most 64 bytes, little-endian, modulo the group order. */
export function reduced(bytes: Uint8Array): Uint8Array {
  const wide = new Uint8Array(64);
  wide.set(bytes);
  return sodium.crypto_core_ristretto255_scalar_reduce(wide);
}

/** A scalar that is not zero. */
export function randomScalar(random: Random = randomBytes): Uint8Array {
  for (;;) {
    const made = reduced(random(64));
    if (!equal(made, identity)) return made;
  }
}

/** The one-way map of RFC 9496 §4.3.4, of 64 uniform bytes. What it gives is canonical: only the identity is refused. */
export function elementFromHash(uniform: Uint8Array): Uint8Array {
  const made = sodium.crypto_core_ristretto255_from_hash(uniform);
  if (equal(made, identity)) throw new Fault('not_canonical');
  return made;
}

/** `not_canonical` for the identity, in or out. */
export const multiply = (by: Uint8Array, point: Uint8Array): Uint8Array =>
  must(() => sodium.crypto_scalarmult_ristretto255(by, point));

export const multiplyBase = (by: Uint8Array): Uint8Array =>
  must(() => sodium.crypto_scalarmult_ristretto255_base(by));

export const add = (a: Uint8Array, b: Uint8Array): Uint8Array =>
  must(() => sodium.crypto_core_ristretto255_add(a, b));

export const subtract = (a: Uint8Array, b: Uint8Array): Uint8Array =>
  must(() => sodium.crypto_core_ristretto255_sub(a, b));

/** 1 / a, of a scalar that is not zero. */
export const invert = (a: Uint8Array): Uint8Array =>
  must(() => sodium.crypto_core_ristretto255_scalar_invert(a));

/** a - b · c */
export const minusProduct = (a: Uint8Array, b: Uint8Array, c: Uint8Array): Uint8Array =>
  sodium.crypto_core_ristretto255_scalar_sub(a, sodium.crypto_core_ristretto255_scalar_mul(b, c));

/** a + b · c */
export const plusProduct = (a: Uint8Array, b: Uint8Array, c: Uint8Array): Uint8Array =>
  sodium.crypto_core_ristretto255_scalar_add(a, sodium.crypto_core_ristretto255_scalar_mul(b, c));
