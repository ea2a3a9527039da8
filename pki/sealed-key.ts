/**
 * The issuing and the edge CA's keys at rest: under a key that lies outside of the data folder, so that a copy
 * of the folder signs nothing (M5). docs/protocol/at-rest.md §4
 *
 *     "PICK" ‖ u8 1 ‖ u32 version of the key ‖ nonce 12 ‖ ciphertext ‖ tag 16
 *
 * AES-256-GCM with everything before the ciphertext and then the role as additional data; the plaintext is
 * PKCS#8 DER. The root's key is under a passphrase instead: wrap.ts.
 */
import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import { Refusal } from './refusal.ts';

/** What keys of the CA are sealed under, by version. */
export interface SealingKeys {
  readonly newest: number;
  kek(version: number): KeyObject | undefined;
}

const magic = 'PICK\x01';
const nonceAt = magic.length + 4;
const bodyAt = nonceAt + 12;
/** A shorter tag would be accepted unless said. */
const tag = { authTagLength: 16 } as const;

/** @param nonce for known answers only; drawn otherwise */
export function sealKey(
  key: KeyObject,
  role: string,
  keys: SealingKeys,
  nonce: Uint8Array = randomBytes(12),
): Buffer {
  const kek = keys.kek(keys.newest);
  if (kek === undefined) throw new TypeError('there is no key to seal under');
  const head = Buffer.alloc(bodyAt);
  head.write(magic, 'latin1');
  head.writeUInt32BE(keys.newest, magic.length);
  head.set(nonce, nonceAt);
  const plain = key.export({ format: 'der', type: 'pkcs8' });
  const cipher = createCipheriv('aes-256-gcm', kek, nonce, tag).setAAD(placeOf(head, role));
  const sealed = Buffer.concat([head, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  plain.fill(0);
  return sealed;
}

/** The version that it was sealed under; undefined when it can't be a sealed key. */
export function versionOf(file: Uint8Array): number | undefined {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.length);
  const known = bytes.subarray(0, magic.length).toString('latin1') === magic;
  if (!known || bytes.length <= bodyAt + tag.authTagLength) return undefined;
  return bytes.readUInt32BE(magic.length);
}

/**
 * Throws `key_version` when the master key is older than the file, `sealed_key` for another key or role and for
 * any changed byte.
 */
export function openKey(file: Uint8Array, role: string, keys: SealingKeys): KeyObject {
  const version = versionOf(file);
  if (version === undefined) throw new Refusal('sealed_key', role);
  const kek = keys.kek(version);
  if (kek === undefined) throw new Refusal('key_version', `${role}, version ${version}`);
  const end = file.length - tag.authTagLength;
  const decipher = createDecipheriv('aes-256-gcm', kek, file.subarray(nonceAt, bodyAt), tag)
    .setAAD(placeOf(file.subarray(0, bodyAt), role))
    .setAuthTag(file.subarray(end));
  const plain = decipher.update(file.subarray(bodyAt, end));
  try {
    decipher.final();
    return createPrivateKey({ key: plain, format: 'der', type: 'pkcs8' });
  } catch (cause) {
    throw new Refusal('sealed_key', role, { cause });
  } finally {
    plain.fill(0);
  }
}

const placeOf = (head: Uint8Array, role: string): Buffer =>
  Buffer.concat([head, Buffer.from(role)]);
