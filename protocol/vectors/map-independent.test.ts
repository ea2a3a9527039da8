/**
 * The vectors of labels, entries, the map and answers read by somebody who has only the documents: other
 * libraries, no code of `transparency/`. docs/protocol/encoding.md §7
 */
import { createHash, createHmac, createPublicKey, verify } from 'node:crypto';
import { ristretto255, ristretto255_hasher } from '@noble/curves/ed25519.js';
import { bytesToNumberLE } from '@noble/curves/utils.js';
import t from 'tap';
import { hex, type Json, join, read, text, u32 } from './testing/stranger.ts';

const json: Json = await read('map');

const hash = (name: string, ...parts: Uint8Array[]) =>
  new Uint8Array(
    createHash(name)
      .update(join(...parts))
      .digest(),
  );
const H = (...parts: Uint8Array[]) => hash('sha256', ...parts);
const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;
const u64 = (value: number) => join(u32(Math.floor(value / 2 ** 32)), u32(value % 2 ** 32));
const bitAt = (index: Uint8Array, at: number) => ((index[at >> 3] ?? 0) >> (7 - (at % 8))) & 1;
const var16 = (bytes: Uint8Array) => join(u32(bytes.length).subarray(2), bytes);

/** c2sp.org/vrf-r255, ECVRF_verify. */
function place(
  publicKey: Uint8Array,
  alpha: Uint8Array,
  proof: Uint8Array,
): Uint8Array | undefined {
  const { Point } = ristretto255;
  const suite = join(Uint8Array.of(0xff), text('c2sp.org/vrf-r255'));
  const tagged = (tag: number, ...parts: Uint8Array[]) =>
    hash('sha512', suite, Uint8Array.of(tag), ...parts);
  const h = ristretto255_hasher.deriveToCurve?.(tagged(0x82, publicKey, alpha));
  if (h === undefined) throw new Error('noble has no map');
  const [y, gamma] = [Point.fromBytes(publicKey), Point.fromBytes(proof.subarray(0, 32))];
  const [c, s] = [bytesToNumberLE(proof.subarray(32, 48)), bytesToNumberLE(proof.subarray(48))];
  const u = Point.BASE.multiply(s).subtract(y.multiply(c));
  const v = h.multiply(s).subtract(gamma.multiply(c));
  const points = [y, h, gamma, u, v].map((point) => point.toBytes());
  const good = same(tagged(2, ...points, Uint8Array.of(0)).subarray(0, 16), proof.subarray(32, 48));
  return good ? tagged(3, gamma.toBytes(), Uint8Array.of(0)) : undefined;
}

function node(index: Uint8Array, bits: number, value: Uint8Array): Uint8Array {
  const prefix = Uint8Array.from(index, (byte, i) =>
    i * 8 >= bits ? 0 : i * 8 + 8 <= bits ? byte : byte & (0xff00 >> (bits % 8)),
  );
  return H(value, H(u32(bits), prefix));
}

const nothing = H(Uint8Array.of(0));
const emptyRoot = node(new Uint8Array(32), 0, nothing);
const emptyLabel = H(u32(0), new Uint8Array(32).fill(1));
const emptySide = H(H(nothing, emptyLabel), emptyLabel);

/** The root that a proof leads to, of a member with `value` or of nothing. */
function rootOf(index: Uint8Array, proof: Uint8Array, value?: Uint8Array): Uint8Array {
  const [kind, n = 0] = proof;
  const rest = proof.subarray(2 + 33 * n);
  let from: Uint8Array = emptySide;
  if (kind === 1 && value) from = node(index, 256, value);
  if (kind === 3) {
    from = node(rest.subarray(2, 34), ((rest[0] ?? 0) << 8) | (rest[1] ?? 0), rest.subarray(34));
  }
  if (kind === 2 && n === 0) return emptyRoot;
  for (let i = n - 1; i >= 0; i--) {
    const bits = proof[2 + 33 * i] ?? 0;
    const sibling = proof.subarray(3 + 33 * i, 35 + 33 * i);
    from = node(index, bits, bitAt(index, bits) === 0 ? H(from, sibling) : H(sibling, from));
  }
  return from;
}

t.test('I3: the map, from its definition', async (t) => {
  const { map } = json;
  t.same(hex(map.emptyRoot), emptyRoot);
  t.same(hex(map.emptySide), emptySide);
  const root = hex(map.root);
  for (const { index, value, proof } of map.members) {
    t.same(rootOf(hex(index), hex(proof), hex(value)), root);
  }
  for (const { index, proof } of map.absent) t.same(rootOf(hex(index), hex(proof)), root);
  for (const each of [map.emptyMap, map.emptyHalf]) {
    t.same(rootOf(hex(each.index), hex(each.proof)), hex(each.root));
  }
});

t.test('I3: a place and a commitment', async (t) => {
  const { vrf, commitment } = json;
  t.same(place(hex(vrf.public), hex(vrf.alpha), hex(vrf.proof)), hex(vrf.output));
  const { label, version, opening, state } = commitment;
  const message = join(hex(opening), var16(hex(label)), u32(version), var16(hex(state)));
  const key = hex('d821f8790d97709796b4d7903357c3f5');
  const mac = new Uint8Array(createHmac('sha256', key).update(message).digest());
  t.same(mac, hex(commitment.commitment));
});

/** Takes fields off the front. */
function cursor(bytes: Uint8Array) {
  let at = 0;
  const raw = (count: number) => {
    at += count;
    return bytes.subarray(at - count, at);
  };
  const number = (count: number) => raw(count).reduce((sum, byte) => sum * 256 + byte, 0);
  return { raw, number, hashes: () => Array.from({ length: number(1) }, () => raw(32)) };
}

/** RFC 6962 §2.1.1, for a leaf of a tree. */
function treeRoot(leaf: Uint8Array, index: number, size: number, proof: Uint8Array[]): Uint8Array {
  if (size === 1) return leaf;
  let k = 1;
  while (2 * k < size) k *= 2;
  const [sibling = leaf, rest] = [proof.at(-1), proof.slice(0, -1)];
  const parent = (left: Uint8Array, right: Uint8Array) => H(Uint8Array.of(1), left, right);
  if (index < k) return parent(treeRoot(leaf, index, k, rest), sibling);
  return parent(sibling, treeRoot(leaf, index - k, size - k, rest));
}

t.test('I3: a whole answer', async (t) => {
  const { pins, answer } = json;
  const from = cursor(hex(answer.bytes));
  t.same(from.raw(2), hex('0191'));
  const note = Buffer.from(from.raw(from.number(2))).toString();
  const [origin, decimal, root64 = '', , ...lines] = note.split('\n');
  const root = new Uint8Array(Buffer.from(root64, 'base64'));
  const size = Number(decimal);
  const logKey = Buffer.from(pins.vkey.split('+').slice(2).join('+'), 'base64').subarray(1);
  const key = createPublicKey({
    ...{ key: logKey, format: 'raw-public', asymmetricKeyType: 'ed25519' },
  } as unknown as string);
  const signed = text(`${origin}\n${decimal}\n${root64}\n`);
  const signature = Buffer.from(lines[0]?.split(' ')[2] ?? '', 'base64').subarray(4);
  t.ok(verify(null, signed, key, signature));
  t.equal(lines.length, 5, 'the log, three witnesses and the end');

  const leaf = (entry: Uint8Array) => H(Uint8Array.of(0), entry);
  const epoch = from.raw(57);
  t.same(treeRoot(leaf(epoch), size - 1, size, from.hashes()), root);
  const mapRoot = epoch.subarray(9, 41);
  t.equal(from.number(1), 2);
  let account = '';
  for (const label of answer.labels.map(hex)) {
    t.same(from.raw(3), join(hex('0190'), label.subarray(0, 1)));
    const index = place(hex(pins.vrf), label, from.raw(80))?.subarray(0, 32) ?? root;
    const mapProof = from.raw(from.number(2));
    t.equal(from.number(1), 1);
    const eventIndex = from.number(8);
    const event = from.raw(102);
    t.same(treeRoot(leaf(event), eventIndex, size, from.hashes()), root);
    t.same(event.subarray(2, 34), index);
    const version = event.subarray(34, 38);
    const value = H(text('pi-kt/v1 map\0'), version, u64(eventIndex), leaf(event));
    t.same(rootOf(index, mapProof, value), mapRoot);
    const opening = from.raw(16);
    const state = from.raw(from.number(2));
    const message = join(opening, var16(label), version, var16(state));
    const mac = createHmac('sha256', hex('d821f8790d97709796b4d7903357c3f5')).update(message);
    t.same(new Uint8Array(mac.digest()), event.subarray(70));
    // The name leads to the account that is proved beside it.
    if (label[0] === 2) account = Buffer.from(state).toString('hex');
    else t.equal(Buffer.from(label.subarray(1)).toString('hex'), account);
  }
});

t.test('I3: the history of an account', async (t) => {
  let before: Uint8Array = new Uint8Array(32);
  for (const [i, { event, hash: said }] of json.history.steps.entries()) {
    const bytes = hex(event);
    t.same(bytes.subarray(34, 38), u32(i + 1));
    t.same(bytes.subarray(38, 70), before);
    before = H(Uint8Array.of(0), bytes);
    t.same(before, hex(said));
  }
});
