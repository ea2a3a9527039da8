/** Following people through the changes of their devices and keys, and refusing what does not follow. */
import { createDevice, signDeviceCert } from '@island/protocol/crypto/device.ts';
import {
  type DeviceList,
  type DeviceListChange,
  nextDeviceList,
  openDeviceList,
  signDeviceList,
} from '@island/protocol/crypto/device-list.ts';
import { ed25519, type SigningPair } from '@island/protocol/crypto/primitives.ts';
import { deviceId } from '@island/protocol/wire/ids.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import t from 'tap';
import { accountRow, readAccount } from '../account/account.ts';
import type { Member } from '../testing/member.ts';
import { type OddIsland, oddIsland } from '../testing/odd-island.ts';
import { person, reopen, type TestPerson } from '../testing/person.ts';
import { readLatch, unlatch } from '../transparency/latch.ts';
import { openPeople } from './people.ts';

const today = 20_000;

/** The account of a person on the island, and what its devices do to it. */
async function accountOf(island: OddIsland, { name, storage }: TestPerson) {
  const record = await readAccount(storage);
  const member = island.members.get(name);
  if (!record || !member) throw new Error(`${name} is not registered`);
  let list = openDeviceList(record.list);
  let aik = ed25519.fromSeed(record.aik);
  const take = (bytes: Uint8Array): DeviceList => {
    list = openDeviceList(bytes);
    member.list = base64url(bytes);
    return list;
  };
  const make = (change: DeviceListChange, by = aik, former?: SigningPair): Uint8Array =>
    signDeviceList(nextDeviceList(list, change, today), by, former);
  const added = (under: Uint8Array) => {
    const keys = createDevice({ account: list.account, device: deviceId(list.lastDevice + 1) });
    return signDeviceCert(keys, under, today);
  };
  return {
    member,
    list: () => list,
    add: () => take(make({ devices: [...list.devices, added(list.aik)] })),
    /** Removes the newest device; the identity key is replaced with its own consent. */
    revoke() {
      const next = ed25519.generate();
      const replace = { aik: next.public, how: 'rotate' } as const;
      const bytes = make({ devices: list.devices.slice(0, -1), replace }, next, aik);
      aik = next;
      return take(bytes);
    },
    reset() {
      aik = ed25519.generate();
      const replace = { aik: aik.public, how: 'reset' } as const;
      return take(make({ devices: [added(aik.public)], replace }));
    },
    /** A rotation that the identity key of before has not signed. */
    usurp() {
      const [own, other] = [ed25519.generate(), ed25519.generate()];
      const replace = { aik: own.public, how: 'rotate' } as const;
      const devices = [...list.devices, added(own.public)];
      const bytes = make({ devices, replace }, own, other);
      aik = own;
      return take(bytes);
    },
    /** This home adopts what its account has become. */
    adopt: () =>
      storage.commit({ put: [accountRow({ ...record, list: list.bytes, aik: aik.private })] }),
  };
}

async function scene() {
  const held = new AsyncDisposableStack();
  const island = held.use(await oddIsland());
  const alice = held.use(await person(island, 'alice'));
  const bob = held.use(await person(island, 'bob'));
  const people = openPeople(alice.storage, alice.islander.lookups);
  await people.find('bob');
  const account = await accountOf(island, bob);
  return { island, alice, bob, people, account, [Symbol.asyncDispose]: () => held.disposeAsync() };
}

const asked = ({ requests }: OddIsland): number =>
  requests.filter(({ path }) => path.includes('/lists/')).length;

t.test('A4: a contact who added, removed and rotated is followed step by step', async (t) => {
  await using here = await scene();
  const { island, people, account } = here;
  account.add();
  await people.refresh('bob');
  t.equal(asked(island), 0, 'the next list needs no history');
  for (let i = 0; i < 10; i++) {
    account.add();
    account.revoke();
  }
  const { list } = await people.refresh('bob');
  t.same(list.hash, account.list().hash);
  t.equal(list.aikEpoch, 11);
  t.equal(asked(island), 2, '16 lists an answer');
  t.same((await people.find('bob')).list.hash, list.hash, 'and is pinned');
});

t.test('A4: sessions outlive a rotation of the identity key on either side', async (t) => {
  await using here = await scene();
  const { island, alice, bob, account } = here;
  t.same(await alice.sends('bob', 'before'), ['accepted']);
  t.same(await bob.hears(1), ['alice: before']);
  await bob.islander[Symbol.asyncDispose]();
  account.add();
  account.revoke();
  await account.adopt();
  await using again = await reopen('bob', bob.storage);
  t.same(await again.sends('alice', 'rotated'), ['accepted']);
  t.same(await alice.hears(1), ['bob: rotated']);
  await openPeople(alice.storage, alice.islander.lookups).refresh('bob');
  t.same(await alice.sends('bob', 'after'), ['accepted']);
  t.same(await again.hears(1), ['alice: after']);
  await using carol = await person(island, 'carol');
  t.same(await carol.sends('bob', 'new here'), ['accepted']);
  t.same(await again.hears(1), ['carol: new here'], 'nor does a new contact need the old key');
});

t.test('A4: the sessions with a removed device are gone', async (t) => {
  await using here = await scene();
  const { alice, people, account } = here;
  account.add();
  await people.refresh('bob');
  const [first, second] = (await people.find('bob')).list.devices;
  const key = (device = 0) => `${account.member.account}.${device}`;
  const bytes = new Uint8Array(1);
  const put = [first, second].map((cert) => ({
    namespace: 'sessions',
    key: key(cert?.device),
    bytes,
  }));
  await alice.storage.commit({ put });
  account.revoke();
  await people.refresh('bob');
  t.same(
    (await alice.storage.list('sessions')).map((row) => row.key),
    [key(1)],
  );
});

const refusals: {
  what: string;
  code: string;
  twist: (account: Awaited<ReturnType<typeof accountOf>>, member: Member) => void;
}[] = [
  {
    what: 'a history with a gap',
    code: 'history_broken',
    twist(account, { lists }) {
      account.add();
      account.add();
      account.add();
      lists.delete(3);
    },
  },
  {
    what: 'a history that ends before the newest list',
    code: 'history_broken',
    twist(account, { lists }) {
      account.add();
      account.add();
      account.add();
      lists.delete(4);
    },
  },
  {
    what: 'a history with a list of somebody else',
    code: 'history_broken',
    twist(account, { lists }) {
      const other = account.add();
      account.add();
      lists.set(2, base64url(other.bytes.map((byte, i) => (i === 40 ? byte ^ 1 : byte))));
    },
  },
  {
    what: 'no history',
    code: 'history_broken',
    twist(account, { lists }) {
      account.add();
      account.add();
      lists.clear();
    },
  },
  {
    what: 'a reset that says it is a rotation',
    code: 'directory_contradicted',
    twist: (account) => void account.usurp(),
  },
  {
    what: 'a reset in the history that says it is a rotation',
    code: 'history_broken',
    twist(account) {
      account.usurp();
      account.add();
    },
  },
  {
    what: 'a reset',
    code: 'identity_changed',
    twist: (account) => void account.reset(),
  },
  {
    what: 'a reset with more changes after it',
    code: 'identity_changed',
    twist(account) {
      account.reset();
      account.add();
      account.revoke();
    },
  },
];

for (const { what, code, twist } of refusals) {
  t.test(`pitfall: rollback of DeviceList: ${what} is refused: ${code}`, async (t) => {
    await using here = await scene();
    const { people, account } = here;
    const before = (await people.find('bob')).list;
    twist(account, account.member);
    await t.rejects(people.refresh('bob'), { code });
    t.same((await people.find('bob')).list.hash, before.hash, 'and nothing has changed');
  });
}

t.test(
  'K2: a new identity is followed when the person here accepts it, and no sooner',
  async (t) => {
    await using here = await scene();
    const { alice, people, account } = here;
    t.same(await alice.sends('bob', 'before'), ['accepted']);
    account.reset();
    account.add();
    await t.rejects(people.refresh('bob'), { code: 'identity_changed' });
    t.equal((await alice.storage.list('sessions')).length, 1);
    const accepted = await people.accept('bob');
    t.same(accepted.list.hash, account.list().hash);
    t.same(await alice.storage.list('sessions'), [], 'what was agreed with the old keys is gone');
    t.same((await people.known(account.member.account))?.list.hash, accepted.list.hash);
    account.add();
    t.equal((await people.refresh('bob')).list.epoch, 4, 'from then on all is as before');
  },
);

t.test('K2: what does not follow is not accepted either', async (t) => {
  await using here = await scene();
  const { alice, people, account } = here;
  const first = account.member.list;
  account.add();
  await people.refresh('bob');
  account.member.list = first;
  await t.rejects(people.accept('bob'), { code: 'list_rolled_back' });
  account.member.list = base64url(account.list().bytes);
  await t.rejects(people.accept('bob'), { code: 'directory_contradicted' }, 'and stays caught');
  await unlatch(alice.storage);
  account.usurp();
  await t.rejects(people.accept('bob'), { code: 'directory_contradicted' });
});

t.test(
  'K2: another account under a known name is a contradiction: no island gives names back',
  async (t) => {
    await using here = await scene();
    const { island, alice, people, account } = here;
    const old = account.member.account;
    island.members.delete('bob');
    await using _again = await person(island, 'bob');
    await t.rejects(people.refresh('bob'), { code: 'directory_contradicted' });
    await t.rejects(people.accept('bob'), { code: 'directory_contradicted' });
    t.equal((await people.known(old))?.name, 'bob', 'and who was known stays');
    await using carol = await person(island, 'carol');
    const others = openPeople(carol.storage, carol.islander.lookups);
    await t.rejects(
      others.find('bob'),
      { code: 'directory_contradicted' },
      'at first contact, too',
    );
    t.equal((await readLatch(alice.storage))?.code, 'name_rebound');
  },
);
