/**
 * What a device leaves on the island so that others can write to it while it is away.
 * docs/protocol/prekeys.md
 *
 *     SignedPrekey  = u8 1 ‖ u8 0x22 ‖ u32 id ‖ u32 createdDay ‖ u32 expiresDay ‖ X25519 32
 *                     ‖ signature 64        purpose "signed-prekey"
 *     LastResort    = u8 1 ‖ u8 0x23 ‖ u32 id ‖ u32 createdDay ‖ u32 expiresDay ‖ ML-KEM-768 1184
 *                     ‖ signature 64        purpose "last-resort-prekey"
 *     OneTimeBatch  = u8 1 ‖ u8 0x24 ‖ u32 firstId ‖ u8 n ‖ u32 createdDay ‖ u32 expiresDay
 *                     ‖ n × { X25519 32 ‖ ML-KEM-768 1184 } ‖ signature 64
 *     OneTimePrekey = u8 1 ‖ u8 0x25 ‖ u32 firstId ‖ u8 n ‖ u32 createdDay ‖ u32 expiresDay
 *                     ‖ u8 index ‖ X25519 32 ‖ ML-KEM-768 1184 ‖ path 224 ‖ signature 64
 *
 * The last two carry the same signature, purpose "one-time-batch", over
 *
 *     u8 1 ‖ u8 0x24 ‖ u32 firstId ‖ u8 n ‖ u32 createdDay ‖ u32 expiresDay ‖ root 32
 *     leaf data = u32 id ‖ X25519 32 ‖ ML-KEM-768 1184        id = firstId + index
 *
 * Every signature is the device's (DSK) and covers all before it unless said otherwise. Days are
 * since 1970-01-01 UTC: finer times would tell when a device is awake.
 */
import { concat, Reader, Writer } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { limits } from '../wire/limits.ts';
import {
  leafHash,
  type MerkleTree,
  merklePath,
  merkleRoot,
  merkleTree,
  rootOfPath,
} from './merkle.ts';
import {
  type DhPair,
  type KemPair,
  mlkem768,
  type Random,
  randomBytes,
  type SigningPair,
  x25519,
} from './primitives.ts';
import { dhKey, kemKey } from './public-key.ts';
import { mustVerify, type Purpose, sign } from './signature.ts';

/** Valid from `createdDay` to `expiresDay`, both included; days since 1970-01-01 UTC. */
export interface Validity {
  createdDay: number;
  expiresDay: number;
}

export interface SignedPrekey extends Validity {
  id: number;
  /** X25519. */
  public: Uint8Array;
}

export interface LastResort extends Validity {
  id: number;
  /** ML-KEM-768. */
  public: Uint8Array;
}

export interface OneTimePrekey extends Validity {
  id: number;
  /** X25519. */
  dh: Uint8Array;
  /** ML-KEM-768. */
  kem: Uint8Array;
}

export interface OneTimeBatch extends Validity {
  firstId: number;
  prekeys: readonly OneTimePrekey[];
  tree: MerkleTree;
  signature: Uint8Array;
}

/** The private halves of one one-time prekey. */
export interface OneTimePair {
  id: number;
  dh: DhPair;
  kem: KemPair;
}

const version = 1;
const types = { signed: 0x22, lastResort: 0x23, batch: 0x24, oneTime: 0x25 } as const;

/** From making to expiry, for structures made on `day`. */
export const validFrom = (day: number): Validity => ({
  createdDay: day,
  expiresDay: day + limits.prekeyDays,
});

function readValidity(from: Reader): Validity {
  const createdDay = from.u32();
  const expiresDay = from.u32();
  const days = expiresDay - createdDay;
  if (days < 0 || days > limits.prekeyDays) throw new Fault('malformed');
  return { createdDay, expiresDay };
}

/** Throws `prekey_expired` after the last day. A day ahead of `day` is another time zone's clock, not a fault. */
export function checkCurrent(prekey: Validity, day: number): void {
  if (day > prekey.expiresDay) throw new Fault('prekey_expired');
}

/** Ids count up from 1 and are never used twice by a device. */
function readId(from: Reader): number {
  const id = from.u32();
  if (id === 0) throw new Fault('malformed');
  return id;
}

function signedKey(
  kind: 'signed' | 'lastResort',
  purpose: Purpose,
  key: Uint8Array,
  id: number,
  validity: Validity,
  dsk: SigningPair,
): Uint8Array {
  const out = new Writer(key.length + 78).u8(version).u8(types[kind]).u32(id);
  const fields = out.u32(validity.createdDay).u32(validity.expiresDay).raw(key).done();
  return concat(fields, sign(purpose, dsk, fields));
}

/** `day`: today, for the validity. `public` is what the island gets, 110 bytes. */
export function makeSignedPrekey(
  dsk: SigningPair,
  id: number,
  day: number,
  random: Random = randomBytes,
): { id: number; public: Uint8Array; pair: DhPair } {
  const pair = x25519.fromPrivate(random(32));
  const bytes = signedKey('signed', 'signed-prekey', pair.public, id, validFrom(day), dsk);
  return { id, public: bytes, pair };
}

/** `public` is what the island gets, 1,262 bytes. */
export function makeLastResort(
  dsk: SigningPair,
  id: number,
  day: number,
  random: Random = randomBytes,
): { id: number; public: Uint8Array; pair: KemPair } {
  const pair = mlkem768.fromSeed(random(64));
  const bytes = signedKey('lastResort', 'last-resort-prekey', pair.public, id, validFrom(day), dsk);
  return { id, public: bytes, pair };
}

function openSignedKey(
  bytes: Uint8Array,
  kind: 'signed' | 'lastResort',
  purpose: Purpose,
  readKey: (from: Reader) => Uint8Array,
  dsk: Uint8Array,
) {
  const from = new Reader(bytes).header(version, types[kind]);
  const id = readId(from);
  const validity = readValidity(from);
  const key = readKey(from);
  const fields = bytes.subarray(0, bytes.length - from.left);
  const signature = from.raw(64);
  from.end();
  mustVerify(purpose, dsk, fields, signature);
  return { id, ...validity, public: key };
}

/** `dsk`: the device's, from its opened list. Throws `bad_signature` and what decoders throw; says nothing about today. */
export const openSignedPrekey = (bytes: Uint8Array, dsk: Uint8Array): SignedPrekey =>
  openSignedKey(bytes, 'signed', 'signed-prekey', (from) => dhKey(from.raw(32)), dsk);

/** As `openSignedPrekey`. */
export const openLastResort = (bytes: Uint8Array, dsk: Uint8Array): LastResort =>
  openSignedKey(bytes, 'lastResort', 'last-resort-prekey', (from) => kemKey(from.raw(1184)), dsk);

function batchHead(type: number, firstId: number, count: number, validity: Validity): Uint8Array {
  const out = new Writer(15).u8(version).u8(type).u32(firstId).u8(count);
  return out.u32(validity.createdDay).u32(validity.expiresDay).done();
}

const leafOf = (prekey: OneTimePrekey): Uint8Array =>
  leafHash(new Writer(1220).u32(prekey.id).raw(prekey.dh).raw(prekey.kem).done());

/**
 * `count` one-time prekeys with the ids from `firstId`; by default `limits.batchSize`, the most.
 * `public` is what the island gets, at most 121,679 bytes; `pairs` stay on the device, one row each,
 * so that a used one can be forgotten alone.
 */
export function makeBatch(
  dsk: SigningPair,
  firstId: number,
  day: number,
  random: Random = randomBytes,
  count: number = limits.batchSize,
): { firstId: number; public: Uint8Array; pairs: OneTimePair[] } {
  const validity = validFrom(day);
  const pairs = Array.from({ length: count }, (_, i) => {
    const dh = x25519.fromPrivate(random(32));
    return { id: firstId + i, dh, kem: mlkem768.fromSeed(random(64)) };
  });
  const prekeys = pairs.map(({ id, dh, kem }) => {
    return { id, dh: dh.public, kem: kem.public, ...validity };
  });
  const head = batchHead(types.batch, firstId, count, validity);
  const root = merkleRoot(merkleTree(prekeys.map(leafOf)));
  const keys = prekeys.map(({ dh, kem }) => concat(dh, kem));
  const signature = sign('one-time-batch', dsk, concat(head, root));
  return { firstId, public: concat(head, ...keys, signature), pairs };
}

function readBatchHead(from: Reader) {
  const firstId = readId(from);
  const count = from.u8();
  if (count === 0 || count > limits.batchSize) throw new Fault('malformed');
  // The last id must be an id, too.
  if (firstId + count - 1 > 0xffff_ffff) throw new Fault('malformed');
  return { firstId, count, validity: readValidity(from) };
}

/** What the island does before it keeps a batch: every key is canonical and the device signed their root. */
export function openBatch(bytes: Uint8Array, dsk: Uint8Array): OneTimeBatch {
  const from = new Reader(bytes).header(version, types.batch);
  const { firstId, count, validity } = readBatchHead(from);
  // Before any work: the length says whether the count is true.
  if (from.left < count * 1216 + 64) throw new Fault('truncated');
  if (from.left > count * 1216 + 64) throw new Fault('trailing_bytes');
  const prekeys = Array.from({ length: count }, (_, i) => {
    const dh = dhKey(from.raw(32));
    return { id: firstId + i, dh, kem: kemKey(from.raw(1184)), ...validity };
  });
  const signature = from.raw(64);
  const tree = merkleTree(prekeys.map(leafOf));
  const head = batchHead(types.batch, firstId, count, validity);
  mustVerify('one-time-batch', dsk, concat(head, merkleRoot(tree)), signature);
  return { firstId, ...validity, prekeys, tree, signature };
}

/** What the island hands out: one prekey of an opened batch with the path that proves it, 1,520 bytes. */
export function oneTimeOf(batch: OneTimeBatch, index: number): Uint8Array {
  const prekey = batch.prekeys[index];
  if (prekey === undefined) throw new Fault('not_found');
  const head = batchHead(types.oneTime, batch.firstId, batch.prekeys.length, batch);
  const path = merklePath(batch.tree, index);
  return concat(head, Uint8Array.of(index), prekey.dh, prekey.kem, path, batch.signature);
}

/** What a sender does before it uses a one-time prekey. Throws `bad_signature` if the device did not sign it at this place of this batch. */
export function openOneTime(bytes: Uint8Array, dsk: Uint8Array): OneTimePrekey {
  const from = new Reader(bytes).header(version, types.oneTime);
  const { firstId, count, validity } = readBatchHead(from);
  const index = from.u8();
  if (index >= count) throw new Fault('malformed');
  const dh = dhKey(from.raw(32));
  const kem = kemKey(from.raw(1184));
  const prekey = { id: firstId + index, dh, kem, ...validity };
  const path = from.raw(224);
  const signature = from.raw(64);
  from.end();
  const root = rootOfPath(leafOf(prekey), index, path);
  mustVerify(
    'one-time-batch',
    dsk,
    concat(batchHead(types.batch, firstId, count, validity), root),
    signature,
  );
  return prekey;
}
