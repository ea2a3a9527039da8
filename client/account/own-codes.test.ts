/** Backup codes tried, counted and replaced from a device, and as second factor. */
import { randomBytes } from '@island/protocol/crypto/primitives.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import t from 'tap';
import { recover } from '../joining/recovery.ts';
import { signIn } from '../sign-in/sign-in.ts';
import { instead, ownOf } from '../testing/lies.ts';
import { credentials, home, opened, registered } from '../testing/member-home.ts';
import { dying, Killed } from '../testing/mortal.ts';
import { realIsland } from '../testing/real-island.ts';
import { needKeys } from './account-keys.ts';
import { readUnshown } from './new-codes.ts';
import { codesLeft, fewCodes, regenerateCodes, testCode } from './own-codes.ts';
import { renewAfterCode, syncOwn } from './own-devices.ts';
import { untoldChanges } from './untold-changes.ts';

t.setTimeout(240_000);

t.test(
  'A2: a code is tried without being used up, and without the island hearing of it',
  async (t) => {
    await using island = await realIsland();
    const one = await registered(island, 'alice');
    const two = await registered(island, 'bob');
    const [code = ''] = one.codes;
    for (let i = 0; i < 3; i++)
      t.same(await testCode(one.keeping, one.platform, code), { state: 'good', left: 8 });
    const typed = code.toLowerCase().replaceAll('-', ' ').replaceAll('1', 'l').replaceAll('0', 'o');
    t.equal((await testCode(one.keeping, one.platform, typed)).state, 'good');
    t.equal((await testCode(two.keeping, two.platform, code)).state, 'unknown');
    const wrong = (code.startsWith('7') ? '8' : '7') + code.slice(1);
    await t.rejects(testCode(one.keeping, one.platform, wrong), { name: 'CodeMistake', group: 1 });
    const paths = new Set(island.requests.map(({ path }) => path));
    t.notOk(paths.has('/v1/joining') || paths.has('/v1/login'));
  },
);

t.test('A3: new codes take the place of all others, with a new archive key', async (t) => {
  await using island = await realIsland();
  const one = await registered(island, 'alice');
  const before = await needKeys(one.storage);
  const codes = await regenerateCodes(one.keeping, one.platform);
  t.same(await readUnshown(one.storage), codes);
  t.equal((await needKeys(one.storage)).arkEpoch, before.arkEpoch + 1);
  t.equal((await testCode(one.keeping, one.platform, one.codes[0] ?? '')).state, 'unknown');
  const old = { credentials, code: one.codes[0] ?? '' };
  const to = island.recoverLink('alice');
  await t.rejects(recover(home(island).joining, to, old), { code: 'wrong_code' });
  for (const [i, code] of codes.slice(0, 6).entries()) {
    const { codesLeft } = await recover(home(island).joining, to, { credentials, code });
    t.equal(codesLeft, 7 - i);
  }
  t.ok((await codesLeft(one.keeping)) <= fewCodes, 'it is time to warn');
});

t.test('new codes are made once, wherever the program died, and are shown', async (t) => {
  await using island = await realIsland();
  for (let at = 0, dead = true; dead; at++) {
    const one = await registered(island, `alice${at}`);
    const life = dying(one, at);
    const mortal = await opened(island, life.home);
    await regenerateCodes(mortal.keeping, mortal.platform).catch((error: unknown) => {
      if (!(error instanceof Killed)) throw error;
    });
    dead = life.dead;
    await syncOwn(one.keeping);
    const died = dead ? `dies ${life.steps.at(-1)}` : 'lives';
    const codes = (await readUnshown(one.storage)) ?? [];
    t.equal(codes.length, 8, died);
    for (const code of codes.slice(0, 2))
      t.equal((await testCode(one.keeping, one.platform, code)).state, 'good');
    const { version, arkEpoch } = await needKeys(one.storage);
    t.ok(version <= 2 && arkEpoch === version);
  }
});

t.test(
  'A3: a code that was used to sign in loses its place, and the archive has a new key',
  async (t) => {
    await using island = await realIsland();
    const one = await registered(island, 'alice');
    const second = { code: one.codes[2] ?? '' };
    await signIn(one.joining, { ...credentials, second });
    const again = await opened(island, one);
    t.equal(await codesLeft(again.keeping), 7);
    t.equal((await testCode(again.keeping, again.platform, second.code)).state, 'used');
    await renewAfterCode(again.keeping);
    t.equal((await needKeys(again.storage)).arkEpoch, 2);
    t.equal(await codesLeft(again.keeping), 7);
    t.equal((await testCode(again.keeping, again.platform, second.code)).state, 'unknown');
    await renewAfterCode(again.keeping);
    t.equal((await needKeys(again.storage)).arkEpoch, 2, 'once');
  },
);

t.test(
  'pitfall: used codes that the island invents bring no new archive key; true ones bring one, and are told',
  async (t) => {
    await using island = await realIsland();
    const one = await registered(island, 'alice');
    const hours = async (used: Uint8Array[]) => {
      const lie = instead('/v1/record', { used: used.map(base64url) });
      island.line.answer = ({ path, method }, answer) =>
        method === 'GET' ? lie(path, answer) : answer;
      for (let i = 0; i < 3; i++) {
        await syncOwn(one.keeping);
        island.clock.ahead += (limits.joiningSeconds + 5) * 1000;
      }
      delete island.line.answer;
      const told = (await untoldChanges(one.storage)).map(({ change }) => change);
      return { arkEpoch: (await needKeys(one.storage)).arkEpoch, told };
    };
    t.same(await hours([randomBytes(16), randomBytes(16)]), { arkEpoch: 1, told: [] });
    const { record } = await ownOf(one);
    const slots = record.slots.slice(0, 1).map(({ loc }) => loc);
    t.same(await hours([...slots, randomBytes(16)]), {
      arkEpoch: 2,
      told: [{ type: 'code-used', left: 7 }],
    });
  },
);
