/**
 * The secrets of an account, sealed for each of its devices and each of its backup codes (A3, A4).
 * docs/protocol/keys.md §4, §5
 *
 *     head   = u8 1 ‖ u8 0x60 ‖ account 16 ‖ u32 version ‖ prevHash 32 ‖ listHash 32 ‖ u32 listEpoch
 *              ‖ u32 firstEpoch ‖ u32 arkEpoch ‖ codes salt 16 ‖ u32 memory ‖ u32 passes ‖ u32 lanes
 *     fields = head ‖ var32 keyring ‖ u8 d ‖ d × { u32 device ‖ var16 sealed }
 *              ‖ u8 c ‖ c × { loc 16 ‖ SHA-256(proof) 32 ‖ dh 32 ‖ anchor 32 ‖ var16 sealed }
 *     record = fields ‖ signature 64      by the AIK of the list, purpose "key-record"
 *     hash   = SHA-256( "PI/1/hash/key-record" ‖ 0x00 ‖ record )
 *
 * Slots are sealed to public keys, which anybody could do: that a slot is the person's own work is the
 * signature, and that the signature is the right one, for somebody who has only a code, is the anchor.
 */
import { concat, Reader, utf8Bytes, Writer } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { type AccountId, accountId, type DeviceId, deviceId } from '../wire/ids.ts';
import { limits } from '../wire/limits.ts';
import { fromHex, hex } from '../wire/text.ts';
import { noHash } from './account-state.ts';
import type { DeviceList } from './device-list.ts';
import {
  type AccountSecrets,
  readKeyring,
  sealedSlotBytes,
  sealForCode,
  sealForDevice,
  sealKeyring,
} from './key-slots.ts';
import { checkKdf, type KdfParameters } from './password.ts';
import { equal, type Random, randomBytes, type SigningPair, sha256Of } from './primitives.ts';
import { dhKey } from './public-key.ts';
import { mustVerify, sign } from './signature.ts';

export interface DeviceSlot {
  device: DeviceId;
  sealed: Uint8Array;
}

/** What is known of a code without the code: enough to seal new secrets for it. */
export interface CodeSlotKeys {
  /** 16 bytes. */
  loc: Uint8Array;
  /** SHA-256 of the proof that the island asks for. */
  proofHash: Uint8Array;
  dh: Uint8Array;
  /** `anchorOf` the code, the account and the AIK of the day on which the code was made. */
  anchor: Uint8Array;
}

export interface CodeSlot extends CodeSlotKeys {
  sealed: Uint8Array;
}

/** A record that is in form; nothing says yet that the account made it. */
export interface UnverifiedRecord {
  account: AccountId;
  /** 1 for the first record, then one more each time. */
  version: number;
  /** Hash of the record before; 32 zero bytes first. */
  prevHash: Uint8Array;
  /** Of the device list under which the record was made. */
  listHash: Uint8Array;
  listEpoch: number;
  /** Of the oldest archive key in the keyring, or of the present one if that is empty. */
  firstEpoch: number;
  arkEpoch: number;
  codes: { salt: Uint8Array; kdf: KdfParameters };
  keyring: Uint8Array;
  /** Ascending by id. */
  devices: readonly DeviceSlot[];
  /** Ascending by `loc`. */
  slots: readonly CodeSlot[];
  /** The bytes that were read. */
  bytes: Uint8Array;
  hash: Uint8Array;
  /** What binds every slot to this record. */
  head: Uint8Array;
}

/** A record that the AIK signed. */
export interface KeyRecord extends UnverifiedRecord {
  /** The AIK (public) that signed it. */
  aik: Uint8Array;
}

const version = 1;
const type = 0x60;
const hashLabel = utf8Bytes('PI/1/hash/key-record\0');

export const hashKeyRecord = (bytes: Uint8Array): Uint8Array => sha256Of(hashLabel, bytes);

function readDeviceSlots(from: Reader): DeviceSlot[] {
  const count = from.u8();
  if (count > limits.devices) throw new Fault('too_large');
  return Array.from({ length: count }, () => {
    return { device: deviceId(from.u32()), sealed: readSealed(from) };
  });
}

function readCodeSlots(from: Reader): CodeSlot[] {
  const count = from.u8();
  if (count > limits.backupCodes) throw new Fault('too_large');
  return Array.from({ length: count }, () => {
    const [loc, proofHash] = [from.raw(16), from.raw(32)];
    return {
      loc,
      proofHash,
      dh: dhKey(from.raw(32)),
      anchor: from.raw(32),
      sealed: readSealed(from),
    };
  });
}

function readSealed(from: Reader): Uint8Array {
  const sealed = from.var16(sealedSlotBytes);
  if (sealed.length !== sealedSlotBytes) throw new Fault('malformed');
  dhKey(sealed.subarray(0, 32));
  return sealed;
}

/**
 * Form only: nothing is known of who made the record. Throws `kdf_too_weak` for code parameters below the
 * floor, faults of form for the rest.
 */
export function readKeyRecord(bytes: Uint8Array): UnverifiedRecord {
  if (bytes.length > limits.recordBytes) throw new Fault('too_large');
  const from = new Reader(bytes).header(version, type);
  const account = accountId(hex(from.raw(16)));
  const chain = { version: from.u32(), prevHash: from.raw(32) };
  const list = { listHash: from.raw(32), listEpoch: from.u32() };
  const epochs = { firstEpoch: from.u32(), arkEpoch: from.u32() };
  const salt = from.raw(16);
  const kdf = { memory: from.u32(), passes: from.u32(), lanes: from.u32() };
  checkKdf(kdf);
  const head = bytes.subarray(0, bytes.length - from.left);
  const keyring = from.var32(32 * limits.archiveKeys + 16);
  const devices = readDeviceSlots(from);
  const slots = readCodeSlots(from);
  from.raw(64);
  from.end();
  const codes = { salt, kdf };
  const record = { account, ...chain, ...list, ...epochs, codes, keyring, devices, slots };
  checkForm(record);
  return { ...record, bytes, hash: hashKeyRecord(bytes), head };
}

/** Throws `malformed` where the parts of a record contradict each other. */
function checkForm(record: Omit<UnverifiedRecord, 'bytes' | 'hash' | 'head'>): void {
  const { version, prevHash, listEpoch, firstEpoch, arkEpoch, keyring, devices, slots } = record;
  const first = version === 1;
  const lawful =
    version >= 1 &&
    equal(prevHash, noHash) === first &&
    listEpoch >= 1 &&
    firstEpoch >= 1 &&
    arkEpoch >= firstEpoch &&
    (!first || arkEpoch === 1) &&
    keyring.length === 32 * (arkEpoch - firstEpoch) + 16 &&
    devices.length > 0 &&
    ascending(devices.map(({ device }) => String(device).padStart(10, '0'))) &&
    ascending(slots.map(({ loc }) => hex(loc))) &&
    new Set(slots.map(({ dh }) => hex(dh))).size === slots.length;
  if (!lawful) throw new Fault('malformed');
}

const ascending = (keys: readonly string[]): boolean =>
  keys.every((key, i) => i === 0 || key > (keys[i - 1] ?? ''));

/** Throws `bad_signature` unless the AIK (public, of the list of `listEpoch`) signed the record. */
export function openKeyRecord(bytes: Uint8Array, aik: Uint8Array): KeyRecord {
  const record = readKeyRecord(bytes);
  mustVerify('key-record', aik, bytes.subarray(0, -64), bytes.subarray(-64));
  return { ...record, aik };
}

export interface KeyRecordParts {
  version: number;
  prevHash: Uint8Array;
  /** The list under which the record will stand: its account, its hash, its devices. */
  list: DeviceList;
  /** The private half belongs to the list's AIK. */
  aik: SigningPair;
  firstEpoch: number;
  arkEpoch: number;
  ark: Uint8Array;
  /** The archive keys of `firstEpoch` … `arkEpoch - 1`. */
  former: readonly Uint8Array[];
  /** The newest segment of the archive that the maker knows; 0 and zeros for none. */
  head: { seq: number; hash: Uint8Array };
  codes: { salt: Uint8Array; kdf: KdfParameters };
  slots: readonly CodeSlotKeys[];
}

/** What the island gets: each share opens its slot together with the code, and is new in every record. */
export interface MadeRecord {
  record: Uint8Array;
  shares: { loc: Uint8Array; share: Uint8Array }[];
}

/**
 * A record with a slot for every device of the list and every code slot. Throws `malformed` if the AIK is
 * not the list's, or what `readKeyRecord` would throw: nothing is made that a reader would refuse.
 */
export function makeKeyRecord(parts: KeyRecordParts, random: Random = randomBytes): MadeRecord {
  const { list, aik, firstEpoch, arkEpoch, ark, former, codes } = parts;
  if (!equal(list.aik, aik.public)) throw new Fault('malformed');
  const { account } = list;
  const out = new Writer(4096).u8(version).u8(type).raw(fromHex(account));
  out.u32(parts.version).raw(parts.prevHash).raw(list.hash).u32(list.epoch);
  out.u32(firstEpoch).u32(arkEpoch).raw(codes.salt);
  out.u32(codes.kdf.memory).u32(codes.kdf.passes).u32(codes.kdf.lanes);
  const head = out.done().slice();
  out.var32(sealKeyring({ account, firstEpoch, arkEpoch }, ark, former));

  const secrets: AccountSecrets = { ark, aik, head: parts.head };
  out.u8(list.devices.length);
  for (const { device, dik } of list.devices) {
    out.u32(device).var16(sealForDevice({ head, device, dik }, secrets, random));
  }
  const sorted = [...parts.slots].sort((a, b) => (hex(a.loc) < hex(b.loc) ? -1 : 1));
  const shares: MadeRecord['shares'] = [];
  out.u8(sorted.length);
  for (const { loc, proofHash, dh, anchor } of sorted) {
    const share = random(32);
    shares.push({ loc, share });
    out.raw(loc).raw(proofHash).raw(dh).raw(anchor);
    out.var16(sealForCode({ head, loc, dh, share }, secrets, random));
  }
  const fields = out.done();
  const record = concat(fields, sign('key-record', aik, fields));
  readKeyRecord(record);
  return { record, shares };
}

/** The archive keys of `firstEpoch` … `arkEpoch - 1`. Throws `record_broken` if `ark` is not the record's. */
export const openKeyring = (record: KeyRecord, ark: Uint8Array): Uint8Array[] =>
  readKeyring(record, ark, record.keyring);
