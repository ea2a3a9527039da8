/** Several devices of one account: what one changes the others adopt, and a removed one is out. */
import { openDeviceList } from '@island/protocol/crypto/device-list.ts';
import { ed25519, equal } from '@island/protocol/crypto/primitives.ts';
import t from 'tap';
import { recover } from '../joining/recovery.ts';
import { signInOrExplain } from '../sign-in/removal.ts';
import { signIn } from '../sign-in/sign-in.ts';
import { credentials, type DeviceHome, home, opened, registered } from '../testing/member-home.ts';
import { dying, Killed } from '../testing/mortal.ts';
import { type RealIsland, realIsland } from '../testing/real-island.ts';
import { readAccount } from './account.ts';
import { needKeys } from './account-keys.ts';
import { testCode } from './own-codes.ts';
import { nameDevice, ownDevices, revokeDevice, syncOwn } from './own-devices.ts';
import { changesTold, untoldChanges } from './untold-changes.ts';

t.setTimeout(240_000);

const aikOf = async ({ storage }: Pick<DeviceHome, 'storage'>) => {
  const record = await readAccount(storage);
  if (!record) throw new Error('no account');
  return { seed: record.aik, list: openDeviceList(record.list) };
};

/** A device more, by a backup code. */
async function another(island: RealIsland, name: string, code = ''): Promise<DeviceHome> {
  const fresh = home(island);
  await recover(fresh.joining, island.recoverLink(name), { credentials, code });
  return opened(island, fresh);
}

t.test(
  'A4: a removed device is out and says so; the others adopt the new identity key and archive key',
  async (t) => {
    await using island = await realIsland();
    const one = await registered(island, 'alice');
    const two = await another(island, 'alice', one.codes[0]);
    const three = await another(island, 'alice', one.codes[1]);
    await syncOwn(two.keeping);
    const before = await aikOf(one);
    const { changes } = await syncOwn(one.keeping);
    t.match(changes, [
      { type: 'added', device: 2 },
      { type: 'added', device: 3 },
      { type: 'code-used', left: 6 },
    ]);
    t.same(
      (await ownDevices(one.storage)).map(({ device, current }) => [device, current]),
      [
        [1, true],
        [2, false],
        [3, false],
      ],
    );

    await revokeDevice(one.keeping, 3);
    const after = await aikOf(one);
    t.notOk(equal(before.seed, after.seed), 'a new identity key');
    t.same(
      after.list.revoked.map(({ device }) => Number(device)),
      [3],
    );
    await t.rejects(syncOwn(three.keeping), { code: 'signed_out' });
    await t.rejects(signIn(three.joining, credentials), { code: 'wrong_credentials' });
    const wrong = { password: 'wrong' };
    await t.rejects(signInOrExplain(three.joining, wrong), { code: 'wrong_credentials' });
    await t.rejects(signInOrExplain(three.joining, credentials), { code: 'device_removed' });
    await t.rejects(signIn(three.joining, credentials), { code: 'device_removed' });

    const adopted = await syncOwn(two.keeping);
    t.match(adopted.changes, [{ type: 'removed', device: 3 }]);
    t.same((await aikOf(two)).seed, after.seed);
    const [mine, theirs] = [await needKeys(one.storage), await needKeys(two.storage)];
    t.same(mine.ark, theirs.ark);
    t.same(mine.former, theirs.former);
    t.equal(mine.arkEpoch, 4);
    t.notOk(
      (await needKeys(three.storage)).former
        .concat((await needKeys(three.storage)).ark)
        .some((ark) => equal(ark, mine.ark)),
      'the removed one does not know the new key',
    );
    for (const code of one.codes.slice(2))
      t.equal((await testCode(two.keeping, two.platform, code)).state, 'good');

    await t.test('it can be removed again without a change, and others can not be', async (t) => {
      await revokeDevice(two.keeping, 3);
      t.equal((await aikOf(two)).list.epoch, after.list.epoch);
      await t.rejects(revokeDevice(two.keeping, 2), { code: 'device_itself' });
      await t.rejects(revokeDevice(two.keeping, 9), { code: 'device_unknown' });
    });
  },
);

t.test('what other devices changed is kept until the person was told', async (t) => {
  await using island = await realIsland();
  const one = await registered(island, 'alice');
  await another(island, 'alice', one.codes[0]);
  await syncOwn(one.keeping);
  const untold = await untoldChanges(one.storage);
  t.match(
    untold.map(({ change }) => change.type),
    ['added', 'code-used'],
  );
  t.same((await syncOwn(one.keeping)).changes, []);
  t.equal((await untoldChanges(one.storage)).length, 2);
  await changesTold(
    one.storage,
    untold.map(({ key }) => key),
  );
  t.same(await untoldChanges(one.storage), []);
});

t.test('A4: names of devices are of this home, and nothing that leaves it has them', async (t) => {
  await using island = await realIsland();
  const one = await registered(island, 'alice');
  await nameDevice(one.storage, 1, ' Old laptop ');
  t.equal((await ownDevices(one.storage))[0]?.name, 'Old laptop');
  await syncOwn(one.keeping);
  t.notOk(JSON.stringify(island.requests).includes('laptop'));
  await nameDevice(one.storage, 1, '');
  t.equal((await ownDevices(one.storage))[0]?.name, undefined);
  await t.rejects(nameDevice(one.storage, 7, 'x'), { code: 'device_unknown' });
  await t.rejects(nameDevice(one.storage, 1, 'x'.repeat(65)), { code: 'device_name' });
  await t.rejects(nameDevice(one.storage, 1, 'a\u0007b'), { code: 'device_name' });
});

t.test(
  'a removal goes on wherever the program died, and is one change to the island',
  async (t) => {
    await using island = await realIsland();
    for (let at = 0, dead = true; dead; at++) {
      const name = `alice${at}`;
      const one = await registered(island, name);
      const two = await another(island, name, one.codes[0]);
      const life = dying(one, at);
      const first = await opened(island, life.home);
      await revokeDevice(first.keeping, 2).catch((error: unknown) => {
        if (!(error instanceof Killed)) throw error;
      });
      dead = life.dead;
      const died = dead ? `dies ${life.steps.at(-1)}` : 'lives';
      await revokeDevice(one.keeping, 2);
      const { list, seed } = await aikOf(one);
      t.same([list.epoch, list.aikEpoch, list.devices.length], [3, 2, 1], died);
      t.ok(equal(ed25519.fromSeed(seed).public, list.aik));
      t.equal((await needKeys(one.storage)).version, 3);
      t.equal((await testCode(one.keeping, one.platform, one.codes[1] ?? '')).state, 'good');
      await t.rejects(syncOwn(two.keeping), { code: 'signed_out' });
    }
  },
);
