/** How one list follows another: `checkSuccessor` and `checkNewer`. docs/protocol/devices.md §5 */
import t from 'tap';
import { seededRandom } from '../vectors/seeded.ts';
import { accountId, deviceId } from '../wire/ids.ts';
import { limits } from '../wire/limits.ts';
import { type DeviceListState, listFlags } from './account-state.ts';
import { createDevice, type DeviceCert, type DeviceKeys, signDeviceCert } from './device.ts';
import {
  checkNewer,
  checkSuccessor,
  type DeviceList,
  type DeviceListChange,
  firstDeviceList,
  nextDeviceList,
  openDeviceList,
  signDeviceList,
} from './device-list.ts';
import { ed25519, type SigningPair } from './primitives.ts';

const random = seededRandom('device-list-history.test');
const account = accountId('0a'.repeat(16));
const aik = ed25519.fromSeed(random(32));
const newAik = ed25519.fromSeed(random(32));
const broken = { name: 'Fault', code: 'list_broken' };

const keysOf = (id: number): DeviceKeys => createDevice({ account, device: deviceId(id), random });
const join = (keys: DeviceKeys, under: SigningPair = aik): DeviceCert =>
  signDeviceCert(keys, under.public, 20_000);

const one = keysOf(1);
const two = keysOf(2);
const three = keysOf(3);
const open = (state: DeviceListState, by = aik, former?: SigningPair): DeviceList =>
  openDeviceList(signDeviceList(state, by, former));
const after = (list: DeviceList, change: DeviceListChange, by = aik, former?: SigningPair) =>
  open(nextDeviceList(list, change, 20_001), by, former);

const first = open(firstDeviceList(join(one), 'ann'));
const added = after(first, { devices: [...first.devices, join(two)] });
const removed = after(added, { devices: first.devices });

t.test('A4: add, rename, remove: each is one epoch that says what it changed', async (t) => {
  const renamed = after(first, { name: 'ann.b' });
  const swapped = after(added, { devices: [...first.devices, join(three)] });
  t.equal(added.flags, listFlags.update);
  t.equal(renamed.flags, listFlags.update);
  t.equal(removed.flags, listFlags.revoke);
  t.equal(swapped.flags, listFlags.update | listFlags.revoke);
  t.same(removed.revoked, [{ device: 2, day: 20_001 }]);
  t.equal(removed.lastDevice, 2);
  for (const [before, next] of [
    [first, added],
    [first, renamed],
    [added, removed],
    [added, swapped],
  ] as const) {
    t.doesNotThrow(() => checkSuccessor(before, next));
    t.doesNotThrow(() => checkNewer(before, next));
  }
});

t.test('an erased account has no device and no next list', async (t) => {
  const erased = after(added, { devices: [] });
  t.equal(erased.flags, listFlags.erase);
  t.doesNotThrow(() => checkSuccessor(added, erased));
  const revived = after(erased, { devices: [join(keysOf(9))] });
  t.throws(() => checkSuccessor(erased, revived), broken);
  t.throws(() => checkNewer(erased, revived), broken);
});

t.test('a rotation is signed by the AIK before; devices stay or join again', async (t) => {
  const replace = { aik: newAik.public, how: 'rotate' } as const;
  const rotated = after(added, { replace }, newAik, aik);
  t.equal(rotated.flags, listFlags.rotate);
  t.doesNotThrow(() => checkSuccessor(added, rotated));
  t.doesNotThrow(() => checkNewer(added, rotated));
  const devices = [rotated.devices[0] ?? join(one), join(two, newAik)];
  const rejoined = after(rotated, { devices }, newAik);
  t.equal(rejoined.flags, listFlags.update);
  t.doesNotThrow(() => checkSuccessor(rotated, rejoined));
  const stranger = after(added, { replace }, newAik, ed25519.fromSeed(random(32)));
  t.throws(() => checkSuccessor(added, stranger), { name: 'Fault', code: 'bad_signature' });
});

t.test('a reset is seen: counted, flagged, and every device joined anew', async (t) => {
  const replace = { aik: newAik.public, how: 'reset' } as const;
  const devices = [join(one, newAik)];
  const reset = after(added, { devices, replace }, newAik);
  t.equal(reset.resetCounter, 1);
  t.equal(reset.flags, listFlags.reset | listFlags.update | listFlags.revoke);
  t.doesNotThrow(() => checkSuccessor(added, reset), 'lawful, for who keeps the history');
  t.throws(() => checkNewer(added, reset), { code: 'identity_changed' }, 'shown, for a contact');
  t.throws(() => after(added, { replace }, newAik), { name: 'Fault', code: 'malformed' });
  const quiet = { ...nextDeviceList(added, { devices, replace }, 1), flags: listFlags.update };
  t.throws(() => checkSuccessor(added, open(quiet, newAik)), broken);
});

t.test(
  'pitfall: rollback of DeviceList: an older list, or another one of the same epoch, is refused',
  async (t) => {
    const stale = { name: 'Fault', code: 'stale_list' };
    t.throws(() => checkSuccessor(removed, added), stale);
    t.throws(() => checkSuccessor(added, added), stale);
    t.throws(() => checkNewer(removed, added), stale);
    t.throws(() => checkNewer(removed, first), stale);
    t.doesNotThrow(() => checkNewer(added, added));
    const fork = after(first, { devices: [...first.devices, join(three)] });
    t.throws(() => checkNewer(added, fork), broken, 'two lists of one epoch');
    const onFork = after(fork, { devices: first.devices });
    t.throws(() => checkSuccessor(added, onFork), broken, 'the hash of a list that was not before');
  },
);

t.test(
  'pitfall: ghost device: an id that was removed does not return, and keys under an id stay',
  async (t) => {
    const back = { devices: [...first.devices, join(two)] };
    const returned = { ...nextDeviceList(removed, back, 1), revoked: [] };
    t.throws(() => checkSuccessor(removed, open(returned)), broken);
    const replaced = keysOf(1);
    const swap = after(first, { devices: [join(replaced)] });
    t.throws(() => checkSuccessor(first, swap), broken);
    t.throws(() => checkNewer(first, swap), broken);
    const renumbered = after(removed, { devices: [...first.devices, join(three)] });
    t.doesNotThrow(() => checkSuccessor(removed, renumbered));
  },
);

t.test(
  'a client that missed epochs still sees a returning device, other keys and another AIK',
  async (t) => {
    const later = after(removed, { name: 'ann.c' });
    t.doesNotThrow(() => checkNewer(first, later));
    const skipped = { ...nextDeviceList(removed, {}, 1), flags: listFlags.update, epoch: 9 };
    const ghost = { ...skipped, devices: [...first.devices, join(two)], revoked: [] };
    t.throws(() => checkNewer(removed, open(ghost)), broken, 'device 2 was removed');
    t.throws(() => checkNewer(first, open({ ...skipped, devices: [join(keysOf(1))] })), broken);
    const other = { aik: newAik.public, aikEpoch: 2, devices: [join(one, newAik)] };
    const taken = { ...skipped, ...other, flags: listFlags.update };
    t.throws(() => checkNewer(removed, open(taken, newAik)), { code: 'identity_changed' });
  },
);

t.test('every number in a list must follow from the one before', async (t) => {
  const devices = [...first.devices, join(two)];
  const lawful = nextDeviceList(first, { devices }, 1);
  t.doesNotThrow(() => checkSuccessor(first, open(lawful)));
  const wrong: Partial<DeviceListState>[] = [
    { epoch: 3 },
    { prevHash: added.hash },
    { lastDevice: 7 },
    { flags: listFlags.update | listFlags.revoke },
    { aikEpoch: 2 },
    { revoked: [{ device: deviceId(1), day: 1 }], devices: [join(two)] },
  ];
  for (const change of wrong) {
    t.throws(() => checkSuccessor(first, open({ ...lawful, ...change })), broken, inspect(change));
  }
  const elsewhere = accountId('0b'.repeat(16));
  const stranger = createDevice({ account: elsewhere, device: deviceId(1), random });
  const other = open(firstDeviceList(signDeviceCert(stranger, aik.public, 1), 'ann'));
  t.throws(() => checkSuccessor(first, other), broken, 'another account');
  t.throws(() => checkNewer(first, other), broken, 'another account');
});

t.test('A4 pitfall: an account without ids: a new device has the very next one', async (t) => {
  for (const id of [5, 0xffff_ffff]) {
    const far = join(keysOf(id));
    const burnt = after(removed, { devices: [...removed.devices, far] });
    t.throws(() => checkSuccessor(removed, burnt), broken);
    t.throws(() => checkNewer(removed, burnt), broken);
    const state = {
      ...nextDeviceList(burnt, { devices: removed.devices }, 1),
      prevHash: random(32),
    };
    t.throws(() => checkNewer(removed, open(state)), broken, 'also with a list between, unseen');
  }
  const next = after(removed, { devices: [...removed.devices, join(three)] });
  t.doesNotThrow(() => checkSuccessor(removed, next));
  const both = [...first.devices, join(two), join(three)];
  t.throws(() => checkSuccessor(first, after(first, { devices: both })), broken, 'one at a time');
});

t.test('the day of a removal is not rewritten', async (t) => {
  const next = nextDeviceList(removed, { name: 'ann.d' }, 1);
  const rewritten = { ...next, revoked: [{ device: deviceId(2), day: 1 }] };
  t.throws(() => checkSuccessor(removed, open(rewritten)), broken);
});

t.test('the list of removed devices stays bounded and forgets the lowest ids', async (t) => {
  let list = first;
  for (let id = 2; id < limits.revokedDevices + 5; id++) {
    list = after(list, { devices: [join(keysOf(id))] });
  }
  t.equal(list.revoked.length, limits.revokedDevices);
  t.equal(list.revoked.at(-1)?.device, limits.revokedDevices + 3);
  const returned = after(list, { devices: [...list.devices, join(one)].sort(byId) });
  t.throws(() => checkSuccessor(list, returned), broken, 'forgotten, but below the highest id');
});

const byId = (a: DeviceCert, b: DeviceCert): number => a.device - b.device;

function inspect(change: Partial<DeviceListState>): string {
  return Object.keys(change).join();
}
