/** Becoming a person: what leaves the client, what is refused, and what a lost answer leaves behind. */
import { readKeyRecord } from '@island/protocol/crypto/key-record.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { leastKdf, limits } from '@island/protocol/wire/limits.ts';
import { fromBase64url } from '@island/protocol/wire/text.ts';
import t from 'tap';
import { readAccount } from '../account/account.ts';
import { readKeys } from '../account/account-keys.ts';
import { codesShown, readUnshown } from '../account/new-codes.ts';
import { memoryStorage } from '../storage/memory.ts';
import type { Storage } from '../storage/storage.ts';
import { makeChain } from '../testing/edge.ts';
import { type OddIsland, oddIsland } from '../testing/odd-island.ts';
import { quickPlatform } from '../testing/person.ts';
import { register } from './registration.ts';

const joining = (storage: Storage) => ({ storage, platform: quickPlatform, now: Date.now });
const x = { password: 'x' };
const sent = (island: OddIsland) =>
  island.requests.filter(({ path }) => path === '/v1/register').map(({ body }) => body);
/** Everything that a storage holds about the person, as text. */
const held = async (storage: Storage): Promise<string> =>
  (await storage.list('account')).map(({ bytes }) => Buffer.from(bytes).toString()).join();

t.test('pitfall: KDF downgrade: an island that asks for a weak hash is refused', async (t) => {
  await using island = await oddIsland();
  island.twist.answer = (path, answer) =>
    path === '/.well-known/island' ? { ...answer, kdf: { ...leastKdf, memory: 8 } } : answer;
  await t.rejects(register(joining(memoryStorage()), island.link, 'alice', x), {
    code: 'kdf_too_weak',
  });
  t.same(sent(island), []);
});

t.test(
  'an island that says another fingerprint of itself than its certificate has is refused',
  async (t) => {
    await using island = await oddIsland();
    island.twist.answer = (path, answer) =>
      path === '/.well-known/island' ? { ...answer, caFingerprint: 'A'.repeat(43) } : answer;
    await t.rejects(register(joining(memoryStorage()), island.link, 'alice', x), {
      code: 'island_differs',
    });
    await using other = await oddIsland(await makeChain(['localhost']));
    const link = island.link.replace(/\/\/[^/]+/, `//${new URL(other.address).host}`);
    await t.rejects(register(joining(memoryStorage()), link, 'alice', x), {
      code: 'wrong_island',
    });
    t.same(other.requests, [], 'nothing was sent to it');
  },
);

t.test('A3: eight codes exist from the registration on, and the island is told none', async (t) => {
  await using island = await oddIsland();
  const storage = memoryStorage();
  const { codes, account } = await register(joining(storage), island.link, 'alice', x);
  t.equal(new Set(codes).size, limits.backupCodes);
  const [body = {}] = sent(island);
  const record = readKeyRecord(fromBase64url(String(body['record'])));
  t.equal(record.slots.length, limits.backupCodes);
  t.same(
    record.devices.map(({ device }) => device),
    [account.device],
  );
  t.same(record.bytes, (await readKeys(storage))?.record);
  const told = JSON.stringify(island.requests);
  for (const code of codes) {
    t.notOk(told.includes(code) || told.includes(code.replaceAll('-', '')));
    t.ok((await held(storage)).includes(code), 'until somebody has seen it');
  }
  const ark = Buffer.from((await readKeys(storage))?.ark ?? []).toString('base64url');
  t.notOk(told.includes(ark));
  for (const { share } of body['shares'] as { share: string }[])
    t.notOk((await held(storage)).includes(share), 'the island keeps its part alone');

  const again = await register(joining(storage), island.link, 'alice', x);
  t.same(again.codes, codes, 'a program that died before it showed them shows them again');
  t.equal(sent(island).length, 1);
  await codesShown(storage);
  for (const code of codes) t.notOk((await held(storage)).includes(code));
  await t.rejects(register(joining(storage), island.link, 'alice', x), {
    code: 'registered_already',
  });
});

t.test(
  'A1: a registration whose answer was lost is sent again, with the same keys and new proofs',
  async (t) => {
    await using island = await oddIsland();
    const storage = memoryStorage();
    let lost = 0;
    island.twist.answer = (path, answer) =>
      path === '/v1/register' && lost++ < 2 ? 'cut' : answer;
    await register(joining(storage), island.link, 'alice', x);
    const all = sent(island);
    t.equal(all.length, 3);
    const anew = ['proof', 'challenge', 'nonce', 'deviceProof'];
    const steady = (body: Record<string, unknown> = {}) =>
      Object.fromEntries(Object.entries(body).filter(([name]) => !anew.includes(name)));
    for (const each of all) t.same(steady(each), steady(all[0]));
    for (const name of ['nonce', 'deviceProof'])
      t.equal(new Set(all.map((body) => body[name])).size, 3, name);
    t.equal((await readAccount(storage))?.state, 'registered');
    await t.rejects(register(joining(storage), island.link, 'bob', x), {
      code: 'registered_already',
    });
  },
);

t.test('a nonce that lapsed on the way is replaced, with everything signed anew', async (t) => {
  await using island = await oddIsland();
  let lapsed = 0;
  island.twist.before = (path) => {
    if (path === '/v1/register' && lapsed++ === 0) throw new Fault('challenge_expired');
    return undefined;
  };
  await register(joining(memoryStorage()), island.link, 'alice', x);
  t.equal(new Set(sent(island).map((body) => body['nonce'])).size, 2);
});

t.test('a nonce of another length is refused, and nothing is signed', async (t) => {
  await using island = await oddIsland();
  for (const bytes of [0, 39, 41]) {
    island.twist.answer = (path, answer) =>
      path === '/v1/nonce' ? { nonce: Buffer.alloc(bytes).toString('base64url') } : answer;
    await t.rejects(register(joining(memoryStorage()), island.link, 'alice', x), {
      code: 'not_an_island',
    });
  }
  t.same(sent(island), []);
});

t.test(
  'a registration that was interrupted goes on with the same keys; a refused one leaves nothing',
  async (t) => {
    await using island = await oddIsland();
    const storage = memoryStorage();
    const stop = new AbortController();
    island.twist.answer = (path, answer) => {
      if (path !== '/v1/register') return answer;
      stop.abort();
      return 'cut';
    };
    await t.rejects(
      register({ ...joining(storage), signal: stop.signal }, island.link, 'alice', x),
      { code: 'unreachable' },
    );
    const pending = await readAccount(storage);
    t.equal(pending?.state, 'pending');
    const codes = await readUnshown(storage);
    delete island.twist.answer;
    const registered = await register(joining(storage), island.link, 'alice', x);
    t.same({ ...(await readAccount(storage)), state: 'pending' }, pending);
    t.same(registered.codes, codes);

    for (const code of ['invite_used', 'registration_closed', 'approval_refused'] as const) {
      const refused = memoryStorage();
      island.twist.before = (path) => {
        if (path === '/v1/register') throw new Fault(code);
        return undefined;
      };
      await t.rejects(register(joining(refused), island.link, 'carol', x), { code });
      t.same(await refused.list('account'), []);
      t.same(await refused.list('prekeys'), []);
    }
  },
);

t.test('without an invite only where the island takes people in without one', async (t) => {
  await using island = await oddIsland();
  const link = island.link.replace(/&invite=.*/, '');
  const mode = (registration: string) => {
    island.twist.answer = (path, answer) =>
      path === '/.well-known/island' ? { ...answer, registration } : answer;
  };
  await t.rejects(register(joining(memoryStorage()), link, 'alice', x), { code: 'invite_needed' });
  mode('closed');
  await t.rejects(register(joining(memoryStorage()), link, 'alice', x), {
    code: 'registration_closed',
  });
  t.same(sent(island), [], 'no keys were made for nothing');
  mode('open');
  await register(joining(memoryStorage()), link, 'alice', x);
  t.notOk('invite' in (sent(island)[0] ?? {}));
});

t.test('who waits for the operator asks again with the same keys and codes', async (t) => {
  await using island = await oddIsland();
  const link = island.link.replace(/&invite=.*/, '');
  const storage = memoryStorage();
  let waiting = true;
  island.twist.answer = (path, answer) =>
    path === '/.well-known/island' ? { ...answer, registration: 'approval' } : answer;
  island.twist.before = (path) => {
    if (path === '/v1/register' && waiting) throw new Fault('approval_pending');
    return undefined;
  };
  await t.rejects(register(joining(storage), link, 'alice', x), { code: 'approval_pending' });
  const codes = await readUnshown(storage);
  waiting = false;
  t.same((await register(joining(storage), link, 'alice', x)).codes, codes);
  const [first, second] = sent(island);
  t.equal(first?.['list'], second?.['list']);
});

t.test('A1: somebody of an organisation registers without any password', async (t) => {
  await using island = await oddIsland();
  const storage = memoryStorage();
  const grant = new Uint8Array(32).fill(7);
  await register(joining(storage), island.link, 'alice', { grant });
  t.same(sent(island)[0]?.['credentials'], { grant: Buffer.from(grant).toString('base64url') });
  t.equal((await readAccount(storage))?.password, undefined);
});
