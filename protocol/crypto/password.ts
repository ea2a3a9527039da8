/**
 * What a password becomes before it leaves the client (A1), and the proof that goes with it.
 * docs/protocol/accounts.md §2
 *
 *     mk   = Argon2id(NFKC(password), salt 16, memory, passes, lanes, version 0x13, 32 bytes)
 *     auth = HKDF(salt = empty, mk, "PI/1/pw/auth", 32)    sent to the island
 *     wrap = HKDF(salt = empty, mk, "PI/1/pw/wrap", 32)    stays here: wraps the device's own storage
 *     key  = Ed25519 from the seed HKDF(salt = empty, mk, "PI/1/pw/key", 32)    the island has its public half
 *
 *     proof = signature by key, purpose "password", over nonce 40 ‖ island 32 ‖ text16 name ‖ u32 device ‖ auth 32
 *
 * `island` is SHA-256 of its root certificate, as the client has it pinned: what one island is shown is
 * worth nothing at another, where somebody has the same name and password.
 * `device` is 0 where somebody without a device begins to join. Whoever has recorded every `auth` that
 * was ever sent has no proof for the next nonce.
 */
import { utf8Bytes, Writer } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { leastKdf } from '../wire/limits.ts';
import { nonceBytes } from '../wire/route.ts';
import { ed25519, hkdf, type SigningPair } from './primitives.ts';
import { sign, signatureInput } from './signature.ts';

/** Argon2id parameters: `memory` in KiB. */
export interface KdfParameters {
  memory: number;
  passes: number;
  lanes: number;
}

/** What new accounts use, and the least that a client may be talked into. */
export const kdfFloor: Readonly<KdfParameters> = leastKdf;

/** The most that a client lets an island ask for: more would be a way to stop the client. */
export const kdfCeiling: Readonly<KdfParameters> = { memory: 1_048_576, passes: 16, lanes: 4 };

/** Answers 32 bytes of Argon2id, version 0x13. The client and the vectors each bring their own. */
export type Argon2id = (
  password: Uint8Array,
  salt: Uint8Array,
  parameters: KdfParameters,
) => Promise<Uint8Array>;

/** What a password becomes. */
export interface PasswordKeys {
  /** 32 bytes. */
  auth: Uint8Array;
  /** 32 bytes. */
  wrap: Uint8Array;
  key: SigningPair;
}

const fields = ['memory', 'passes', 'lanes'] as const;
const none = new Uint8Array(0);

/** Bytes of a password, at most. */
const passwordBytes = 1024;

/**
 * Throws `kdf_too_weak` if a parameter lies below the floor or below what this client has used with
 * this account before (`pinned`): an island that lowers them wants an easier hash to guess. Throws
 * `malformed` above the ceiling.
 */
export function checkKdf(offered: KdfParameters, pinned: KdfParameters = kdfFloor): void {
  for (const field of fields) {
    const value = offered[field];
    if (!Number.isInteger(value) || value > kdfCeiling[field]) throw new Fault('malformed');
    if (value < kdfFloor[field] || value < pinned[field]) throw new Fault('kdf_too_weak');
  }
}

/**
 * `password` as a person typed it: two spellings of the same characters give the same hash. `salt` is
 * 16 bytes. Throws what `checkKdf` throws, `malformed` for an empty or over-long password.
 */
export async function hashPassword(
  password: string,
  salt: Uint8Array,
  parameters: KdfParameters,
  argon2id: Argon2id,
  pinned?: KdfParameters,
): Promise<PasswordKeys> {
  checkKdf(parameters, pinned);
  if (salt.length !== 16 || !password.isWellFormed()) throw new Fault('malformed');
  const bytes = utf8Bytes(password.normalize('NFKC'));
  if (bytes.length === 0 || bytes.length > passwordBytes) throw new Fault('malformed');
  const mk = await argon2id(bytes, salt, parameters);
  bytes.fill(0);
  if (mk.length !== 32) throw new Fault('internal');
  const auth = hkdf(none, mk, 'PI/1/pw/auth', 32);
  const wrap = hkdf(none, mk, 'PI/1/pw/wrap', 32);
  const key = ed25519.fromSeed(hkdf(none, mk, 'PI/1/pw/key', 32));
  mk.fill(0);
  return { auth, wrap, key };
}

/** What a proof of the password is over. */
export interface PasswordClaim {
  /** 40 bytes, as the island gave them. */
  nonce: Uint8Array;
  /** 32 bytes: SHA-256 of the root certificate (DER). */
  island: Uint8Array;
  name: string;
  /** The device that asks, 0 for none. */
  device: number;
  auth: Uint8Array;
}

function fieldsOf({ nonce, island, name, device, auth }: PasswordClaim): Uint8Array {
  const formed = nonce.length === nonceBytes && island.length === 32 && auth.length === 32;
  if (!formed) throw new Fault('malformed');
  return new Writer(160).raw(nonce).raw(island).text16(name).u32(device).raw(auth).done();
}

/** 64 bytes. `key`: as `hashPassword` gave it, together with the `auth` of the claim. */
export const provePassword = (key: SigningPair, claim: PasswordClaim): Uint8Array =>
  sign('password', key, fieldsOf(claim));

/** Throws `wrong_credentials` unless `proof` was made with the key of this password for exactly this claim. */
export function checkPasswordProof(
  publicKey: Uint8Array,
  claim: PasswordClaim,
  proof: Uint8Array,
): void {
  if (!ed25519.verify(publicKey, signatureInput('password', fieldsOf(claim)), proof)) {
    throw new Fault('wrong_credentials');
  }
}
