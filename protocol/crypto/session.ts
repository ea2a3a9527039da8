/**
 * One session between two devices, and its messages. docs/protocol/ratchet.md §6 and §8
 *
 *     message       = u8 1 ‖ u8 0x41 ‖ session id 16 ‖ ratchet message
 *     first message = u8 1 ‖ u8 0x42 ‖ session id 16 ‖ fields (handshake.ts) ‖ ratchet message
 *     ad            = binding 32 ‖ u8 1 ‖ u8 type ‖ session id 16 ‖ [SHA-256(fields) of a first message]
 *
 *     stored session = id 16 ‖ binding 32 ‖ u8 flags ‖ u32 generation ‖ replaces 16 ‖ u32 created ‖ u32 until
 *                      ‖ [var16 fields] ‖ ratchet (ratchet-state.ts)
 *     flags: 1 initiated by this device, 2 fields still ride along
 *
 * A session is a value, like the ratchet state in it.
 */
import { Reader, type Writer } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { limits } from '../wire/limits.ts';
import { CryptoFault } from './crypto-fault.ts';
import { type HandshakeFields, readFields } from './handshake-fields.ts';
import { type DhPair, equal, type Random, randomNonce, sha256, x25519 } from './primitives.ts';
import { type RatchetState, ratchetDecrypt, ratchetEncrypt } from './ratchet.ts';
import { pi1, ratchetOverhead } from './ratchet-message.ts';
import type { RatchetProfile } from './ratchet-profile.ts';
import { readRatchet, writeRatchet } from './ratchet-state.ts';

const version = 1;
const messageType = 0x41;
const firstType = 0x42;
const prefixBytes = 18;

export interface Session {
  readonly id: Uint8Array;
  /** Begins the associated data of every message. */
  readonly binding: Uint8Array;
  readonly initiated: boolean;
  /** The initiator's generation. */
  readonly generation: number;
  /** Id of the session that this one replaced; zeros if none. */
  readonly replaces: Uint8Array;
  /** Seconds since 1970. */
  readonly created: number;
  /** 0 for the session that sends; else when it is forgotten, seconds since 1970. */
  readonly until: number;
  /** The handshake, until the peer has answered. */
  readonly fields: Uint8Array | undefined;
  readonly ratchet: RatchetState;
}

export interface SessionMessage {
  readonly id: Uint8Array;
  /** Present in a first message. */
  readonly fields: HandshakeFields | undefined;
  /** What the associated data takes from the message: prefix and hash of the fields. */
  readonly bound: Uint8Array;
  readonly ratchet: Uint8Array;
}

/** Takes a message apart. Throws `too_large`, `truncated`, `unknown_version`, `unknown_type`, `malformed`, `not_canonical`. */
export function readMessage(bytes: Uint8Array): SessionMessage {
  if (bytes.length > limits.envelopeBytes) throw new Fault('too_large');
  const from = new Reader(bytes);
  if (from.u8() !== version) throw new Fault('unknown_version');
  const type = from.u8();
  if (type !== messageType && type !== firstType) throw new Fault('unknown_type');
  const id = from.raw(16);
  const fields = type === firstType ? readFields(from) : undefined;
  if (from.left < ratchetOverhead) throw new Fault('truncated');
  const end = bytes.length - from.left;
  const bound =
    fields === undefined ? bytes.subarray(0, prefixBytes) : boundPrefix(bytes.subarray(0, end));
  return { id, fields, bound, ratchet: bytes.subarray(end) };
}

/** The id of the session that a message says it belongs to. Throws what `readMessage` throws. */
export const sessionIdOf = (bytes: Uint8Array): Uint8Array => new Uint8Array(readMessage(bytes).id);

/** prefix ‖ SHA-256(fields) */
function boundPrefix(head: Uint8Array): Uint8Array {
  const out = new Uint8Array(prefixBytes + 32);
  out.set(head.subarray(0, prefixBytes));
  out.set(sha256(head.subarray(prefixBytes)), prefixBytes);
  return out;
}

function associated(session: Session, bound: Uint8Array): Uint8Array {
  const out = new Uint8Array(32 + bound.length);
  out.set(session.binding);
  out.set(bound, 32);
  return out;
}

/** Where a session's nonces, ratchet keys and profile come from; tests put others in their place. */
export interface SessionTools {
  readonly profile: RatchetProfile;
  readonly random: Random;
  readonly generate: () => DhPair;
}

export const sessionTools: SessionTools = {
  profile: pi1,
  random: randomNonce,
  generate: () => x25519.generate(),
};

/** Seals `plaintext`. Throws `too_large` if the message would not fit into an envelope. */
export function sealMessage(
  session: Session,
  plaintext: Uint8Array,
  tools: SessionTools,
): { session: Session; message: Uint8Array } {
  const { fields } = session;
  const headBytes = prefixBytes + (fields?.length ?? 0);
  if (headBytes + ratchetOverhead + plaintext.length > limits.envelopeBytes)
    throw new Fault('too_large');
  const head = new Uint8Array(headBytes);
  head[0] = version;
  head[1] = fields === undefined ? messageType : firstType;
  head.set(session.id, 2);
  if (fields !== undefined) head.set(fields, prefixBytes);
  const ad = associated(session, fields === undefined ? head : boundPrefix(head));
  const sealed = ratchetEncrypt(
    tools.profile,
    session.ratchet,
    plaintext,
    ad,
    tools.random,
    tools.generate,
  );
  const message = new Uint8Array(headBytes + sealed.message.length);
  message.set(head);
  message.set(sealed.message, headBytes);
  return { session: { ...session, ratchet: sealed.state }, message };
}

/** Opens a message of this session at `now` (ms); throws what `ratchetDecrypt` throws. */
export function openMessage(
  session: Session,
  message: SessionMessage,
  now: number,
  tools: SessionTools,
): { session: Session; plaintext: Uint8Array } {
  if (!equal(session.id, message.id)) throw new CryptoFault('no_session');
  const ad = associated(session, message.bound);
  const opened = ratchetDecrypt(tools.profile, session.ratchet, message.ratchet, ad, now);
  // What the peer sends in our session proves that it has the handshake.
  return {
    session: { ...session, fields: undefined, ratchet: opened.state },
    plaintext: opened.plaintext,
  };
}

export function writeSession(out: Writer, session: Session, reserve: number): void {
  const { fields } = session;
  out
    .raw(session.id)
    .raw(session.binding)
    .u8((session.initiated ? 1 : 0) | (fields ? 2 : 0));
  out.u32(session.generation).raw(session.replaces).u32(session.created).u32(session.until);
  if (fields) out.var16(fields);
  writeRatchet(out, session.ratchet, reserve);
}

export function readSession(from: Reader, profile: RatchetProfile): Session {
  const id = from.raw(16);
  const binding = from.raw(32);
  const flags = from.u8();
  if (flags > 3) throw new Fault('malformed');
  const generation = from.u32();
  const replaces = from.raw(16);
  const created = from.u32();
  const until = from.u32();
  const fields = flags & 2 ? from.var16(2048) : undefined;
  const ratchet = readRatchet(from, profile);
  return {
    id,
    binding,
    initiated: (flags & 1) !== 0,
    generation,
    replaces,
    created,
    until,
    fields,
    ratchet,
  };
}
