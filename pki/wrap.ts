/**
 * The root key under a passphrase. docs/decisions/022-root-key.md
 *
 *     "PIRK" ‖ u8 1 ‖ u32 memory KiB ‖ u32 passes ‖ u8 lanes ‖ salt 16 ‖ nonce 12 ‖ ciphertext ‖ tag 16
 *
 * key = Argon2id(passphrase as NFC UTF-8, salt), 32 bytes; AES-256-GCM with everything before the
 * ciphertext as additional data; the plaintext is PKCS#8 DER.
 */
import {
  argon2,
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import { promisify } from 'node:util';
import { Refusal } from './refusal.ts';

const derive = promisify(argon2);

export interface WrapCost {
  /** KiB. */
  memory: number;
  passes: number;
  lanes: number;
}

/** A guess costs an attacker about three seconds of one core. */
export const wrapCost: WrapCost = { memory: 262_144, passes: 3, lanes: 2 };
/** A file that asks for more than this is not read: it could exhaust the machine. */
const ceiling: WrapCost = { memory: 2_097_152, passes: 16, lanes: 16 };

const magic = 'PIRK\x01';
const header = { cost: 5, salt: 14, nonce: 30, end: 42 };
const tagBytes = 16;
const shortest = 12;

/**
 * @param passphrase at least 12 characters
 * @returns the wrapped key as drawn above
 */
export async function wrapKey(
  key: KeyObject,
  passphrase: string,
  cost: WrapCost = wrapCost,
): Promise<Buffer> {
  if (passphrase.length < shortest) throw new Refusal('passphrase_short');
  const head = Buffer.alloc(header.end);
  head.write(magic, 'latin1');
  head.writeUInt32BE(cost.memory, header.cost);
  head.writeUInt32BE(cost.passes, header.cost + 4);
  head.writeUInt8(cost.lanes, header.cost + 8);
  randomBytes(header.end - header.salt).copy(head, header.salt);
  const plain = key.export({ format: 'der', type: 'pkcs8' });
  const cipher = createCipheriv(
    'aes-256-gcm',
    await stretch(head, passphrase, cost),
    nonceOf(head),
    {
      authTagLength: tagBytes,
    },
  ).setAAD(head);
  const sealed = Buffer.concat([head, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  plain.fill(0);
  return sealed;
}

/** Throws `not_wrapped` for another format, `passphrase` for a wrong passphrase and for any changed byte. */
export async function unwrapKey(file: Uint8Array, passphrase: string): Promise<KeyObject> {
  const bytes = Buffer.from(file);
  const cost = readCost(bytes);
  const head = bytes.subarray(0, header.end);
  const key = await stretch(head, passphrase, cost);
  // Without authTagLength, node:crypto accepts a tag of four bytes.
  const decipher = createDecipheriv('aes-256-gcm', key, nonceOf(head), { authTagLength: tagBytes })
    .setAAD(head)
    .setAuthTag(bytes.subarray(-tagBytes));
  try {
    const first = decipher.update(bytes.subarray(header.end, -tagBytes));
    const plain = Buffer.concat([first, decipher.final()]);
    return createPrivateKey({ key: plain, format: 'der', type: 'pkcs8' });
  } catch (cause) {
    throw new Refusal('passphrase', undefined, { cause });
  }
}

function readCost(bytes: Buffer): WrapCost {
  const known = bytes.subarray(0, magic.length).toString('latin1') === magic;
  if (!known || bytes.length <= header.end + tagBytes) throw new Refusal('not_wrapped');
  const memory = bytes.readUInt32BE(header.cost);
  const passes = bytes.readUInt32BE(header.cost + 4);
  const lanes = bytes.readUInt8(header.cost + 8);
  const sane =
    lanes >= 1 &&
    lanes <= ceiling.lanes &&
    passes >= 1 &&
    passes <= ceiling.passes &&
    memory >= 8 * lanes &&
    memory <= ceiling.memory;
  if (!sane) throw new Refusal('not_wrapped');
  return { memory, passes, lanes };
}

const nonceOf = (head: Buffer): Buffer => head.subarray(header.nonce, header.end);

function stretch(head: Buffer, passphrase: string, cost: WrapCost): Promise<Buffer> {
  return derive('argon2id', {
    message: Buffer.from(passphrase.normalize('NFC'), 'utf8'),
    nonce: head.subarray(header.salt, header.nonce),
    memory: cost.memory,
    passes: cost.passes,
    parallelism: cost.lanes,
    tagLength: 32,
  });
}
