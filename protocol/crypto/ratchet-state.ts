/**
 * A ratchet state as it is stored. docs/protocol/ratchet.md §8
 *
 *     root 32 ‖ next send key 32 ‖ next receive key 32 ‖ u32 previous ‖ u32 epoch ‖ u8 parts
 *     ‖ [peer 32] ‖ [sending] ‖ [chain] ‖ u8 older ≤ 3 ‖ older × chain
 *     parts:   1 peer, 2 sending, 4 receiving
 *     sending: DH public 32 ‖ DH private 32 ‖ header key 32 ‖ chain key 32 ‖ u32 n ‖ u32 reserved
 *     chain:   DH public 32 ‖ header key 32 ‖ u8 open ‖ [chain key 32] ‖ u32 n ‖ u32 epoch ‖ u32 floor
 *              ‖ u16 count ‖ count × { u32 n ‖ u32 seconds ‖ key 32 }
 *
 * `reserved` ≥ n: numbers below it may have been used by messages sent after this state was stored,
 * so whoever reads it goes on from there.
 */
import type { Reader, Writer } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { x25519 } from './primitives.ts';
import {
  type MissingKey,
  type RatchetState,
  type ReceivingChain,
  ratchetLimits,
  type SendingChain,
} from './ratchet.ts';
import type { RatchetProfile } from './ratchet-profile.ts';

/** The most numbers that a stored state may reserve; a reader must derive past them. */
export const maxReserve = 256;

export function writeRatchet(out: Writer, state: RatchetState, reserve: number): void {
  // A responder's signed prekey is used up by the message that made the session, in one transaction.
  if (state.opening !== undefined)
    throw new Error('a session that has opened no message is not stored');
  const { peer, sending, receiving } = state;
  out
    .raw(state.root)
    .raw(state.nextSendKey)
    .raw(state.nextReceiveKey)
    .u32(state.previous)
    .u32(state.epoch);
  out.u8((peer ? 1 : 0) | (sending ? 2 : 0) | (receiving ? 4 : 0));
  if (peer) out.raw(peer);
  if (sending) {
    out
      .raw(sending.pair.public)
      .raw(sending.pair.private)
      .raw(sending.headerKey)
      .raw(sending.chain);
    out.u32(sending.n).u32(Math.min(sending.n + reserve, 0xffff_ffff));
  }
  if (receiving) writeChain(out, receiving);
  out.u8(state.older.length);
  for (const chain of state.older) writeChain(out, chain);
}

function writeChain(out: Writer, chain: ReceivingChain): void {
  out.raw(chain.dh).raw(chain.headerKey);
  if (chain.chain === undefined) out.u8(0);
  else out.u8(1).raw(chain.chain);
  out.u32(chain.n).u32(chain.epoch).u32(chain.floor).u16(chain.missing.length);
  for (const { n, at, key } of chain.missing) out.u32(n).u32(at).raw(key);
}

export function readRatchet(from: Reader, profile: RatchetProfile): RatchetState {
  const root = from.raw(32);
  const nextSendKey = from.raw(32);
  const nextReceiveKey = from.raw(32);
  const previous = from.u32();
  const epoch = from.u32();
  const parts = from.u8();
  if (parts > 7) throw new Fault('malformed');
  const peer = parts & 1 ? from.raw(32) : undefined;
  const sending = parts & 2 ? readSending(from, profile) : undefined;
  const receiving = parts & 4 ? readChain(from, epoch) : undefined;
  const count = from.u8();
  if (count > ratchetLimits.headerKeys - 2) throw new Fault('malformed');
  const older: ReceivingChain[] = [];
  for (let i = 0; i < count; i++) older.push(readChain(from, epoch));
  return {
    root,
    peer,
    sending,
    opening: undefined,
    receiving,
    older,
    nextSendKey,
    nextReceiveKey,
    previous,
    epoch,
  };
}

function readSending(from: Reader, profile: RatchetProfile): SendingChain {
  const pair = x25519.fromStored(from.raw(32), from.raw(32));
  const headerKey = from.raw(32);
  let chain = from.raw(32);
  const n = from.u32();
  const reserved = from.u32();
  if (reserved < n || reserved - n > maxReserve) throw new Fault('malformed');
  for (let i = n; i < reserved; i++) chain = profile.advance(chain);
  return { pair, headerKey, chain, n: reserved };
}

function readChain(from: Reader, epochNow: number): ReceivingChain {
  const dh = from.raw(32);
  const headerKey = from.raw(32);
  const open = from.u8();
  if (open > 1) throw new Fault('malformed');
  const chain = open ? from.raw(32) : undefined;
  const n = from.u32();
  const epoch = from.u32();
  const floor = from.u32();
  const count = from.u16();
  if (epoch > epochNow || floor > n || count > ratchetLimits.storedKeys)
    throw new Fault('malformed');
  const missing: MissingKey[] = [];
  let least = floor;
  for (let i = 0; i < count; i++) {
    const number = from.u32();
    const at = from.u32();
    if (number < least || number >= n) throw new Fault('malformed');
    least = number + 1;
    missing.push({ n: number, at, key: from.raw(32) });
  }
  return { dh, headerKey, chain, n, epoch, floor, missing };
}
