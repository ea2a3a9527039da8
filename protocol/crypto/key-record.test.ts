import t from 'tap';
import { SampleAccount } from '../vectors/sample-account.ts';
import { seededRandom } from '../vectors/seeded.ts';
import { concat } from '../wire/bytes.ts';
import { limits } from '../wire/limits.ts';
import { fuzzDecoder } from '../wire/testing/decoder-fuzz.ts';
import { noHash } from './account-state.ts';
import {
  hashKeyRecord,
  type KeyRecordParts,
  openKeyRecord,
  openKeyring,
  readKeyRecord,
} from './key-record.ts';
import { openCodeSlot, openDeviceSlot, sealedSlotBytes } from './key-slots.ts';
import { ed25519, type SigningPair } from './primitives.ts';
import { signatureInput } from './signature.ts';

const random = seededRandom('key-record.test');
const ann = new SampleAccount(random);
const codes = await ann.makeCodes(8);
const slots = codes.map(({ keys }) => ann.slotOf(keys));
const first = ann.record({ slots });
const broken = { name: 'Fault', code: 'record_broken' };
const malformed = { name: 'Fault', code: 'malformed' };

/** The code of index `i` and its share in `made`. */
function opener(made: typeof first, i: number) {
  const code = codes[i]?.keys;
  const share = made.shares.find(({ loc }) => code && hexOf(loc) === hexOf(code.loc))?.share;
  if (code === undefined || share === undefined) throw new Error('no such code');
  return { code, share };
}
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** These bytes with a valid signature of `by` in place of the one they have. */
function signedAgain(bytes: Uint8Array, by: SigningPair): Uint8Array {
  const fields = bytes.subarray(0, -64);
  return concat(fields, ed25519.sign(by, signatureInput('key-record', fields)));
}

t.test(
  'A3: each of eight codes alone, with its share, gives the secrets of the account',
  async (t) => {
    for (let i = 0; i < 8; i++) {
      const { code, share } = opener(first, i);
      const secrets = openCodeSlot(first.opened, code, share);
      t.same(secrets.ark, first.parts.ark);
      t.same(secrets.aik, ann.aik);
      t.same(secrets.head, { seq: 0, hash: noHash });
    }
  },
);

t.test(
  'A3: after a rotation by a device that knows no code the codes left give the new key',
  async (t) => {
    const used = codes[2]?.keys.loc ?? noHash;
    const left = first.opened.slots.filter(({ loc }) => hexOf(loc) !== hexOf(used));
    const second = ann.rotated(first, { slots: left });
    const third = ann.rotated(second);
    for (const i of [0, 1, 3, 4, 5, 6, 7]) {
      const { code, share } = opener(third, i);
      t.same(openCodeSlot(third.opened, code, share).ark, third.parts.ark);
    }
    const gone = codes[2]?.keys;
    const share = opener(first, 2).share;
    if (gone === undefined) throw new Error('no code');
    t.throws(() => openCodeSlot(third.opened, gone, share), { name: 'Fault', code: 'wrong_code' });
    t.same(openKeyring(third.opened, third.parts.ark), [first.parts.ark, second.parts.ark]);
    t.throws(() => openKeyring(third.opened, second.parts.ark), broken);
  },
);

t.test('A4: each device opens its own slot and no other', async (t) => {
  const eve = new SampleAccount(random);
  const two = eve.device(2);
  const alone = eve.record({});
  eve.change({ devices: [...eve.list.devices, eve.cert(two)] });
  const head = { seq: 12, hash: random(32) };
  const both = eve.nextRecord(alone, { head });
  for (const { device, dik } of [eve.one, two]) {
    const secrets = openDeviceSlot(both.opened, device, dik);
    t.same(secrets, { ark: alone.parts.ark, aik: eve.aik, head });
  }
  t.throws(() => openDeviceSlot(both.opened, 1, two.dik), broken);
  t.throws(() => openDeviceSlot(alone.opened, 2, two.dik), {
    name: 'Fault',
    code: 'unknown_device',
  });
});

t.test(
  'pitfall: unsigned backup key/pk_i swap: the key of a slot is under the signature',
  async (t) => {
    const bytes = Uint8Array.from(first.record);
    const own = ann.device(9).dik.public;
    const at = bytes.length - 64 - (112 + 2 + sealedSlotBytes) + 48;
    t.same(bytes.subarray(at, at + 32), first.opened.slots[7]?.dh, 'the place of the last key');
    bytes.set(own, at);
    t.throws(() => openKeyRecord(bytes, ann.aik.public), { name: 'Fault', code: 'bad_signature' });
    const island = ed25519.fromSeed(random(32));
    const theirs = signedAgain(bytes, island);
    t.throws(() => openKeyRecord(theirs, ann.aik.public), { name: 'Fault', code: 'bad_signature' });
  },
);

t.test(
  'pitfall: SPK signature purpose confusion: a list’s signature is none of a record',
  async (t) => {
    const fields = first.record.subarray(0, -64);
    const wrong = concat(fields, ed25519.sign(ann.aik, signatureInput('device-list', fields)));
    t.throws(() => openKeyRecord(wrong, ann.aik.public), { name: 'Fault', code: 'bad_signature' });
  },
);

t.test('swapped shares, and the share of a record before, open nothing', async (t) => {
  const { code, share } = opener(first, 0);
  t.throws(() => openCodeSlot(first.opened, code, opener(first, 1).share), broken);
  const next = ann.nextRecord(first);
  t.throws(() => openCodeSlot(next.opened, code, share), broken);
  t.throws(() => openCodeSlot(next.opened, code, share.subarray(1)), malformed);
  const all = [...first.shares, ...next.shares].map((entry) => hexOf(entry.share));
  t.equal(new Set(all).size, 16, 'every share is new');
});

t.test('swapped slots, within a record and between accounts, open nothing', async (t) => {
  const [a, b] = first.opened.slots;
  const { code, share } = opener(first, 0);
  const mine = first.opened.slots.find(({ loc }) => hexOf(loc) === hexOf(code.loc));
  const other = hexOf(mine?.loc ?? noHash) === hexOf(a?.loc ?? noHash) ? b : a;
  if (mine === undefined || other === undefined) throw new Error('no slots');
  const exchanged = first.opened.slots.map((slot) =>
    slot === mine ? { ...mine, sealed: other.sealed } : slot,
  );
  t.throws(() => openCodeSlot({ ...first.opened, slots: exchanged }, code, share), broken);

  const mallory = new SampleAccount(random, 'mallory');
  const theirs = mallory.record({ slots: [mine] });
  const bytes = Uint8Array.from(theirs.record);
  bytes.set(mine.sealed, bytes.length - 64 - sealedSlotBytes);
  const forged = openKeyRecord(signedAgain(bytes, mallory.aik), mallory.aik.public);
  t.same(forged.slots[0], mine, 'the slot of another account, signed by mallory');
  t.throws(() => openCodeSlot(forged, code, share), broken);

  const [device] = first.opened.devices;
  const intoList = { ...theirs.opened, devices: device ? [device] : [] };
  t.throws(() => openDeviceSlot(intoList, 1, ann.one.dik), broken);
});

t.test('a slot with another AIK than the one that signed the record is refused', async (t) => {
  const mallory = ed25519.fromSeed(random(32));
  const made = ann.record({ slots });
  const { code, share } = opener(made, 0);
  const foreign = { ...made.opened, aik: mallory.public };
  t.throws(() => openDeviceSlot(foreign, 1, ann.one.dik), broken);
  t.throws(() => openCodeSlot(foreign, code, share), broken);
  t.throws(() => ann.record({ aik: mallory }), malformed, 'and none is made');
});

t.test('pitfall: KDF downgrade: a record with parameters below the floor is refused', async (t) => {
  const salt = random(16);
  const weak = { name: 'Fault', code: 'kdf_too_weak' };
  for (const less of [{ memory: 65_535 }, { passes: 2 }, { lanes: 0 }]) {
    const kdf = { ...ann.codes.kdf, ...less };
    t.throws(() => ann.record({ codes: { salt, kdf } }), weak);
  }
  const kdf = { ...ann.codes.kdf, memory: 1_048_577 };
  t.throws(() => ann.record({ codes: { salt, kdf } }), malformed);
});

t.test('records that contradict themselves are malformed', async (t) => {
  const ark = random(32);
  const [slot] = slots;
  if (slot === undefined) throw new Error('no slot');
  const late = { version: 2, prevHash: random(32) };
  const wrong: Record<string, Partial<KeyRecordParts>> = {
    'version 0': { version: 0 },
    'version 1 with a past': { prevHash: random(32) },
    'a later version without one': { version: 2 },
    'version 1 with a second archive key': { arkEpoch: 2, former: [ark] },
    'epoch 0': { ...late, firstEpoch: 0, arkEpoch: 0 },
    'first epoch above the present': { ...late, firstEpoch: 2 },
    'a key too few': { ...late, arkEpoch: 2 },
    'a key too many': { ...late, former: [ark] },
    'a former key of another length': { ...late, arkEpoch: 2, former: [ark.subarray(1)] },
    'a present key of another length': { ark: ark.subarray(1) },
    'a code twice': { slots: [slot, slot] },
    'a code key twice': { slots: [slot, { ...slot, loc: random(16) }] },
  };
  for (const [why, change] of Object.entries(wrong)) {
    t.throws(() => ann.record(change), malformed, why);
  }
  const zero = { slots: [{ ...slot, dh: new Uint8Array(32) }] };
  t.throws(() => ann.record(zero), { name: 'Fault', code: 'not_canonical' });
  const nine = { slots: [...slots, { ...slot, loc: random(16) }] };
  t.throws(() => ann.record(nine), { name: 'Fault', code: 'too_large' });
});

t.test('the order in which codes are given does not show in the record', async (t) => {
  const back = ann.record({ slots: [...slots].reverse() }).opened.slots;
  t.same(
    back.map(({ loc }) => hexOf(loc)),
    slots.map(({ loc }) => hexOf(loc)).sort(),
  );
});

t.test('the largest record fits into its limit', async (t) => {
  const big = new SampleAccount(random, 'x'.repeat(32));
  const others = Array.from({ length: limits.devices - 1 }, (_, i) => big.cert(big.device(i + 2)));
  big.change({ devices: [...big.list.devices, ...others] });
  const former = Array.from({ length: limits.archiveKeys }, () => random(32));
  const arkEpoch = former.length + 1;
  const largest = { version: 0xffff_ffff, prevHash: random(32), arkEpoch, former, slots };
  t.equal(big.record(largest).record.length, 36_916);
  t.ok(36_916 <= limits.recordBytes);
  const more = { ...largest, arkEpoch: arkEpoch + 1, former: [...former, random(32)] };
  t.throws(() => big.record(more), { name: 'Fault', code: 'too_large' });
});

t.test('the hash covers the signature', async (t) => {
  t.same(first.opened.hash, hashKeyRecord(first.record));
  const other = Uint8Array.from(first.record);
  other[other.length - 1] = (other[other.length - 1] ?? 0) ^ 1;
  t.notSame(hashKeyRecord(other), first.opened.hash);
});

t.test('fuzz: the record decoder throws faults only', async (t) => {
  const samples = [first.record, ann.record({}).record];
  await fuzzDecoder(t, { decode: readKeyRecord, encode: ({ bytes }) => bytes, samples });
  await fuzzDecoder(t, {
    decode: (bytes) => openKeyRecord(bytes, ann.aik.public),
    samples,
    authentic: true,
  });
});
