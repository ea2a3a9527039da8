/**
 * The map of an epoch: for each label its newest event, as a compressed binary Merkle trie, and the proofs that it
 * holds a value at an index, or none. docs/protocol/transparency.md §4.3, §4.4
 *
 *     hash of a node = H( value ‖ H( u32 bits ‖ prefix 32 ) )       prefix: its first `bits` bits, then zeros
 *       leaf    bits = 256, prefix = index, value = what is stored
 *       inner   value = H( left ‖ right ), of two children; the root always has bits = 0, and an empty side is `noChild`
 *       empty   the root of an empty map: bits = 0, value = H( 0x00 )
 *
 *     mapValue = H( "pi-kt/v1 map" ‖ 0x00 ‖ u32 version ‖ u64 eventIndex ‖ eventHash 32 )
 *
 *     proof = u8 kind ‖ u8 n ‖ n × { u8 bits ‖ sibling 32 } [ ‖ u16 bits ‖ prefix 32 ‖ value 32 ]     from the root down
 *       kind 1  the value is there                        kind 2  its place is empty
 *       kind 3  another node stands where it would be: [ … ] is that node
 *
 * H is SHA-256. With BLAKE3 in its place it is the trie of torchwood's `mpt` and of akd's whatsapp_v1 without
 * epochs in the leaves. The shape depends on the indices alone, so a map has one root.
 */
import { equal, sha256, sha256Of } from '../crypto/primitives.ts';
import { concat, Reader, utf8Bytes, Writer } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { TransparencyFault } from './transparency-fault.ts';

export type Hash = (bytes: Uint8Array) => Uint8Array;

/** Bits of an index. */
export const indexBits = 256;

const valueLabel = utf8Bytes('pi-kt/v1 map\0');

/** What the map holds of a label: its newest event, by version, place in the log and leaf hash. */
export function mapValue(version: number, eventIndex: number, eventHash: Uint8Array): Uint8Array {
  const out = new Writer(valueLabel.length + 44).raw(valueLabel).u32(version);
  return sha256(out.u64(eventIndex).raw(eventHash).done());
}

/** Hashes that stand where there is nothing; of the two, akd hashes the child twice. */
export function emptyHashes(hash: Hash): { root: Uint8Array; child: Uint8Array } {
  const nothing = hash(Uint8Array.of(0));
  const root = hash(concat(nothing, hash(new Uint8Array(36))));
  const label = hash(concat(new Uint8Array(4), new Uint8Array(32).fill(1)));
  return { root, child: hash(concat(hash(concat(nothing, label)), label)) };
}

const empty = emptyHashes(sha256);
export const emptyMapRoot = empty.root;
/** The hash of the empty side of a root that has one child. */
export const noChild = empty.child;

/** Bit `at` of an index, 0 the highest of the first byte. */
export const bitOf = (index: Uint8Array, at: number): number =>
  ((index[at >> 3] ?? 0) >> (7 - (at & 7))) & 1;

/** Bits that two indices begin with alike, at most 256. */
export function commonBits(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < 32; i++) {
    const difference = (a[i] ?? 0) ^ (b[i] ?? 0);
    if (difference !== 0) return i * 8 + Math.clz32(difference) - 24;
  }
  return indexBits;
}

/** Writes the first `bits` bits of `index`, then zeros, into `into` at `at`. */
export function putPrefix(into: Uint8Array, at: number, index: Uint8Array, bits: number): void {
  const whole = bits >> 3;
  into.set(index.subarray(0, whole), at);
  into.fill(0, at + whole, at + 32);
  if ((bits & 7) !== 0) into[at + whole] = (index[whole] ?? 0) & (0xff00 >> (bits & 7));
}

function nodeHash(index: Uint8Array, bits: number, value: Uint8Array): Uint8Array {
  const label = new Writer(36).u32(bits).done();
  const bytes = new Uint8Array(36);
  bytes.set(label);
  putPrefix(bytes, 4, index, bits);
  return sha256Of(value, sha256(bytes));
}

export const mapProofKinds = { member: 1, empty: 2, other: 3 } as const;

export interface MapStep {
  /** Length of the prefix of a node on the way: 0 of the root, then more each time. */
  bits: number;
  /** Hash of its child on the other side. */
  sibling: Uint8Array;
}

export interface MapProof {
  kind: (typeof mapProofKinds)[keyof typeof mapProofKinds];
  /** From the root down. */
  path: readonly MapStep[];
  /** Kind 3: the node that stands there. */
  other?: { bits: number; prefix: Uint8Array; value: Uint8Array };
}

export function encodeMapProof({ kind, path, other }: MapProof): Uint8Array {
  const out = new Writer(2 + path.length * 33 + 66).u8(kind).u8(path.length);
  for (const { bits, sibling } of path) out.u8(bits).raw(sibling);
  if (other) out.u16(other.bits).raw(other.prefix).raw(other.value);
  return out.done();
}

export function readMapProof(bytes: Uint8Array): MapProof {
  const from = new Reader(bytes);
  const known = from.u8();
  const kind = Object.values(mapProofKinds).find((each) => each === known);
  if (kind === undefined) throw new Fault('unknown_type');
  const path = Array.from({ length: from.u8() }, () => {
    return { bits: from.u8(), sibling: from.raw(32) };
  });
  // Only an empty map has no way, and the only side of a node that can be empty is one of the root's.
  const lawful =
    path.every(({ bits }, i) => (i === 0 ? bits === 0 : bits > (path[i - 1]?.bits ?? 0))) &&
    (kind === mapProofKinds.empty ? path.length < 2 : path.length > 0);
  if (!lawful) throw new Fault('malformed');
  const other = kind === mapProofKinds.other ? readOther(from) : undefined;
  from.end();
  return { kind, path, ...(other && { other }) };
}

function readOther(from: Reader): { bits: number; prefix: Uint8Array; value: Uint8Array } {
  const other = { bits: from.u16(), prefix: from.raw(32), value: from.raw(32) };
  const clean = new Uint8Array(32);
  if (other.bits > indexBits) throw new Fault('malformed');
  putPrefix(clean, 0, other.prefix, other.bits);
  if (!equal(clean, other.prefix)) throw new Fault('malformed');
  return other;
}

/** The root that a path ends in. */
function climb(index: Uint8Array, from: Uint8Array, path: readonly MapStep[]): Uint8Array {
  return path.reduceRight((hash, { bits, sibling }) => {
    const [left, right] = bitOf(index, bits) === 0 ? [hash, sibling] : [sibling, hash];
    return nodeHash(index, bits, sha256Of(left, right));
  }, from);
}

function must(good: boolean): void {
  if (!good) throw new TransparencyFault('map_invalid');
}

/** Throws `map_invalid` unless the map of `root` holds `value` at `index`; a `Fault` for a proof that is not in form. */
export function verifyMembership(asked: {
  root: Uint8Array;
  index: Uint8Array;
  value: Uint8Array;
  proof: Uint8Array;
}): void {
  const { root, index, value, proof } = asked;
  const { kind, path } = readMapProof(proof);
  must(kind === mapProofKinds.member);
  must(equal(climb(index, nodeHash(index, indexBits, value), path), root));
}

/** Throws `map_invalid` unless the map of `root` holds nothing at `index`; a `Fault` for a proof that is not in form. */
export function verifyAbsence(asked: {
  root: Uint8Array;
  index: Uint8Array;
  proof: Uint8Array;
}): void {
  const { root, index, proof } = asked;
  const { kind, path, other } = readMapProof(proof);
  must(kind !== mapProofKinds.member);
  if (other === undefined) {
    must(equal(path.length === 0 ? emptyMapRoot : climb(index, noChild, path), root));
    return;
  }
  // It stands on the way to the index, below the last node of the path, and the way to the index leaves it.
  const alike = commonBits(index, other.prefix);
  must(alike > (path.at(-1)?.bits ?? 0) && alike < other.bits);
  must(equal(climb(index, nodeHash(other.prefix, other.bits, other.value), path), root));
}
