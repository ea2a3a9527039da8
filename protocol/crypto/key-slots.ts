/**
 * What is sealed inside a key record, for whom, and how it is opened. docs/protocol/keys.md §5
 *
 *     secrets = u8 1 ‖ u8 0x61 ‖ ARK 32 ‖ AIK seed 32 ‖ u64 headSeq ‖ headHash 32
 *     sealed  = E 32 ‖ ChaCha20-Poly1305( key, nonce, secrets, AD )      E fresh for every slot
 *
 *     device slot: key ‖ nonce = HKDF( salt = "PI/1/device-slot" ‖ DIK ‖ E, DH(E, DIK), "PI/1/device-slot", 44 )
 *                  AD = head ‖ u32 device
 *     code slot:   key ‖ nonce = HKDF( salt = "PI/1/code-slot" ‖ dh ‖ E, DH(E, dh) ‖ share 32, "PI/1/code-slot", 44 )
 *                  AD = head ‖ loc 16
 *     keyring:     key ‖ nonce = HKDF( salt = "PI/1/keyring" ‖ account 16 ‖ u32 arkEpoch, ARK, "PI/1/keyring", 44 )
 *                  AD = account 16 ‖ u32 firstEpoch ‖ u32 arkEpoch
 *                  plaintext = the ARKs of firstEpoch … arkEpoch - 1
 *
 * The key of a keyring is used for one plaintext only: former keys never change while an ARK is in force.
 */
import { concat, Reader, utf8Bytes, Writer } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import type { AccountId } from '../wire/ids.ts';
import { fromHex } from '../wire/text.ts';
import type { CodeKeys } from './backup-code.ts';
import type { KeyRecord } from './key-record.ts';
import {
  chacha,
  type DhPair,
  ed25519,
  equal,
  hkdf,
  type Random,
  type SigningPair,
  x25519,
} from './primitives.ts';
import { dhKey } from './public-key.ts';

/** What every device of an account holds, and what a code brings back. */
export interface AccountSecrets {
  /** 32 bytes: the archive key of the record's `arkEpoch`. */
  ark: Uint8Array;
  aik: SigningPair;
  /** The newest segment that the maker of the record knew: an archive that ends before it is a rollback. */
  head: { seq: number; hash: Uint8Array };
}

const version = 1;
const type = 0x61;
const secretsBytes = 2 + 32 + 32 + 8 + 32;

/** Bytes of a sealed slot. */
export const sealedSlotBytes = 32 + secretsBytes + 16;

const deviceLabel = utf8Bytes('PI/1/device-slot');
const codeLabel = utf8Bytes('PI/1/code-slot');
const keyringLabel = utf8Bytes('PI/1/keyring');
const none = new Uint8Array(0);

function encodeSecrets({ ark, aik, head }: AccountSecrets): Uint8Array {
  if (ark.length !== 32 || head.hash.length !== 32) throw new Fault('malformed');
  const out = new Writer(secretsBytes).u8(version).u8(type).raw(ark).raw(aik.private);
  return out.u64(head.seq).raw(head.hash).done();
}

function decodeSecrets(bytes: Uint8Array): AccountSecrets {
  const from = new Reader(bytes).header(version, type);
  const [ark, seed] = [from.raw(32), from.raw(32)];
  const head = { seq: from.u64(), hash: from.raw(32) };
  from.end();
  return { ark, aik: ed25519.fromSeed(seed), head };
}

/** Where a slot is, for the AEAD, and whose public key opens it. */
interface Place {
  label: Uint8Array;
  recipient: Uint8Array;
  /** 32 bytes besides the DH, or none. */
  share: Uint8Array;
  ad: Uint8Array;
}

const deviceAd = (head: Uint8Array, device: number): Uint8Array =>
  concat(head, new Writer(4).u32(device).done());

function slotKeys({ label, recipient, share }: Place, secret: Uint8Array, ephemeral: Uint8Array) {
  const both = hkdf(concat(label, recipient, ephemeral), concat(secret, share), label, 44);
  return { key: both.subarray(0, 32), nonce: both.subarray(32) };
}

function seal(place: Place, secrets: AccountSecrets, random: Random): Uint8Array {
  const ephemeral = x25519.fromPrivate(random(32));
  const secret = x25519.dh(ephemeral, dhKey(place.recipient));
  const { key, nonce } = slotKeys(place, secret, ephemeral.public);
  return concat(ephemeral.public, chacha.seal(key, nonce, encodeSecrets(secrets), place.ad));
}

function open(place: Place, pair: DhPair, sealed: Uint8Array): AccountSecrets {
  const ephemeral = dhKey(sealed.subarray(0, 32));
  const { key, nonce } = slotKeys(place, x25519.dh(pair, ephemeral), ephemeral);
  const plain = chacha.open(key, nonce, sealed.subarray(32), place.ad);
  if (plain === undefined) throw new Fault('record_broken');
  return decodeSecrets(plain);
}

export function sealForDevice(
  to: { head: Uint8Array; device: number; dik: Uint8Array },
  secrets: AccountSecrets,
  random: Random,
): Uint8Array {
  const ad = deviceAd(to.head, to.device);
  return seal({ label: deviceLabel, recipient: to.dik, share: none, ad }, secrets, random);
}

export function sealForCode(
  to: { head: Uint8Array; loc: Uint8Array; dh: Uint8Array; share: Uint8Array },
  secrets: AccountSecrets,
  random: Random,
): Uint8Array {
  const ad = concat(to.head, to.loc);
  return seal({ label: codeLabel, recipient: to.dh, share: to.share, ad }, secrets, random);
}

/** The AIK in a slot is the one that signed the record, or the record is not the work of one hand. */
function ofRecord(record: KeyRecord, secrets: AccountSecrets): AccountSecrets {
  if (!equal(secrets.aik.public, record.aik)) throw new Fault('record_broken');
  return secrets;
}

/**
 * What the record holds for this device. Throws `unknown_device` if it has no slot, `record_broken` if
 * that does not open or holds another AIK than the one that signed the record.
 */
export function openDeviceSlot(record: KeyRecord, device: number, dik: DhPair): AccountSecrets {
  const slot = record.devices.find((entry) => entry.device === device);
  if (slot === undefined) throw new Fault('unknown_device');
  const ad = deviceAd(record.head, device);
  const place = { label: deviceLabel, recipient: dik.public, share: none, ad };
  return ofRecord(record, open(place, dik, slot.sealed));
}

/**
 * What the record holds for this code. `share`: 32 bytes, from the island for the code's proof. Throws
 * `wrong_code` if the record has no slot of this code, `record_broken` if that does not open.
 * `checkAnchor` comes before: without it the record may be anybody's.
 */
export function openCodeSlot(record: KeyRecord, code: CodeKeys, share: Uint8Array): AccountSecrets {
  const slot = record.slots.find(({ loc }) => equal(loc, code.loc));
  if (slot === undefined) throw new Fault('wrong_code');
  if (share.length !== 32) throw new Fault('malformed');
  const ad = concat(record.head, code.loc);
  const place = { label: codeLabel, recipient: code.dh.public, share, ad };
  return ofRecord(record, open(place, code.dh, slot.sealed));
}

interface KeyringOf {
  account: AccountId;
  firstEpoch: number;
  arkEpoch: number;
}

function keyringKeys({ account, arkEpoch }: KeyringOf, ark: Uint8Array) {
  const salt = new Writer(32).raw(keyringLabel).raw(fromHex(account)).u32(arkEpoch).done();
  const both = hkdf(salt, ark, keyringLabel, 44);
  return { key: both.subarray(0, 32), nonce: both.subarray(32) };
}

const keyringAd = ({ account, firstEpoch, arkEpoch }: KeyringOf): Uint8Array =>
  new Writer(24).raw(fromHex(account)).u32(firstEpoch).u32(arkEpoch).done();

/** Throws `malformed` unless `former` holds the keys of exactly `firstEpoch` … `arkEpoch - 1`. */
export function sealKeyring(
  of: KeyringOf,
  ark: Uint8Array,
  former: readonly Uint8Array[],
): Uint8Array {
  const complete = former.length === of.arkEpoch - of.firstEpoch;
  if (!complete || former.some((key) => key.length !== 32)) throw new Fault('malformed');
  const { key, nonce } = keyringKeys(of, ark);
  return chacha.seal(key, nonce, concat(...former), keyringAd(of));
}

export function readKeyring(of: KeyringOf, ark: Uint8Array, sealed: Uint8Array): Uint8Array[] {
  const { key, nonce } = keyringKeys(of, ark);
  const plain = chacha.open(key, nonce, sealed, keyringAd(of));
  if (plain === undefined) throw new Fault('record_broken');
  return Array.from({ length: plain.length / 32 }, (_, i) => plain.slice(32 * i, 32 * i + 32));
}
