/**
 * The handshake as it rides in a first message. docs/protocol/ratchet.md §3
 *
 *     fields = u8 flags ‖ u32 generation ‖ replaces 16 ‖ u32 signed prekey ‖ u32 PQ prekey
 *              ‖ u32 one-time prekey ‖ EK 32 ‖ PQ ciphertext 1088
 *     flags:   1 one-time X25519 prekey used, 2 PQ prekey is a one-time one, 4 PQ part present
 */
import { type Reader, Writer } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { x25519 } from './primitives.ts';

export interface HandshakeFields {
  readonly oneTimeUsed: boolean;
  readonly pqKind: 'last-resort' | 'one-time';
  readonly pq: boolean;
  readonly generation: number;
  /** Id of the session that the initiator gives up for this one; zeros if none. */
  readonly replaces: Uint8Array;
  readonly signedId: number;
  readonly pqId: number;
  readonly oneTimeId: number;
  readonly ek: Uint8Array;
  /** 1,088 bytes; empty without the PQ part. */
  readonly ciphertext: Uint8Array;
}

const fieldsHead = 1 + 4 + 16 + 12 + 32;
const ciphertextBytes = 1088;
const noBytes = new Uint8Array(0);

export function encodeFields(fields: HandshakeFields): Uint8Array {
  const flags =
    (fields.oneTimeUsed ? 1 : 0) | (fields.pqKind === 'one-time' ? 2 : 0) | (fields.pq ? 4 : 0);
  const out = new Writer(fieldsHead + ciphertextBytes)
    .u8(flags)
    .u32(fields.generation)
    .raw(fields.replaces);
  out.u32(fields.signedId).u32(fields.pqId).u32(fields.oneTimeId).raw(fields.ek);
  return out.raw(fields.ciphertext).done();
}

/** Takes the fields off the front of `from`. Throws `truncated`, `malformed`. */
export function readFields(from: Reader): HandshakeFields {
  const flags = from.u8();
  if (flags > 7) throw new Fault('malformed');
  const oneTimeUsed = (flags & 1) !== 0;
  const pq = (flags & 4) !== 0;
  const generation = from.u32();
  const replaces = from.raw(16);
  const signedId = from.u32();
  const pqId = from.u32();
  const oneTimeId = from.u32();
  const ek = from.raw(32);
  if (!x25519.isCanonical(ek)) throw new Fault('not_canonical');
  // Generations count from 1. One meaning, one encoding: what is absent is zero.
  if (
    generation === 0 ||
    (!oneTimeUsed && oneTimeId !== 0) ||
    (!pq && (pqId !== 0 || (flags & 2) !== 0))
  )
    throw new Fault('malformed');
  return {
    oneTimeUsed,
    pqKind: flags & 2 ? 'one-time' : 'last-resort',
    pq,
    generation,
    replaces,
    signedId,
    pqId,
    oneTimeId,
    ek,
    ciphertext: pq ? from.raw(ciphertextBytes) : noBytes,
  };
}
