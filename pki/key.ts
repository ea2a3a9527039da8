/** P-256 keys: made, read, named. Every key of the PKI is one; nothing else is accepted. */
import { createHash, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { Refusal } from './refusal.ts';

const generate = promisify(generateKeyPair);
/** id-ecPublicKey, prime256v1, BIT STRING: everything before the uncompressed point (04 ‖ x ‖ y) of an SPKI. */
const spkiPrefix = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d030107034200', 'hex');
const pointBytes = 65;

export interface KeyPair {
  publicKey: KeyObject;
  privateKey: KeyObject;
}

export const generateKey = (): Promise<KeyPair> => generate('ec', { namedCurve: 'prime256v1' });

/** SubjectPublicKeyInfo, DER: 91 bytes, uncompressed point, named curve. */
export const spkiOf = (key: KeyObject): Buffer =>
  (key.type === 'private' ? createPublicKey(key) : key).export({ format: 'der', type: 'spki' });

/**
 * Reads a SubjectPublicKeyInfo. Throws `key_type` for RSA, other curves, points off the curve, and
 * every other spelling of a P-256 key (compressed, explicit parameters, trailing bytes).
 */
export function readSpki(spki: Uint8Array): KeyObject {
  // Before OpenSSL sees it: that keeps explicit parameters as they came and still calls them prime256v1.
  const spelt =
    spki.length === spkiPrefix.length + pointBytes &&
    spkiPrefix.equals(spki.subarray(0, spkiPrefix.length)) &&
    spki[spkiPrefix.length] === 4;
  const key = spelt ? parse(spki) : undefined;
  if (key?.asymmetricKeyDetails?.namedCurve !== 'prime256v1') throw new Refusal('key_type');
  return key;
}

function parse(spki: Uint8Array): KeyObject | undefined {
  try {
    return createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  } catch {
    return undefined;
  }
}

/**
 * SubjectKeyIdentifier by RFC 7093 §2 method 1: the left 160 bits of SHA-256 over the public point.
 * A CA's identifier follows from its key, so the AuthorityKeyIdentifier of what it signs can't differ from it.
 */
export const keyId = (key: KeyObject): Buffer =>
  createHash('sha256').update(spkiOf(key).subarray(spkiPrefix.length)).digest().subarray(0, 20);
