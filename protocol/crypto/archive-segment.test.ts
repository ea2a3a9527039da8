import t from 'tap';
import { seededRandom } from '../vectors/seeded.ts';
import { concat } from '../wire/bytes.ts';
import { accountId, deviceId } from '../wire/ids.ts';
import { limits } from '../wire/limits.ts';
import { fuzzDecoder } from '../wire/testing/decoder-fuzz.ts';
import { noHash } from './account-state.ts';
import {
  checkNextSegment,
  hashSegment,
  openSegment,
  readSegment,
  type SegmentHead,
  sealSegment,
  segmentRoom,
  verifySegment,
} from './archive-segment.ts';
import { CryptoFault } from './crypto-fault.ts';
import { aesGcm, ed25519, hkdf } from './primitives.ts';
import { sign, signatureInput } from './signature.ts';

const random = seededRandom('archive-segment.test');
const account = accountId('0a'.repeat(16));
const [dsk, otherDsk] = [ed25519.fromSeed(random(32)), ed25519.fromSeed(random(32))];
const ark = random(32);
const keys = { ark, dsk };
const start: SegmentHead = {
  account,
  device: deviceId(1),
  seq: 1,
  prevHash: noHash,
  listEpoch: 1,
  arkEpoch: 1,
};
const entries = random(700);
const bytes = sealSegment(start, entries, keys, random);
const first = readSegment(bytes);
const broken = { name: 'CryptoFault', code: 'archive_broken' };
const badSignature = { name: 'Fault', code: 'bad_signature' };
const malformed = { name: 'Fault', code: 'malformed' };

/** The segment after `previous`, unless `change` says otherwise. */
const after = (previous: typeof first, change: Partial<SegmentHead> = {}) => {
  const { listEpoch, arkEpoch } = previous;
  const chain = { seq: previous.seq + 1, prevHash: previous.hash, listEpoch, arkEpoch };
  return readSegment(sealSegment({ ...start, ...chain, ...change }, random(10), keys, random));
};

t.test('A3: a segment comes back with what went into it', async (t) => {
  t.same(openSegment(first, dsk.public, ark), entries);
  t.match(first, { ...start, bytes, hash: hashSegment(bytes) });
  t.doesNotThrow(() => checkNextSegment(account, undefined, first));
});

t.test('a segment shows one of seven lengths', async (t) => {
  const lengthOf = (length: number) =>
    sealSegment(start, new Uint8Array(length), keys, random).length - 170;
  const cases = [0, 511, 512, 1023, 1024, 5000, 9000, 20_000, segmentRoom];
  t.same(cases.map(lengthOf), [512, 512, 1024, 1024, 2048, 8192, 16_384, 32_768, 32_768]);
  const most = sealSegment(start, new Uint8Array(segmentRoom), keys, random);
  t.same(openSegment(readSegment(most), dsk.public, ark), new Uint8Array(segmentRoom));
  t.ok(most.length <= limits.segmentBytes);
  const tooLarge = { name: 'Fault', code: 'too_large' };
  t.throws(() => sealSegment(start, new Uint8Array(segmentRoom + 1), keys, random), tooLarge);
});

t.test('a segment of another device, another key or another place does not open', async (t) => {
  t.throws(() => openSegment(first, otherDsk.public, ark), badSignature);
  t.throws(() => verifySegment(first, otherDsk.public), badSignature);
  t.throws(() => openSegment(first, dsk.public, random(32)), broken);
  t.throws(() => openSegment(first, dsk.public, ark.subarray(1)), malformed);
  const fields = Uint8Array.from(bytes.subarray(0, -64));
  for (const at of [17, 21, 29, 61, 65, 69]) {
    const moved = Uint8Array.from(fields);
    moved[at] = (moved[at] ?? 0) ^ 2;
    if (at === 29) moved.fill(9, 30, 62);
    const signed = concat(moved, sign('archive-segment', dsk, moved));
    const outcome = () => openSegment(readSegment(signed), dsk.public, ark);
    t.throws(outcome, at === 61 ? malformed : broken, `byte ${at}, signed again`);
  }
});

t.test('what a removed key sealed is not opened by its successor', async (t) => {
  const rotated = random(32);
  const next = sealSegment({ ...start, arkEpoch: 2 }, entries, { ark: rotated, dsk }, random);
  t.throws(() => openSegment(readSegment(next), dsk.public, ark), broken);
  t.same(openSegment(readSegment(next), dsk.public, rotated), entries);
});

t.test(
  'pitfall: SPK signature purpose confusion: a proof is no signature of a segment',
  async (t) => {
    const fields = bytes.subarray(0, -64);
    const wrong = concat(fields, ed25519.sign(dsk, signatureInput('session', fields)));
    t.throws(() => openSegment(readSegment(wrong), dsk.public, ark), badSignature);
  },
);

t.test('one plaintext has one padding', async (t) => {
  const fields = bytes.subarray(0, 86);
  const both = hkdf(first.id, ark, 'PI/1/archive-segment', 44);
  const made = (padded: Uint8Array) => {
    const sealed = aesGcm.seal(both.subarray(0, 32), both.subarray(32), padded, fields);
    const body = concat(fields, Uint8Array.of(0, 0, sealed.length >> 8, sealed.length), sealed);
    return readSegment(concat(body, sign('archive-segment', dsk, body)));
  };
  const right = new Uint8Array(1024);
  right[700] = 0x80;
  t.same(openSegment(made(right), dsk.public, ark), new Uint8Array(700));
  const small = new Uint8Array(1024);
  small[511] = 0x80;
  const none = new Uint8Array(1024);
  const other = new Uint8Array(1024).fill(0x81, 700, 701);
  for (const padded of [small, none, other]) {
    t.throws(() => openSegment(made(padded), dsk.public, ark), malformed);
  }
  t.throws(() => made(new Uint8Array(1000)), malformed, 'a length that is no power of two');
  t.throws(() => made(new Uint8Array(256)), malformed, 'below the least');
});

t.test('A3: the chain tells what is missing, moved, repeated or of another past', async (t) => {
  const second = after(first, { listEpoch: 2, arkEpoch: 3 });
  const third = after(second);
  t.doesNotThrow(() => checkNextSegment(account, first, second));
  t.doesNotThrow(() => checkNextSegment(account, second, third));
  const fork = after(first);
  for (const [previous, next] of [
    [undefined, second],
    [first, third],
    [second, first],
    [first, first],
    [fork, third],
    [second, after(second, { listEpoch: 1 })],
    [second, after(second, { arkEpoch: 2 })],
    [second, after(second, { account: accountId('0b'.repeat(16)) })],
  ] as const) {
    t.throws(() => checkNextSegment(account, previous, next), broken);
  }
  t.throws(() => checkNextSegment(accountId('0b'.repeat(16)), undefined, first), broken);
});

t.test('segments that contradict themselves are malformed', async (t) => {
  const wrong: Record<string, Partial<SegmentHead>> = {
    'number 0': { seq: 0 },
    'the first with a past': { prevHash: random(32) },
    'a later one without': { seq: 2 },
    'list epoch 0': { listEpoch: 0 },
    'key epoch 0': { arkEpoch: 0 },
  };
  for (const [why, change] of Object.entries(wrong)) {
    t.throws(() => sealSegment({ ...start, ...change }, entries, keys, random), malformed, why);
  }
});

t.test('fuzz: the segment decoder throws faults only', async (t) => {
  const samples = [bytes, after(first).bytes];
  await fuzzDecoder(t, { decode: readSegment, encode: (segment) => segment.bytes, samples });
  await fuzzDecoder(t, {
    decode: (input) => openSegment(readSegment(input), dsk.public, ark),
    samples,
    authentic: true,
    otherFault: (error) => error instanceof CryptoFault && error.code === 'archive_broken',
  });
});
