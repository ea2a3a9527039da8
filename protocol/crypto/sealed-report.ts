/**
 * A report that only the devices of those who moderate open. docs/protocol/channel.md §9
 *
 *     sealed = head ‖ u8 n 1 to 64 × { account 16 ‖ u32 device ‖ E 32 ‖ slot 48 }
 *     head   = u8 1 ‖ u8 0xa5 ‖ nonce 24 ‖ commitment 32 ‖ var16 body
 *     key 32 ‖ commitment 32 = HKDF(salt nonce, CEK, "PI/1/report", 64)             CEK random
 *     body   = XChaCha20-Poly1305(key, nonce, report, AD = u8 1 ‖ u8 0xa5 ‖ nonce ‖ commitment)
 *     key ‖ nonce' = HKDF( salt = "PI/1/report-slot" ‖ DIK ‖ E, DH(E, DIK), "PI/1/report-slot", 44 )
 *     slot   = ChaCha20-Poly1305( key, nonce', CEK, AD = SHA-256(head) ‖ account ‖ u32 device )     E fresh for each
 *
 * The commitment: one report for everybody who opens it, whatever key they were given.
 */
import { concat, Reader, utf8Bytes, Writer } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { type AccountId, accountId, type DeviceId, deviceId } from '../wire/ids.ts';
import { fromHex, hex } from '../wire/text.ts';
import { readEach, writeEach } from './body-fields.ts';
import { CryptoFault } from './crypto-fault.ts';
import {
  chacha,
  type DhPair,
  equal,
  hkdf,
  type Random,
  randomBytes,
  sha256,
  x25519,
  xchacha,
} from './primitives.ts';
import { dhKey } from './public-key.ts';
import { decodeReport, encodeReport, longestReport, type Report } from './report.ts';

/** A device that may open a report. `dik`: from its account's opened list. */
export interface ReportReader {
  account: AccountId;
  device: DeviceId;
  dik: Uint8Array;
}

interface Slot {
  account: AccountId;
  device: DeviceId;
  ephemeral: Uint8Array;
  sealed: Uint8Array;
}

/** A sealed report that is in form. */
export interface SealedReport {
  nonce: Uint8Array;
  commitment: Uint8Array;
  body: Uint8Array;
  /** No device twice. */
  slots: readonly Slot[];
}

const version = 1;
const type = 0xa5;
const slotBytes = 48;
const label = utf8Bytes('PI/1/report');
const slotLabel = utf8Bytes('PI/1/report-slot');

/** Devices that one report is sealed for. */
export const reportReaders = 64;
/** The longest sealed report, bytes. */
export const longestSealedReport = 61 + longestReport + 16 + reportReaders * 100;

const bodyAd = (nonce: Uint8Array, commitment: Uint8Array): Uint8Array =>
  concat(Uint8Array.of(version, type), nonce, commitment);

const headOf = ({ nonce, commitment, body }: Omit<SealedReport, 'slots'>): Uint8Array =>
  new Writer(60 + body.length).raw(bodyAd(nonce, commitment)).var16(body).done();

function reportKeys(cek: Uint8Array, nonce: Uint8Array) {
  const both = hkdf(nonce, cek, label, 64);
  return { key: both.subarray(0, 32), commitment: both.subarray(32) };
}

function slotKeys(secret: Uint8Array, dik: Uint8Array, ephemeral: Uint8Array) {
  const both = hkdf(concat(slotLabel, dik, ephemeral), secret, slotLabel, 44);
  return { key: both.subarray(0, 32), nonce: both.subarray(32) };
}

const slotAd = (headHash: Uint8Array, { account, device }: Omit<ReportReader, 'dik'>): Uint8Array =>
  new Writer(52).raw(headHash).raw(fromHex(account)).u32(device).done();

/** `readers`: 1 to `reportReaders` devices, none twice. */
export function sealReport(
  report: Report,
  readers: readonly ReportReader[],
  random: Random = randomBytes,
): Uint8Array {
  const [cek, nonce] = [random(32), random(24)];
  const { key, commitment } = reportKeys(cek, nonce);
  const body = xchacha.seal(key, nonce, encodeReport(report), bodyAd(nonce, commitment));
  const head = headOf({ nonce, commitment, body });
  const headHash = sha256(head);
  const out = new Writer(head.length + 1 + readers.length * 100).raw(head);
  writeEach(
    out,
    readers,
    (reader) => {
      const ephemeral = x25519.fromPrivate(random(32));
      const secret = x25519.dh(ephemeral, dhKey(reader.dik));
      const slot = slotKeys(secret, reader.dik, ephemeral.public);
      out.raw(fromHex(reader.account)).u32(reader.device).raw(ephemeral.public);
      out.raw(chacha.seal(slot.key, slot.nonce, cek, slotAd(headHash, reader)));
    },
    reportReaders,
  );
  const sealed = out.done();
  readSealedReport(sealed);
  return sealed;
}

/** Form only: what the island checks. */
export function readSealedReport(bytes: Uint8Array): SealedReport {
  if (bytes.length > longestSealedReport) throw new Fault('too_large');
  const from = new Reader(bytes).header(version, type);
  const [nonce, commitment] = [from.raw(24), from.raw(32)];
  const body = from.var16(longestReport + 16);
  const slots = readEach(from, () => readSlot(from), reportReaders);
  from.end();
  const devices = new Set(slots.map(({ account, device }) => `${account}.${device}`));
  if (devices.size !== slots.length) throw new Fault('malformed');
  return { nonce, commitment, body, slots };
}

function readSlot(from: Reader): Slot {
  const account = accountId(hex(from.raw(16)));
  const device = deviceId(from.u32());
  return { account, device, ephemeral: dhKey(from.raw(32)), sealed: from.raw(slotBytes) };
}

/** Throws `CryptoFault` `unsealable` unless the report was sealed for this device and is whole. */
export function openReport(
  bytes: Uint8Array,
  { account, device, dik }: { account: AccountId; device: DeviceId; dik: DhPair },
): Report {
  const { slots, ...sealed } = readSealedReport(bytes);
  const slot = slots.find((each) => each.account === account && each.device === device);
  if (slot === undefined) throw new CryptoFault('unsealable');
  const { nonce, commitment, body } = sealed;
  const own = slotKeys(x25519.dh(dik, slot.ephemeral), dik.public, slot.ephemeral);
  const ad = slotAd(sha256(headOf(sealed)), slot);
  const cek = chacha.open(own.key, own.nonce, slot.sealed, ad);
  if (cek === undefined) throw new CryptoFault('unsealable');
  const keys = reportKeys(cek, nonce);
  if (!equal(keys.commitment, commitment)) throw new CryptoFault('unsealable');
  const plain = xchacha.open(keys.key, nonce, body, bodyAd(nonce, commitment));
  if (plain === undefined) throw new CryptoFault('unsealable');
  return decodeReport(plain);
}
