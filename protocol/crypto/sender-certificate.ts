/**
 * The island's word, inside a sealed envelope, that its sender is a device of this island: keeps strangers
 * from costing recipients work. It proves no message: that is the ratchet's. docs/protocol/dm.md §9
 *
 *     chain       = signingKey ‖ certificate                                                    348 bytes
 *     signingKey  = u8 1 ‖ u8 0x34 ‖ u32 kid ‖ public 32 ‖ u32 nbfDay ‖ u32 expDay
 *                   ‖ signature 64    by the root, purpose "sender-key"
 *     certificate = u8 1 ‖ u8 0x35 ‖ name 32 ‖ account 16 ‖ u32 device ‖ AIK 32 ‖ DSK 32 ‖ DIK 32
 *                   ‖ u32 listEpoch ‖ u64 nbf ‖ u64 exp ‖ u32 kid
 *                   ‖ signature 64    by that key, purpose "sender-certificate"
 *
 * A message may wait as long as an envelope may: what was good when it was sent is good when it is read.
 */
import { concat, Reader, utf8Bytes, Writer } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { type AccountId, accountId, type DeviceId, deviceId, personName } from '../wire/ids.ts';
import { limits } from '../wire/limits.ts';
import { fromHex, hex } from '../wire/text.ts';
import { CryptoFault } from './crypto-fault.ts';
import type { SigningPair } from './primitives.ts';
import { dhKey, signingKey } from './public-key.ts';
import { mustVerify, sign } from './signature.ts';

/** Whom the certificate is about. */
export interface CertifiedSender {
  name: string;
  account: AccountId;
  device: DeviceId;
  aik: Uint8Array;
  dsk: Uint8Array;
  dik: Uint8Array;
  /** Of the device list that the island had. */
  listEpoch: number;
}

export interface SenderCertificate extends CertifiedSender {
  /** Unix seconds: from when, and until when it may be sent with. */
  notBefore: number;
  expires: number;
  /** Of the key that signed it. */
  kid: number;
}

/** A key that signs certificates, for certificates that begin on one of its days; `expDay` is none of them. */
export interface SenderKey {
  kid: number;
  public: Uint8Array;
  nbfDay: number;
  expDay: number;
}

/** What the island signs certificates with. `bytes`: from `signSenderKey`, for the public half of `pair`. */
export interface CertificateSigner {
  bytes: Uint8Array;
  pair: SigningPair;
}

const version = 1;
const keyType = 0x34;
const certificateType = 0x35;
/** Seconds by which a recipient's clock may be behind the island's. */
const clockSeconds = 3600;
const daySeconds = 86_400;

export const senderKeyBytes = 110;
/** Of a signing key and its certificate together: what an envelope carries. */
export const certificateBytes = senderKeyBytes + 238;

/** Throws `malformed` for a key that no reader would accept. */
export function signSenderKey(root: SigningPair, key: SenderKey): Uint8Array {
  const out = new Writer(senderKeyBytes).u8(version).u8(keyType).u32(key.kid).raw(key.public);
  const fields = out.u32(key.nbfDay).u32(key.expDay).done();
  const bytes = concat(fields, sign('sender-key', root, fields));
  readSenderKey(bytes, root.public);
  return bytes;
}

/** Throws `bad_signature` unless `root` (public) signed it. */
export function readSenderKey(bytes: Uint8Array, root: Uint8Array): SenderKey {
  const from = new Reader(bytes).header(version, keyType);
  const kid = from.u32();
  const key = { kid, public: signingKey(from.raw(32)), nbfDay: from.u32(), expDay: from.u32() };
  const signature = from.raw(64);
  from.end();
  const days = key.expDay - key.nbfDay;
  if (days < 1 || days > limits.senderKeyDays) throw new Fault('malformed');
  mustVerify('sender-key', root, bytes.subarray(0, -64), signature);
  return key;
}

/** The chain for `sender`, good from `notBefore` (Unix seconds) on for `limits.senderCertificateSeconds`. */
export function issueCertificate(
  { bytes, pair }: CertificateSigner,
  sender: CertifiedSender,
  notBefore: number,
): Uint8Array {
  const out = new Writer(certificateBytes).u8(version).u8(certificateType);
  const name = new Uint8Array(limits.nameCharacters);
  name.set(utf8Bytes(personName(sender.name)));
  out.raw(name).raw(fromHex(sender.account)).u32(sender.device);
  out.raw(sender.aik).raw(sender.dsk).raw(sender.dik).u32(sender.listEpoch);
  out.u64(notBefore).u64(notBefore + limits.senderCertificateSeconds);
  const fields = out.u32(new Reader(bytes.subarray(2)).u32()).done();
  return concat(bytes, fields, sign('sender-certificate', pair, fields));
}

/**
 * Everything but the time: answers the same for the same bytes, so that it may be kept.
 * Throws `CryptoFault` `certificate_invalid`.
 */
export function readCertificate(bytes: Uint8Array, root: Uint8Array): SenderCertificate {
  try {
    if (bytes.length !== certificateBytes) throw new Fault('malformed');
    const key = readSenderKey(bytes.subarray(0, senderKeyBytes), root);
    const signed = bytes.subarray(senderKeyBytes);
    const certificate = decodeCertificate(signed);
    mustVerify('sender-certificate', key.public, signed.subarray(0, -64), signed.subarray(-64));
    if (!belongs(certificate, key)) throw new Fault('malformed');
    return certificate;
  } catch (error) {
    if (error instanceof Fault) throw new CryptoFault('certificate_invalid');
    throw error;
  }
}

function decodeCertificate(bytes: Uint8Array): SenderCertificate {
  const from = new Reader(bytes).header(version, certificateType);
  const name = readName(from.raw(limits.nameCharacters));
  const account = accountId(hex(from.raw(16)));
  const device = deviceId(from.u32());
  const aik = signingKey(from.raw(32));
  const dsk = signingKey(from.raw(32));
  const keys = { aik, dsk, dik: dhKey(from.raw(32)), listEpoch: from.u32() };
  const times = { notBefore: from.u64(), expires: from.u64(), kid: from.u32() };
  from.raw(64);
  from.end();
  return { name, account, device, ...keys, ...times };
}

/** The key that signed was good when the certificate began, and the certificate lives no longer than it may. */
function belongs({ notBefore, expires, kid }: SenderCertificate, key: SenderKey): boolean {
  const day = Math.floor(notBefore / daySeconds);
  const life = expires - notBefore;
  return (
    kid === key.kid &&
    day >= key.nbfDay &&
    day < key.expDay &&
    life > 0 &&
    life <= limits.senderCertificateSeconds
  );
}

/** One spelling for one name: zeros only after it. */
function readName(field: Uint8Array): string {
  const end = field.indexOf(0);
  const name = end === -1 ? field : field.subarray(0, end);
  if (field.subarray(name.length).some((byte) => byte !== 0)) throw new Fault('malformed');
  return personName(String.fromCharCode(...name));
}

/**
 * Whether an envelope with this certificate may be read now (Unix milliseconds). Throws `CryptoFault`
 * `certificate_expired` after the time for which the island may have kept the envelope, and
 * `certificate_invalid` for one from the future.
 */
export function checkCertificateTime(certificate: SenderCertificate, now: number): void {
  const seconds = now / 1000;
  const waits = (limits.envelopeDays + 1) * daySeconds;
  if (seconds > certificate.expires + waits) throw new CryptoFault('certificate_expired');
  if (seconds < certificate.notBefore - clockSeconds) throw new CryptoFault('certificate_invalid');
}

/** @param root the island's, as it was pinned. @param now Unix milliseconds. */
export function openCertificate(
  bytes: Uint8Array,
  root: Uint8Array,
  now: number,
): SenderCertificate {
  const certificate = readCertificate(bytes, root);
  checkCertificateTime(certificate, now);
  return certificate;
}
