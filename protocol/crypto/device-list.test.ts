import t from 'tap';
import { seededRandom } from '../vectors/seeded.ts';
import { accountId, deviceId } from '../wire/ids.ts';
import { limits } from '../wire/limits.ts';
import { fuzzDecoder } from '../wire/testing/decoder-fuzz.ts';
import { type DeviceListState, listFlags } from './account-state.ts';
import { createDevice, type DeviceCert, signDeviceCert } from './device.ts';
import { firstDeviceList, hashDeviceList, openDeviceList, signDeviceList } from './device-list.ts';
import { ed25519, type SigningPair } from './primitives.ts';
import { signatureInput } from './signature.ts';

const random = seededRandom('device-list.test');
const account = accountId('0a'.repeat(16));
const aik = ed25519.fromSeed(random(32));
const malformed = { name: 'Fault', code: 'malformed' };
const badSignature = { name: 'Fault', code: 'bad_signature' };

function cert(id: number, under: SigningPair = aik): DeviceCert {
  const keys = createDevice({ account, device: deviceId(id), random });
  return signDeviceCert(keys, under.public, 20_000);
}
const first = firstDeviceList(cert(1), 'ann');
const bytes = signDeviceList(first, aik);

t.test('A4: a list comes back with everything it was signed with', async (t) => {
  const list = openDeviceList(bytes);
  const { bytes: same, hash, fields, formerSignature, ...state } = list;
  t.same(state, first);
  t.same(same, bytes);
  t.same(hash, hashDeviceList(bytes));
  t.equal(fields.length, bytes.length - 64);
  t.equal(formerSignature, undefined);
});

t.test('the largest list fits into the 4,096 bytes of the registration route', async (t) => {
  const others = Array.from({ length: limits.devices }, (_, i) => cert(i + 1001));
  const revoked = Array.from({ length: limits.revokedDevices }, (_, i) => {
    return { device: deviceId(i + 1), day: 20_001 };
  });
  const former = ed25519.fromSeed(random(32));
  const state: DeviceListState = {
    ...first,
    flags: listFlags.rotate | listFlags.update | listFlags.revoke,
    name: 'x'.repeat(limits.nameCharacters),
    epoch: 0xffff_ffff,
    prevHash: random(32),
    aikEpoch: 7,
    resetCounter: 3,
    lastDevice: 5000,
    devices: others,
    revoked,
  };
  const largest = signDeviceList(state, aik, former);
  t.equal(largest.length, 3463);
  t.ok(largest.length <= 4096);
});

t.test('pitfall: ghost device: nobody but the AIK adds one', async (t) => {
  const island = ed25519.fromSeed(random(32));
  const ghost = { ...first, lastDevice: 2, devices: [...first.devices, cert(2)] };
  const forged = Uint8Array.from(signDeviceList(ghost, aik));
  const fields = forged.subarray(0, -64);
  forged.set(ed25519.sign(island, signatureInput('device-list', fields)), fields.length);
  t.throws(() => openDeviceList(forged), badSignature, 'signed by another key');
  forged.set(bytes.subarray(-64), fields.length);
  t.throws(() => openDeviceList(forged), badSignature, 'with the signature of the true list');
});

t.test(
  'pitfall: ghost device: the AIK alone can’t claim the device of another account',
  async (t) => {
    const mallory = ed25519.fromSeed(random(32));
    const [bobs] = first.devices;
    if (bobs === undefined) throw new Error('no device');
    const stolen = { ...bobs, account: accountId('0b'.repeat(16)), aik: mallory.public };
    t.throws(() => signDeviceList(firstDeviceList(stolen, 'mallory'), mallory), badSignature);
    const underOwnAik = { ...firstDeviceList(bobs, 'ann'), aik: mallory.public };
    t.throws(() => signDeviceList(underOwnAik, mallory), malformed, 'a first list has one AIK');
  },
);

t.test(
  'pitfall: SPK signature purpose confusion: the AIK’s signature for another purpose is none',
  async (t) => {
    const fields = bytes.subarray(0, -64);
    for (const purpose of ['device-list-rotation', 'device', 'signed-prekey'] as const) {
      const wrong = Uint8Array.from(bytes);
      wrong.set(ed25519.sign(aik, signatureInput(purpose, fields)), fields.length);
      t.throws(() => openDeviceList(wrong), badSignature, purpose);
    }
  },
);

t.test('lists that contradict themselves are malformed', async (t) => {
  const [one] = first.devices;
  if (one === undefined) throw new Error('no device');
  const two = cert(2);
  const late = { epoch: 2, prevHash: random(32), flags: listFlags.update };
  const both = { ...first, ...late, lastDevice: 2, devices: [one, two] };
  t.doesNotThrow(() => signDeviceList(both, aik), 'a lawful one, to start from');
  const wrong: Record<string, Partial<DeviceListState>> = {
    'no device': { devices: [] },
    'not sorted': { devices: [two, one] },
    'one device twice': { devices: [one, one] },
    'id above the highest given': { lastDevice: 1 },
    'no change': { flags: 0 },
    'unknown flag': { flags: 0x42 },
    'register later': { flags: listFlags.register },
    'erase with devices': { flags: listFlags.erase },
    'no hash of the one before': { prevHash: new Uint8Array(32) },
    'epoch 0': { epoch: 0 },
    'epoch 1 with a past': { epoch: 1 },
    'no AIK epoch': { aikEpoch: 0 },
    'more AIKs than epochs': { aikEpoch: 3 },
    'reset before the first': { resetCounter: 1 },
    'reset not counted': { flags: listFlags.reset | listFlags.update, aikEpoch: 2 },
    'revoked and present': { revoked: [{ device: deviceId(2), day: 1 }] },
    'a day of removal behind every calendar': {
      devices: [one],
      revoked: [{ device: deviceId(2), day: 2_932_897 }],
    },
    'a day of joining behind every calendar': {
      devices: [
        one,
        signDeviceCert(createDevice({ account, device: deviceId(2) }), aik.public, 0xffff_ffff),
      ],
    },
    'revoked never given': { revoked: [{ device: deviceId(3), day: 1 }] },
    'a name that is none': { name: 'Not Ann' },
  };
  for (const [why, change] of Object.entries(wrong)) {
    const code = why === 'a name that is none' ? 'name_invalid' : 'malformed';
    t.throws(() => signDeviceList({ ...both, ...change }, aik), { name: 'Fault', code }, why);
  }
  const rotateAndReset = { ...both, flags: listFlags.rotate | listFlags.reset };
  t.throws(() => signDeviceList(rotateAndReset, aik, aik), malformed);
});

t.test('no key stands twice in a list', async (t) => {
  const keys = createDevice({ account, device: deviceId(1), random });
  const other = createDevice({ account, device: deviceId(2), random });
  const certs = (second: typeof keys) => [
    signDeviceCert(keys, aik.public, 1),
    signDeviceCert({ ...second, device: deviceId(2) }, aik.public, 1),
  ];
  const both = { ...first, lastDevice: 2 };
  for (const second of [keys, { ...other, dik: keys.dik }, { ...other, dsk: keys.dsk }]) {
    t.throws(() => signDeviceList({ ...both, devices: certs(second) }, aik), malformed);
  }
  const asDevice = signDeviceCert({ ...keys, dsk: aik }, aik.public, 1);
  t.throws(() => signDeviceList({ ...first, devices: [asDevice] }, aik), malformed);
});

t.test('a rotation carries two signatures, anything else one', async (t) => {
  const former = ed25519.fromSeed(random(32));
  const next = { ...first, epoch: 2, prevHash: random(32), aikEpoch: 2 };
  const rotated = { ...next, flags: listFlags.rotate };
  t.same(openDeviceList(signDeviceList(rotated, aik, former)).formerSignature?.length, 64);
  t.throws(() => signDeviceList(rotated, aik), { name: 'Fault', code: 'truncated' });
  const trailing = { name: 'Fault', code: 'trailing_bytes' };
  t.throws(() => signDeviceList(first, aik, former), trailing);
});

t.test('counts above the limits are refused before their entries are read', async (t) => {
  const many = Array.from({ length: limits.devices + 1 }, () => first.devices[0] ?? cert(1));
  t.throws(() => signDeviceList({ ...first, devices: many }, aik), { code: 'too_large' });
  const gone = Array.from({ length: limits.revokedDevices + 1 }, (_, i) => {
    return { device: deviceId(i + 1), day: 0 };
  });
  t.throws(() => signDeviceList({ ...first, revoked: gone }, aik), { code: 'too_large' });
});

t.test('fuzz: the list decoder throws faults only', async (t) => {
  await fuzzDecoder(t, {
    decode: openDeviceList,
    encode: (list) => list.bytes,
    samples: [bytes],
    authentic: true,
  });
});
