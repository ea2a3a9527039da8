/**
 * One entry of the log of a space: who is in it, what they may do, and each change of it, signed by the device of
 * whoever made it. docs/protocol/channel.md §3
 *
 *     entry  = fields ‖ signature 64                 by DSK, purpose "space-entry", over fields
 *     fields = u8 1 ‖ u8 0xa0 ‖ space 16 ‖ u64 seq ‖ prev 32 ‖ u32 time ‖ actor 16 ‖ u32 device ‖ u32 listEpoch
 *              ‖ u8 op ‖ fields of the op (space-op.ts)
 *     hash   = SHA-256( "PI/1/hash/space-entry" ‖ 0x00 ‖ entry )
 *     space  = SHA-256( "PI/1/hash/space" ‖ 0x00 ‖ nonce 16 ‖ creator 16 ‖ AIK of the creator 32 )[0..16)
 *     proof  = Ed25519 by the key of an invite, purpose "space-join", over space 16 ‖ account 16 ‖ AIK 32
 *
 * `prev` is the hash of the entry before, 32 zeros in the first. `time` is Unix seconds and never goes back.
 * `listEpoch` is an epoch of the actor's device list that has the device.
 */
import { equal, type SigningPair, sha256Of } from '../crypto/primitives.ts';
import { signingKey } from '../crypto/public-key.ts';
import { mustVerify, sign } from '../crypto/signature.ts';
import { concat, Reader, utf8Bytes, Writer } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import {
  type AccountId,
  accountId,
  type DeviceId,
  deviceId,
  type SpaceId,
  spaceId,
} from '../wire/ids.ts';
import { limits } from '../wire/limits.ts';
import { fromHex, hex } from '../wire/text.ts';
import { readOp, writeOp } from './op-codecs.ts';
import type { SpaceOp } from './space-op.ts';

export interface EntryFields {
  space: SpaceId;
  /** 1 for the first, then one more each time. */
  seq: number;
  prev: Uint8Array;
  /** Unix seconds, as the actor's clock had it, and not before the entry before. */
  time: number;
  actor: AccountId;
  device: DeviceId;
  listEpoch: number;
  op: SpaceOp;
}

export interface SpaceEntry extends EntryFields {
  /** The bytes that were opened. */
  bytes: Uint8Array;
  hash: Uint8Array;
}

const version = 1;
const type = 0xa0;
const signatureBytes = 64;
const hashLabel = utf8Bytes('PI/1/hash/space-entry\0');
const idLabel = utf8Bytes('PI/1/hash/space\0');

/** `prev` of a first entry. */
export const noEntry = new Uint8Array(32);

/** The id of a space says who began it: nobody else can begin the same one. */
export const spaceIdOf = (nonce: Uint8Array, creator: AccountId, aik: Uint8Array): SpaceId =>
  spaceId(hex(sha256Of(idLabel, nonce, fromHex(creator), aik).subarray(0, 16)));

const proofFields = (space: SpaceId, account: AccountId, aik: Uint8Array): Uint8Array =>
  concat(fromHex(space), fromHex(account), aik);

/** That whoever holds an invite lets this account in. 64 bytes. */
export const proveInvited = (
  invite: SigningPair,
  joining: { space: SpaceId; account: AccountId; aik: Uint8Array },
): Uint8Array =>
  sign('space-join', invite, proofFields(joining.space, joining.account, joining.aik));

/** Whether that proof was made with the key of an invite, whether or not there is such an invite. */
export function verifyInvited(joining: {
  space: SpaceId;
  account: AccountId;
  aik: Uint8Array;
  key: Uint8Array;
  proof: Uint8Array;
}): boolean {
  const { space, account, aik, key, proof } = joining;
  try {
    mustVerify('space-join', signingKey(key), proofFields(space, account, aik), proof);
    return true;
  } catch (error) {
    if (error instanceof Fault) return false;
    throw error;
  }
}

/** The signed bytes, at most `limits.entryBytes`. Throws what `openEntry` would throw. */
export function signEntry(fields: EntryFields, dsk: SigningPair): Uint8Array {
  const out = new Writer(512).u8(version).u8(type).raw(fromHex(fields.space)).u64(fields.seq);
  out.raw(fields.prev).u32(fields.time).raw(fromHex(fields.actor)).u32(fields.device);
  writeOp(out.u32(fields.listEpoch), fields.op);
  const signed = out.done();
  const bytes = concat(signed, sign('space-entry', dsk, signed));
  openEntry(bytes);
  return bytes;
}

/** Form only: `verifyEntry` and `checkPermitted` are for the caller. */
export function openEntry(bytes: Uint8Array): SpaceEntry {
  if (bytes.length > limits.entryBytes) throw new Fault('too_large');
  const from = new Reader(bytes).header(version, type);
  const space = spaceId(hex(from.raw(16)));
  const seq = from.u64();
  const prev = from.raw(32);
  const time = from.u32();
  const actor = accountId(hex(from.raw(16)));
  const device = deviceId(from.u32());
  const listEpoch = from.u32();
  const op = readOp(from);
  from.raw(signatureBytes);
  from.end();
  const first = seq === 1;
  const lawful =
    seq > 0 &&
    listEpoch > 0 &&
    first === (op.op === 'create') &&
    first === equal(prev, noEntry) &&
    (op.op !== 'create' || space === spaceIdOf(op.nonce, actor, op.aik));
  if (!lawful) throw new Fault('malformed');
  const hash = sha256Of(hashLabel, bytes);
  return { space, seq, prev, time, actor, device, listEpoch, op, bytes, hash };
}

/** Throws `bad_signature` unless the device signed it and, where somebody joins, the invite's key did too. */
export function verifyEntry(entry: SpaceEntry, dsk: Uint8Array): void {
  const { bytes, space, actor, op } = entry;
  const end = bytes.length - signatureBytes;
  mustVerify('space-entry', dsk, bytes.subarray(0, end), bytes.subarray(end));
  if (op.op === 'join')
    mustVerify('space-join', op.invite, proofFields(space, actor, op.aik), op.proof);
}
