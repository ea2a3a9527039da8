import t from 'tap';
import { seededRandom } from '../vectors/seeded.ts';
import { concat } from '../wire/bytes.ts';
import { limits } from '../wire/limits.ts';
import { fuzzDecoder } from '../wire/testing/decoder-fuzz.ts';
import { openBundle } from './prekey-bundle.ts';
import {
  checkCurrent,
  makeBatch,
  makeLastResort,
  makeSignedPrekey,
  oneTimeOf,
  openBatch,
  openLastResort,
  openOneTime,
  openSignedPrekey,
} from './prekeys.ts';
import { ed25519, mlkem768, x25519 } from './primitives.ts';
import { type Purpose, signatureInput } from './signature.ts';

const random = seededRandom('prekeys.test');
const dsk = ed25519.fromSeed(random(32));
const other = ed25519.fromSeed(random(32));
const day = 20_000;
const signed = makeSignedPrekey(dsk, 3, day, random);
const lastResort = makeLastResort(dsk, 4, day, random);
const small = makeBatch(dsk, 100, day, random, 3);
const batch = openBatch(small.public, dsk.public);
const oneTime = oneTimeOf(batch, 1);
const badSignature = { name: 'Fault', code: 'bad_signature' };

/** `bytes` with its last 64 replaced by a signature of `by` for another purpose. */
function resigned(bytes: Uint8Array, purpose: Purpose, by = dsk): Uint8Array {
  const fields = bytes.subarray(0, -64);
  return concat(fields, ed25519.sign(by, signatureInput(purpose, fields)));
}

t.test('a signed prekey and a last resort come back with id, days and key', async (t) => {
  const days = { createdDay: day, expiresDay: day + limits.prekeyDays };
  t.equal(signed.public.length, 110);
  t.same(openSignedPrekey(signed.public, dsk.public), {
    id: 3,
    ...days,
    public: signed.pair.public,
  });
  t.equal(lastResort.public.length, 1262);
  const opened = openLastResort(lastResort.public, dsk.public);
  t.same(opened, { id: 4, ...days, public: lastResort.pair.public });
});

t.test('another device’s signature is none', async (t) => {
  t.throws(() => openSignedPrekey(signed.public, other.public), badSignature);
  t.throws(() => openLastResort(lastResort.public, other.public), badSignature);
  t.throws(() => openBatch(small.public, other.public), badSignature);
  t.throws(() => openOneTime(oneTime, other.public), badSignature);
});

t.test(
  'pitfall: SPK signature purpose confusion: a signature serves one structure only',
  async (t) => {
    const purposes = ['device', 'device-list', 'last-resort-prekey', 'one-time-batch'] as const;
    for (const purpose of purposes) {
      t.throws(() => openSignedPrekey(resigned(signed.public, purpose), dsk.public), badSignature);
    }
    t.doesNotThrow(() => openSignedPrekey(resigned(signed.public, 'signed-prekey'), dsk.public));
    const asSigned = resigned(lastResort.public, 'signed-prekey');
    t.throws(() => openLastResort(asSigned, dsk.public), badSignature);
    t.throws(() => openSignedPrekey(lastResort.public, dsk.public), { code: 'unknown_type' });
  },
);

t.test('the private halves belong to what was published', async (t) => {
  const opened = openOneTime(oneTime, dsk.public);
  const pair = small.pairs[1];
  if (pair === undefined) throw new Error('no pair');
  t.equal(opened.id, pair.id);
  const ephemeral = x25519.generate();
  t.same(x25519.dh(ephemeral, opened.dh), x25519.dh(pair.dh, ephemeral.public));
  const { ciphertext, secret } = mlkem768.encapsulate(opened.kem);
  t.same(mlkem768.decapsulate(pair.kem, ciphertext), secret);
});

t.test(
  'M1: a full batch of 100 is one upload of 121,679 bytes and 100 prekeys that each verify',
  async (t) => {
    const full = makeBatch(dsk, 1, day, random);
    t.equal(full.public.length, 121_679);
    t.equal(full.pairs.length, limits.batchSize);
    const opened = openBatch(full.public, dsk.public);
    for (const [index, pair] of full.pairs.entries()) {
      const bytes = oneTimeOf(opened, index);
      const prekey = openOneTime(bytes, dsk.public);
      if (prekey.id !== pair.id || Buffer.compare(prekey.dh, pair.dh.public) !== 0)
        t.fail(`${index}`);
      if (bytes.length !== 1520) t.fail(`${bytes.length} bytes`);
    }
    t.throws(() => oneTimeOf(opened, 100), { name: 'Fault', code: 'not_found' });
  },
);

t.test('pitfall: swapped OPK: the island can’t put in a key of its own', async (t) => {
  const mine = makeBatch(other, 100, day, random, 3);
  const foreign = oneTimeOf(openBatch(mine.public, other.public), 1);
  const swapped = Uint8Array.from(oneTime);
  swapped.set(foreign.subarray(16, 16 + 1216), 16);
  t.throws(() => openOneTime(swapped, dsk.public), badSignature, 'both keys');
  swapped.set(oneTime);
  swapped.set(foreign.subarray(16, 48), 16);
  t.throws(() => openOneTime(swapped, dsk.public), badSignature, 'the X25519 key');
  swapped.set(oneTime);
  swapped.set(foreign.subarray(48, 48 + 1184), 48);
  t.throws(() => openOneTime(swapped, dsk.public), badSignature, 'the ML-KEM key');
  const withItsPath = concat(foreign.subarray(0, -64), oneTime.subarray(-64));
  t.throws(() => openOneTime(withItsPath, dsk.public), badSignature, 'with a path of its own');
});

t.test('pitfall: swapped OPK: nor hand one out under another id, batch or date', async (t) => {
  const [firstIdAt, countAt, createdAt, expiresAt, indexAt] = [5, 6, 10, 14, 15];
  for (const [at, value] of [
    [firstIdAt, 101],
    [countAt, 4],
    [createdAt, 0],
    [expiresAt, 0x91],
    [indexAt, 2],
  ] as const) {
    const wrong = Uint8Array.from(oneTime);
    wrong[at] = value;
    t.throws(() => openOneTime(wrong, dsk.public), { name: 'Fault' }, `byte ${at}`);
  }
  const two = oneTimeOf(batch, 2);
  const mixed = concat(oneTime.subarray(0, 16 + 1216), two.subarray(16 + 1216));
  t.throws(() => openOneTime(mixed, dsk.public), badSignature, 'the path of a neighbour');
});

t.test('an empty place of the tree is no prekey, nor is an inner node', async (t) => {
  const beyond = Uint8Array.from(oneTime);
  beyond[15] = 3;
  t.throws(() => openOneTime(beyond, dsk.public), { name: 'Fault', code: 'malformed' });
});

t.test('the island refuses a batch whose root the device did not sign', async (t) => {
  const swapped = Uint8Array.from(small.public);
  swapped.set(makeBatch(other, 100, day, random, 1).public.subarray(15, 15 + 1216), 15);
  t.throws(() => openBatch(swapped, dsk.public), badSignature);
  const reordered = Uint8Array.from(small.public);
  reordered.copyWithin(15, 15 + 1216, 15 + 2 * 1216);
  t.throws(() => openBatch(reordered, dsk.public), badSignature);
});

t.test('pitfall: all-zero, non-canonical and twist points are no prekeys', async (t) => {
  const notCanonical = { name: 'Fault', code: 'not_canonical' };
  for (const key of [new Uint8Array(32), new Uint8Array(32).fill(0xff)]) {
    const inSigned = Uint8Array.from(signed.public);
    inSigned.set(key, 14);
    t.throws(() => openSignedPrekey(inSigned, dsk.public), notCanonical);
    const inOneTime = Uint8Array.from(oneTime);
    inOneTime.set(key, 16);
    t.throws(() => openOneTime(inOneTime, dsk.public), notCanonical);
    const inBatch = Uint8Array.from(small.public);
    inBatch.set(key, 15);
    t.throws(() => openBatch(inBatch, dsk.public), notCanonical);
  }
  const unreduced = Uint8Array.from(lastResort.public);
  unreduced.fill(0xff, 14, 17);
  t.throws(() => openLastResort(unreduced, dsk.public), notCanonical);
});

t.test(
  'days: a life above the limit, an end before the beginning and id 0 are malformed',
  async (t) => {
    const malformed = { name: 'Fault', code: 'malformed' };
    for (const [at, bytes] of [
      [2, [0, 0, 0, 0]],
      [10, [0, 0, 0, 1]],
      [10, [0, 1, 0, 0]],
    ] as const) {
      const wrong = Uint8Array.from(signed.public);
      wrong.set(bytes, at);
      t.throws(() => openSignedPrekey(resigned(wrong, 'signed-prekey'), dsk.public), malformed);
    }
    const last = makeBatch(dsk, 0xffff_ffff, day, random, 2);
    t.throws(() => openBatch(last.public, dsk.public), malformed, 'ids would begin again');
  },
);

t.test('old prekeys served for ever: after the last day there is no new session', async (t) => {
  const bundle = { signedPrekey: signed.public, oneTime };
  const expired = { name: 'Fault', code: 'prekey_expired' };
  t.doesNotThrow(() => openBundle(bundle, dsk.public, day + limits.prekeyDays));
  t.throws(() => openBundle(bundle, dsk.public, day + limits.prekeyDays + 1), expired);
  t.doesNotThrow(() => checkCurrent({ createdDay: day, expiresDay: day }, day - 1), 'a slow clock');
});

t.test(
  'pitfall: OPK exhaustion: a bundle has a one-time prekey or the last resort, never both or none',
  async (t) => {
    const open = (part: { oneTime?: Uint8Array; lastResort?: Uint8Array }) =>
      openBundle({ signedPrekey: signed.public, ...part }, dsk.public, day);
    t.equal(open({ oneTime }).oneTime?.id, 101);
    const without = open({ lastResort: lastResort.public });
    t.equal(without.oneTime, undefined);
    t.equal(without.lastResort?.id, 4);
    t.throws(() => open({ oneTime, lastResort: lastResort.public }), { code: 'malformed' });
    t.throws(() => open({}), { code: 'malformed' });
  },
);

t.test('fuzz: the prekey decoders throw faults only', async (t) => {
  for (const [decode, sample] of [
    [openSignedPrekey, signed.public],
    [openLastResort, lastResort.public],
    [openBatch, small.public],
    [openOneTime, oneTime],
  ] as const) {
    await fuzzDecoder(t, {
      decode: (bytes) => void decode(bytes, dsk.public),
      samples: [sample],
      authentic: true,
    });
  }
});
