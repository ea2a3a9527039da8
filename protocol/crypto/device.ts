/**
 * A device of an account: its two key pairs, its certificate, and the proof that it holds its DIK.
 * docs/protocol/devices.md §2, §3
 *
 *     DeviceCert = u8 1 ‖ u8 0x20 ‖ account 16 ‖ AIK 32 ‖ u32 device ‖ u32 addedDay ‖ DSK 32 ‖ DIK 32
 *                  ‖ signature 64      by DSK, purpose "device", over all before it
 *
 * The device says: I belong to this account under this AIK, with these keys. That the account says
 * so too is the AIK's signature over the device list that holds the certificate; there is no other
 * way to be a device of an account (docs/decisions/010-device-list.md).
 */
import { concat, Reader, utf8Bytes, Writer } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { type AccountId, accountId, type DeviceId, deviceId } from '../wire/ids.ts';
import { fromHex, hex } from '../wire/text.ts';
import {
  type DhPair,
  ed25519,
  equal,
  hkdf,
  hmac,
  type Random,
  randomBytes,
  type SigningPair,
  sha256Of,
  x25519,
} from './primitives.ts';
import { dhKey, signingKey } from './public-key.ts';
import { mustVerify, sign } from './signature.ts';

export interface DeviceKeys {
  account: AccountId;
  device: DeviceId;
  /** Signs. */
  dsk: SigningPair;
  /** Agrees on secrets. */
  dik: DhPair;
}

export interface DeviceCert {
  account: AccountId;
  /** The account identity key under which the device joined. */
  aik: Uint8Array;
  device: DeviceId;
  /** Days since 1970-01-01 UTC. */
  addedDay: number;
  dsk: Uint8Array;
  dik: Uint8Array;
  /** 64 bytes, by `dsk`. */
  signature: Uint8Array;
}

const version = 1;
const type = 0x20;
const hashLabel = utf8Bytes('PI/1/hash/device\0');

/** 9999-12-31: what is behind it is no day that anybody means. */
export const lastDay = 2_932_896;

/** The day of a moment, as structures carry it. `now`: Unix milliseconds. */
export const dayOf = (now: number): number => Math.floor(now / 86_400_000);

/** Two fresh key pairs; nothing of them is derived from the other. */
export function createDevice(options: {
  account: AccountId;
  device: DeviceId;
  random?: Random;
}): DeviceKeys {
  const { account, device, random = randomBytes } = options;
  return {
    account,
    device,
    dsk: ed25519.fromSeed(random(32)),
    dik: x25519.fromPrivate(random(32)),
  };
}

type Unsigned = Omit<DeviceCert, 'signature'>;

function signedFields(cert: Unsigned): Uint8Array {
  const out = new Writer(192).u8(version).u8(type).raw(fromHex(cert.account)).raw(cert.aik);
  return out.u32(cert.device).u32(cert.addedDay).raw(cert.dsk).raw(cert.dik).done();
}

/** The certificate by which `keys` join the account under `aik` (public). */
export function signDeviceCert(keys: DeviceKeys, aik: Uint8Array, addedDay: number): DeviceCert {
  const { account, device, dsk, dik } = keys;
  const cert = { account, aik, device, addedDay, dsk: dsk.public, dik: dik.public };
  return { ...cert, signature: sign('device', dsk, signedFields(cert)) };
}

/** Throws `bad_signature` unless the DSK in the certificate signed it. */
export function verifyDeviceCert(cert: DeviceCert): void {
  mustVerify('device', cert.dsk, signedFields(cert), cert.signature);
}

/** 186 bytes. */
export const encodeDeviceCert = (cert: DeviceCert): Uint8Array =>
  concat(signedFields(cert), cert.signature);

/** Form and keys are checked, the signature is not: `verifyDeviceCert` does that. */
export function decodeDeviceCert(bytes: Uint8Array): DeviceCert {
  const from = new Reader(bytes).header(version, type);
  const account = accountId(hex(from.raw(16)));
  const aik = signingKey(from.raw(32));
  const cert = { account, ...readDevice(from, aik) };
  from.end();
  return cert;
}

/** What follows the AIK in a certificate; a device list holds the same fields in the same order. */
export function readDevice(from: Reader, aik: Uint8Array): Omit<DeviceCert, 'account'> {
  const device = deviceId(from.u32());
  const addedDay = from.u32();
  const dsk = signingKey(from.raw(32));
  const dik = dhKey(from.raw(32));
  return { aik, device, addedDay, dsk, dik, signature: from.raw(64) };
}

/** What a DIK proof is about: SHA-256( "PI/1/hash/device" ‖ 0x00 ‖ certificate ). */
export const certHash = (cert: DeviceCert): Uint8Array =>
  sha256Of(hashLabel, encodeDeviceCert(cert));

/**
 * key   = HKDF( salt = challenge ‖ DIK, DH(DIK, challenge), "PI/1/dik-proof", 32 )
 * proof = HMAC( key, certHash )
 */
function dikProof(
  secret: Uint8Array,
  challenge: Uint8Array,
  dik: Uint8Array,
  hash: Uint8Array,
): Uint8Array {
  return hmac(hkdf(concat(challenge, dik), secret, 'PI/1/dik-proof', 32), hash);
}

/**
 * 32 bytes that only the holder of the DIK can make for this challenge (an X25519 public key of the
 * island, good once). Throws `not_canonical` for a challenge that would reveal anything.
 */
export function proveDik(dik: DhPair, challengePublic: Uint8Array, hash: Uint8Array): Uint8Array {
  return dikProof(x25519.dh(dik, dhKey(challengePublic)), challengePublic, dik.public, hash);
}

/** Throws `bad_proof` unless `proof` was made with the private half of `dikPublic` for this challenge and certificate. */
export function checkDikProof(
  challengePair: DhPair,
  dikPublic: Uint8Array,
  hash: Uint8Array,
  proof: Uint8Array,
): void {
  const secret = x25519.dh(challengePair, dhKey(dikPublic));
  if (!equal(dikProof(secret, challengePair.public, dikPublic, hash), proof)) {
    throw new Fault('bad_proof');
  }
}
