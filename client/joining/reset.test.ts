/** The last resort: asked for, waited for, and what is left of the account after it. */
import { openDeviceList } from '@island/protocol/crypto/device-list.ts';
import { equal } from '@island/protocol/crypto/primitives.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import t from 'tap';
import { readAccount } from '../account/account.ts';
import { codesShown, readUnshown } from '../account/new-codes.ts';
import { codesLeft, testCode } from '../account/own-codes.ts';
import { syncOwn } from '../account/own-devices.ts';
import { explainRefusal } from '../sign-in/removal.ts';
import { ownOf } from '../testing/lies.ts';
import { credentials, home, opened, registered } from '../testing/member-home.ts';
import { dying, Killed } from '../testing/mortal.ts';
import { realIsland } from '../testing/real-island.ts';
import { readJoining } from './joining-row.ts';
import { recover } from './recovery.ts';
import { askReset, cancelReset, resetAccount } from './reset.ts';

t.setTimeout(240_000);

const shown = { credentials };

t.test(
  'a reset waits its time, and gives the account a new identity, new codes and one device',
  async (t) => {
    await using island = await realIsland();
    const old = await registered(island, 'alice');
    const before = await ownOf(old);
    const to = island.recoverLink('alice');
    const fresh = home(island);
    await t.rejects(resetAccount(fresh.joining, to, shown), { code: 'forbidden' }, 'nobody asked');
    t.equal(await askReset(fresh.joining, to, shown), limits.resetSeconds);
    t.equal(await readJoining(fresh.storage), undefined);
    await t.rejects(resetAccount(fresh.joining, to, shown), { code: 'reset_waiting' });
    t.equal(await readAccount(fresh.storage), undefined, 'nothing of the try stays');
    t.match(await old.session.call('account', {}), { reset: Number }, 'a device sees it');

    island.clock.ahead += (limits.resetSeconds + 1) * 1000;
    const { codes, resets, codesLeft: left } = await resetAccount(fresh.joining, to, shown);
    t.same([resets, left, codes.length], [1, 8, 8]);
    t.same(await readUnshown(fresh.storage), codes);
    await codesShown(fresh.storage);
    t.equal(await readUnshown(fresh.storage), undefined);
    const device = await opened(island, fresh);
    const { list, keys } = await ownOf(device);
    t.notOk(equal(list.aik, before.list.aik));
    t.same([list.resetCounter, list.devices.length, list.epoch], [1, 1, 2]);
    t.same([keys.arkEpoch, keys.firstEpoch, keys.former.length], [2, 2, 0]);
    t.equal(await codesLeft(device.keeping), 8);
    for (const code of codes)
      t.equal((await testCode(device.keeping, device.platform, code)).state, 'good');

    await t.rejects(syncOwn(old.keeping), { code: 'signed_out' });
    await t.rejects(explainRefusal(old.joining, credentials), { code: 'account_reset' });
    t.same((await ownOf(old)).list.hash, before.list.hash, 'the old device believes none of it');

    const lost = home(island);
    const code = old.codes[0] ?? '';
    await t.rejects(recover(lost.joining, to, { credentials, code }), { code: 'wrong_code' });
    const code2 = codes[3] ?? '';
    const recovered = await recover(lost.joining, to, { credentials, code: code2 });
    t.same([recovered.resets, recovered.codesLeft], [1, 7]);
  },
);

t.test(
  'A3 pitfall: a reset keeps no identity of before: not that of a joining that was not ended',
  async (t) => {
    await using island = await realIsland();
    const one = await registered(island, 'alice');
    const before = await ownOf(one);
    const to = island.recoverLink('alice');
    const fresh = home(island);
    const stop = new AbortController();
    island.line.before = ({ path }) => {
      if (path !== '/v1/join') return undefined;
      stop.abort(new Error('given up'));
      return 'cut';
    };
    const code = one.codes[0] ?? '';
    const begun = recover({ ...fresh.joining, signal: stop.signal }, to, { credentials, code });
    await t.rejects(begun);
    delete island.line.before;
    t.same((await readAccount(fresh.storage))?.aik, before.aik.private, 'it holds the keys');

    await askReset(home(island).joining, to, shown);
    island.clock.ahead += (limits.resetSeconds + 1) * 1000;
    await resetAccount(fresh.joining, to, shown);
    const after = await ownOf(await opened(island, fresh));
    t.notOk(equal(after.aik.private, before.aik.private), 'another identity');
    t.same([after.list.resetCounter, after.list.devices.length], [1, 1]);
  },
);

t.test('what was obtained for a joining goes when the person asks for a reset', async (t) => {
  await using island = await realIsland();
  const one = await registered(island, 'alice');
  const to = island.recoverLink('alice');
  const fresh = home(island);
  const stop = new AbortController();
  island.line.before = ({ path }) => {
    if (path !== '/v1/join') return undefined;
    stop.abort(new Error('given up'));
    return 'cut';
  };
  const code = one.codes[0] ?? '';
  const begun = recover({ ...fresh.joining, signal: stop.signal }, to, { credentials, code });
  await t.rejects(begun);
  delete island.line.before;
  await askReset(fresh.joining, to, shown);
  t.equal(await readAccount(fresh.storage), undefined);
  t.equal(await readJoining(fresh.storage), undefined);
});

t.test('a device of the account objects, and the reset is off', async (t) => {
  await using island = await realIsland();
  const one = await registered(island, 'alice');
  const to = island.recoverLink('alice');
  const fresh = home(island);
  await askReset(fresh.joining, to, shown);
  await cancelReset(one.session);
  island.clock.ahead += (limits.resetSeconds + 1) * 1000;
  await t.rejects(resetAccount(fresh.joining, to, shown), { code: 'forbidden' });
  await syncOwn(one.keeping);
});

t.test('a reset goes on wherever the program died, with the same identity', async (t) => {
  await using island = await realIsland();
  const names = Array.from({ length: 44 }, (_, i) => `alice${i}`);
  for (const name of names) {
    await registered(island, name);
    await askReset(home(island).joining, island.recoverLink(name), shown);
  }
  island.clock.ahead += (limits.resetSeconds + 1) * 1000;
  let at = 0;
  for (let dead = true; dead; at++) {
    const name = names[at] ?? '';
    const to = island.recoverLink(name);
    const fresh = home(island);
    const life = dying(fresh, at);
    await resetAccount(life.home.joining, to, shown).catch((error: unknown) => {
      if (!(error instanceof Killed)) throw error;
    });
    dead = life.dead;
    const died = dead ? `dies ${life.steps.at(-1)}` : 'lives';
    if ((await readAccount(fresh.storage))?.state !== 'registered') {
      const { codes } = await resetAccount(fresh.joining, to, shown);
      t.equal(codes.length, 8);
    }
    const device = await opened(island, fresh);
    await syncOwn(device.keeping);
    const record = await readAccount(device.storage);
    const list = openDeviceList(record?.list ?? new Uint8Array(0));
    t.same([list.resetCounter, list.epoch, list.devices.length], [1, 2, 1], died);
    const [code = ''] = (await readUnshown(device.storage)) ?? [];
    t.equal((await testCode(device.keeping, device.platform, code)).state, 'good');
  }
});
