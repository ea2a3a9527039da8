/** Joining by a code that is interrupted at every step, and by what other devices do meanwhile. */
import { openDeviceList } from '@island/protocol/crypto/device-list.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import t from 'tap';
import { readAccount } from '../account/account.ts';
import { needKeys } from '../account/account-keys.ts';
import { publishKeys } from '../account/key-changes.ts';
import { codesLeft, regenerateCodes, testCode } from '../account/own-codes.ts';
import { revokeDevice, syncOwn } from '../account/own-devices.ts';
import { Problem } from '../problem.ts';
import { credentials, home, opened, registered } from '../testing/member-home.ts';
import { dying, Killed } from '../testing/mortal.ts';
import { realIsland } from '../testing/real-island.ts';
import { readJoining } from './joining-row.ts';
import { recover } from './recovery.ts';

t.setTimeout(300_000);

t.test('A3: a joining by a code goes on wherever the program died, as one device', async (t) => {
  await using island = await realIsland();
  for (let at = 0, dead = true; dead; at++) {
    const name = `alice${at}`;
    const one = await registered(island, name);
    const [first = '', second = ''] = one.codes;
    const to = island.recoverLink(name);
    const fresh = home(island);
    const life = dying(fresh, at);
    await recover(life.home.joining, to, { credentials, code: first }).catch((error: unknown) => {
      if (!(error instanceof Killed)) throw error;
    });
    dead = life.dead;
    if (!dead) break;
    const died = `dies ${life.steps.at(-1)}`;
    const registeredAlready = (await readAccount(fresh.storage))?.state === 'registered';
    const again = (code: string) => recover(fresh.joining, to, { credentials, code });
    const joined = registeredAlready
      ? undefined
      : await again(first).catch((error: unknown) => {
          // The code was used, and nobody heard what it gave: it is said, and another one is needed.
          if (!(error instanceof Problem) || error.code !== 'code_perhaps_used') throw error;
          t.match(life.steps.slice(-2).join(), 'after POST /v1/joining');
          return again(second);
        });
    const two = await opened(island, fresh);
    const { list } = await syncOwn(two.keeping);
    t.same([list.epoch, list.devices.length], [2, 2], died);
    t.equal(await readJoining(two.storage), undefined);
    // A code whose answer was lost keeps its place until the island gives up waiting for it.
    if (joined) t.equal(joined.codesLeft, 7);
    t.equal((await testCode(two.keeping, two.platform, one.codes[2] ?? '')).state, 'good');
    await syncOwn(one.keeping);
    t.same((await needKeys(one.storage)).ark, (await needKeys(two.storage)).ark);
  }
});

t.test('A3: the eight codes work after the archive key was rotated three times', async (t) => {
  await using island = await realIsland();
  for (let i = 0; i < 8; i++) {
    const name = `bob${i}`;
    const one = await registered(island, name);
    for (let n = 0; n < 3; n++) {
      const { keys } = await syncOwn(one.keeping);
      await publishKeys(one.keeping, (present) =>
        present.keys.arkEpoch === keys.arkEpoch ? { rotate: true } : undefined,
      );
    }
    const fresh = home(island);
    const code = one.codes[i] ?? '';
    await recover(fresh.joining, island.recoverLink(name), { credentials, code });
    const two = await opened(island, fresh);
    const keys = await needKeys(two.storage);
    t.equal(keys.arkEpoch, 5);
    const mine = await needKeys(one.storage);
    t.same(keys.former, [...mine.former, mine.ark]);
    const states = await Promise.all(
      one.codes.map(async (each) => (await testCode(two.keeping, two.platform, each)).state),
    );
    t.same(
      states,
      one.codes.map((each) => (each === code ? 'unknown' : 'good')),
    );
  }
});

t.test('A3: what another device changes during a joining costs nobody their code', async (t) => {
  await using island = await realIsland();
  const changes = {
    'POST /v1/joining': 'a new archive key after the code was taken',
    'GET /v1/recovery': 'a new archive key after the share was given',
    'POST /v1/join': 'a new archive key before the device is sent',
  };
  for (const [i, [step, title]] of Object.entries(changes).entries()) {
    const name = `carol${i}`;
    const one = await registered(island, name);
    const fresh = home(island);
    const platform = {
      ...fresh.platform,
      transport: (pinned: Parameters<typeof fresh.platform.transport>[0]) => {
        const transport = fresh.platform.transport(pinned);
        return {
          ...transport,
          request: async (asked: Parameters<typeof transport.request>[0]) => {
            const is = `${asked.method} ${asked.path}` === step;
            const between = is && step === 'POST /v1/join';
            if (between && rotations++ === 0) await rotate();
            const answer = await transport.request(asked);
            if (is && !between && rotations++ === 0) await rotate();
            return answer;
          },
        };
      },
    };
    let rotations = 0;
    const rotate = () => publishKeys(one.keeping, () => ({ rotate: true }));
    const joining = { ...fresh.joining, platform };
    const code = one.codes[0] ?? '';
    const joined = await recover(joining, island.recoverLink(name), { credentials, code });
    t.equal(joined.codesLeft, 7, title);
    const two = await opened(island, fresh);
    await syncOwn(one.keeping);
    t.same((await needKeys(one.storage)).ark, (await needKeys(two.storage)).ark);
    t.equal((await needKeys(two.storage)).arkEpoch, 3);
  }
});

t.test('a joining whose time is over says so, and another code goes on', async (t) => {
  await using island = await realIsland();
  const one = await registered(island, 'dave');
  const [first = '', second = ''] = one.codes;
  const fresh = home(island);
  const to = island.recoverLink('dave');
  island.line.before = ({ path }) => {
    if (path === '/v1/join') throw new Killed();
    return undefined;
  };
  await t.rejects(recover(fresh.joining, to, { credentials, code: first }), { name: 'Killed' });
  island.line.before = () => undefined;
  island.clock.ahead += limits.joiningSeconds * 1000;
  const joined = await recover(fresh.joining, to, { credentials, code: second });
  t.equal(joined.codesLeft, 6, 'both are used: the second took the place of the lapsed leave');
  const account = await readAccount(fresh.storage);
  t.equal(openDeviceList(account?.list ?? new Uint8Array(0)).devices.length, 2);
});

t.test('A3: new codes end a joining that waits with an old one', async (t) => {
  await using island = await realIsland();
  const one = await registered(island, 'erin');
  const fresh = home(island);
  const to = island.recoverLink('erin');
  const code = one.codes[0] ?? '';
  island.line.before = ({ path }) => {
    if (path === '/v1/recovery') throw new Killed();
    return undefined;
  };
  await t.rejects(recover(fresh.joining, to, { credentials, code }), { name: 'Killed' });
  island.line.before = () => undefined;
  const codes = await regenerateCodes(one.keeping, one.platform);
  t.equal(await codesLeft(one.keeping), 8);
  await t.rejects(recover(fresh.joining, to, { credentials, code }), {
    code: 'joining_overtaken',
  });
  t.equal(await readJoining(fresh.storage), undefined, 'nothing of it stays');
  await recover(fresh.joining, to, { credentials, code: codes[7] ?? '' });
  const two = await opened(island, fresh);
  t.equal((await testCode(two.keeping, two.platform, code)).state, 'unknown');
  await syncOwn(one.keeping);
  await revokeDevice(one.keeping, two.device);
  await t.rejects(syncOwn(two.keeping), { code: 'signed_out' });
});

t.test(
  'A3: a code that somebody used and never joined with loses its place, and its archive key',
  async (t) => {
    await using island = await realIsland();
    const one = await registered(island, 'frank');
    const to = island.recoverLink('frank');
    island.line.before = ({ path }) => {
      if (path === '/v1/recovery') throw new Killed();
      return undefined;
    };
    const shown = { credentials, code: one.codes[0] ?? '' };
    await t.rejects(recover(home(island).joining, to, shown), { name: 'Killed' });
    island.line.before = () => undefined;
    t.same((await syncOwn(one.keeping)).changes, [], 'somebody may be on the way');
    island.clock.ahead += (limits.joiningSeconds + 1) * 1000;
    t.match((await syncOwn(one.keeping)).changes, [{ type: 'code-used', left: 7 }]);
    t.same((await syncOwn(one.keeping)).changes, []);
    t.equal((await needKeys(one.storage)).arkEpoch, 1);
    island.clock.ahead += (limits.joiningSeconds + 1) * 1000;
    await syncOwn(one.keeping);
    t.equal((await needKeys(one.storage)).arkEpoch, 2);
    t.equal(await codesLeft(one.keeping), 7);
  },
);
