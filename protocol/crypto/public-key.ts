/**
 * Public keys as they come out of a decoder: canonical, and never one that makes a secret
 * guessable. docs/protocol/encoding.md §5
 */

import { Fault } from '../wire/fault.ts';
import { fromHex } from '../wire/text.ts';
import { ed25519, equal, mlkem768, x25519 } from './primitives.ts';

/** The u coordinates below p whose multiples are of order 1, 2, 4 or 8, on the curve and on its twist. */
const smallOrderU = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
].map(fromHex);

/** An X25519 key, 32 bytes. Throws `not_canonical` for u ≥ p, a set high bit, or small order. */
export function dhKey(bytes: Uint8Array): Uint8Array {
  if (!x25519.isCanonical(bytes) || smallOrderU.some((u) => equal(u, bytes))) {
    throw new Fault('not_canonical');
  }
  return bytes;
}

/** An Ed25519 key, 32 bytes. Throws `not_canonical` for y ≥ p or small order. */
export function signingKey(bytes: Uint8Array): Uint8Array {
  if (!ed25519.isCanonical(bytes)) throw new Fault('not_canonical');
  return bytes;
}

/** An ML-KEM-768 key, 1,184 bytes. Throws `not_canonical` for a coefficient that is not reduced. */
export function kemKey(bytes: Uint8Array): Uint8Array {
  if (!mlkem768.isCanonical(bytes)) throw new Fault('not_canonical');
  return bytes;
}
