/**
 * What is signed and what for. docs/protocol/encoding.md §4
 *
 *     signature = Ed25519( "PI/1/sig/<purpose>" ‖ 0x00 ‖ fields )
 *
 * No two kinds of structure share a purpose, so that a signature made for one never verifies as
 * another: no purpose is a prefix of another one's input, because the zero byte ends it.
 */
import { concat, utf8Bytes } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { ed25519, type SigningPair } from './primitives.ts';

export const purposes = [
  'device',
  'device-list',
  'device-list-rotation',
  'signed-prekey',
  'last-resort-prekey',
  'one-time-batch',
  'session',
  'password',
  'key-record',
  'archive-segment',
  'sender-key',
  'sender-certificate',
  'channel-post',
  'channel-history',
  'space-entry',
  'space-join',
] as const;
export type Purpose = (typeof purposes)[number];

const prefix = new Map(purposes.map((name) => [name, utf8Bytes(`PI/1/sig/${name}\0`)]));

export function signatureInput(purpose: Purpose, fields: Uint8Array): Uint8Array {
  return concat(prefix.get(purpose) ?? utf8Bytes(`PI/1/sig/${purpose}\0`), fields);
}

/** 64 bytes over `fields` for this purpose only. */
export const sign = (purpose: Purpose, pair: SigningPair, fields: Uint8Array): Uint8Array =>
  ed25519.sign(pair, signatureInput(purpose, fields));

/** Throws `bad_signature` unless `signature` is `publicKey`'s over `fields` for this purpose. */
export function mustVerify(
  purpose: Purpose,
  publicKey: Uint8Array,
  fields: Uint8Array,
  signature: Uint8Array,
): void {
  if (!ed25519.verify(publicKey, signatureInput(purpose, fields), signature)) {
    throw new Fault('bad_signature');
  }
}
