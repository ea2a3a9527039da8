/** P-256 keys: made, read, named. Every key of the PKI is one; nothing else is accepted. */
import { createHash, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { Refusal } from './refusal.ts';

const generate = promisify(generateKeyPair);
const spkiPrefix = 26;

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
  const key = parse(spki);
  const curve = key?.asymmetricKeyDetails?.namedCurve;
  if (key?.asymmetricKeyType !== 'ec' || curve !== 'prime256v1') throw new Refusal('key_type');
  if (!spkiOf(key).equals(spki)) throw new Refusal('key_type');
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
  createHash('sha256').update(spkiOf(key).subarray(spkiPrefix)).digest().subarray(0, 20);
