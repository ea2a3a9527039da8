/**
 * The entries of the log of a directory. docs/protocol/transparency.md §4.1
 *
 *     EVENT    = u8 1 ‖ u8 flags ‖ index 32 ‖ u32 version ‖ prevEvent 32 ‖ commitment 32          102 bytes
 *     EPOCH    = u8 2 ‖ u64 timestamp ‖ mapRoot 32 ‖ u64 mapCount ‖ u64 firstEvent                 57 bytes
 *     OPERATOR = u8 3 ‖ u8 kind ‖ u32 number ‖ hash 32                                             38 bytes
 *
 * flags are those of account-state.ts; a name knows register, update and erase only. An event is the first of its
 * label exactly where it registers: version 1, `prevEvent` zeros; any other has the leaf hash of the one before.
 * An erasure does nothing else, commits to nothing (zeros) and is the last event of its label; any other event commits
 * to something. A log begins with OPERATOR policy 1, OPERATOR vrf 1, in a successor OPERATOR predecessor 1, and an EPOCH, and every checkpoint ends just behind
 * an EPOCH: its last entry has the root of the map.
 * There is no second key of the VRF: whoever pinned the first would look for people in other places.
 */
import { listFlags } from '../crypto/account-state.ts';
import { equal } from '../crypto/primitives.ts';
import { Reader, Writer } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { leafHash } from './tree.ts';

export const leafTypes = { event: 1, epoch: 2, operator: 3 } as const;

/** What an OPERATOR entry announces, and what its `hash` is the SHA-256 of. */
export const operatorKinds = {
  /** The text of the witness policy. */
  policy: 1,
  /** The public key of the VRF, 32 bytes. */
  vrf: 2,
  /** The vkey line of the log that goes on where this one ends. */
  successor: 3,
  /** A note of an auditor. */
  audit: 4,
  /** What this log goes on from, where the one before can't go on itself: predecessor.ts. */
  predecessor: 5,
} as const;
export type OperatorKind = (typeof operatorKinds)[keyof typeof operatorKinds];

export const eventBytes = 102;
export const epochBytes = 57;
export const operatorBytes = 38;

export interface EventLeaf {
  type: typeof leafTypes.event;
  /** What the event did: a sum of `listFlags`. */
  flags: number;
  /** The label's place in the map. */
  index: Uint8Array;
  /** 1 for the first event of a label, then one more each time. */
  version: number;
  /** `eventHash` of the event before, zeros for version 1. */
  prevEvent: Uint8Array;
  commitment: Uint8Array;
}

export interface EpochLeaf {
  type: typeof leafTypes.epoch;
  /** Milliseconds since 1970-01-01 UTC. */
  timestamp: number;
  mapRoot: Uint8Array;
  /** Labels in the map. */
  mapCount: number;
  /** Index of the first entry that this epoch brought: the one behind the EPOCH before, 0 in the first epoch. */
  firstEvent: number;
}

export interface OperatorLeaf {
  type: typeof leafTypes.operator;
  kind: OperatorKind;
  /** 1 for the first of its kind, then one more each time. */
  number: number;
  hash: Uint8Array;
}

export type LogLeaf = EventLeaf | EpochLeaf | OperatorLeaf;

/** `prevEvent` of a first event, and the commitment of an erasure. */
export const noEvent = new Uint8Array(32);

/** The leaf hash of RFC 6962 of an encoded event: what the next event of the label names. */
export const eventHash = (event: Uint8Array): Uint8Array => leafHash(event);

/** Whether the event ends its label: it commits to nothing, and nothing follows it. */
export const isErasure = ({ flags }: Pick<EventLeaf, 'flags'>): boolean =>
  (flags & listFlags.erase) !== 0;

function checkEvent(event: EventLeaf): EventLeaf {
  const { flags, version, prevEvent } = event;
  const first = version === 1;
  const lawful =
    flags > 0 &&
    flags <= 0x3f &&
    version > 0 &&
    first === (flags === listFlags.register) &&
    (first || (flags & listFlags.register) === 0) &&
    first === equal(prevEvent, noEvent) &&
    (!isErasure(event) || flags === listFlags.erase) &&
    isErasure(event) === equal(event.commitment, noEvent);
  if (!lawful) throw new Fault('malformed');
  return event;
}

function fixed(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length !== length) throw new Fault('malformed');
  return bytes;
}

/** Throws `malformed` for what `readEvent` would refuse. */
export function encodeEvent(event: Omit<EventLeaf, 'type'>): Uint8Array {
  const { flags, index, version, prevEvent, commitment } = checkEvent({ type: 1, ...event });
  const out = new Writer(eventBytes).u8(leafTypes.event).u8(flags).raw(fixed(index, 32));
  return out.u32(version).raw(fixed(prevEvent, 32)).raw(fixed(commitment, 32)).done();
}

export function encodeEpoch(epoch: Omit<EpochLeaf, 'type'>): Uint8Array {
  const { timestamp, mapRoot, mapCount, firstEvent } = epoch;
  const out = new Writer(epochBytes).u8(leafTypes.epoch).u64(timestamp).raw(fixed(mapRoot, 32));
  return out.u64(mapCount).u64(firstEvent).done();
}

/** The first of a kind is number 1, and the key of the VRF stays the first. */
const isNumbered = ({ kind, number }: Pick<OperatorLeaf, 'kind' | 'number'>): boolean =>
  kind === operatorKinds.vrf ? number === 1 : number > 0;

export function encodeOperator({ kind, number, hash }: Omit<OperatorLeaf, 'type'>): Uint8Array {
  if (!isNumbered({ kind, number })) throw new Fault('malformed');
  const out = new Writer(operatorBytes).u8(leafTypes.operator).u8(kind).u32(number);
  return out.raw(fixed(hash, 32)).done();
}

function operatorKind(kind: number): OperatorKind {
  const known = Object.values(operatorKinds).find((each) => each === kind);
  if (known === undefined) throw new Fault('unknown_type');
  return known;
}

/** Any entry of a log. Arrays are views of `bytes`. Throws `unknown_type` for the entries of a later version. */
export function readLeaf(bytes: Uint8Array): LogLeaf {
  const from = new Reader(bytes);
  const leaf = readFields(from);
  from.end();
  return leaf;
}

function readFields(from: Reader): LogLeaf {
  const type = from.u8();
  if (type === leafTypes.event) {
    const head = { flags: from.u8(), index: from.raw(32), version: from.u32() };
    return checkEvent({ type, ...head, prevEvent: from.raw(32), commitment: from.raw(32) });
  }
  if (type === leafTypes.epoch) {
    const head = { timestamp: from.u64(), mapRoot: from.raw(32) };
    return { type, ...head, mapCount: from.u64(), firstEvent: from.u64() };
  }
  if (type !== leafTypes.operator) throw new Fault('unknown_type');
  const leaf: OperatorLeaf = {
    type,
    kind: operatorKind(from.u8()),
    number: from.u32(),
    hash: from.raw(32),
  };
  if (!isNumbered(leaf)) throw new Fault('malformed');
  return leaf;
}

export function readEvent(bytes: Uint8Array): EventLeaf {
  const leaf = readLeaf(bytes);
  if (leaf.type !== leafTypes.event) throw new Fault('unknown_type');
  return leaf;
}

export function readEpoch(bytes: Uint8Array): EpochLeaf {
  const leaf = readLeaf(bytes);
  if (leaf.type !== leafTypes.epoch) throw new Fault('unknown_type');
  return leaf;
}
