/** Joining and signing in: what leaves the client, what is refused, and what a lost answer leaves behind. */
import { createHash } from 'node:crypto';
import { Fault } from '@island/protocol/wire/fault.ts';
import { leastKdf } from '@island/protocol/wire/limits.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import t from 'tap';
import { readAccount } from './account.ts';
import { login, register } from './island.ts';
import { nodePlatform } from './platform-node.ts';
import type { Storage } from './storage.ts';
import { memoryStorage } from './storage-memory.ts';
import { makeChain } from './testing/edge.ts';
import { oddIsland } from './testing/odd-island.ts';
import { quickPlatform } from './testing/person.ts';

const joining = (storage: Storage) => ({ storage, platform: quickPlatform, now: Date.now });

t.test(
  'A1: Argon2id as the protocol says, and the password is in nothing that leaves or is kept',
  async (t) => {
    // RFC 9106 has a secret and associated data; this one is from the reference implementation's tests (password, somesalt).
    const known = await nodePlatform.argon2id(Buffer.from('password'), Buffer.from('somesalt'), {
      memory: 65_536,
      passes: 2,
      lanes: 1,
    });
    t.equal(
      Buffer.from(known).toString('hex'),
      '09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7',
    );

    await using island = await oddIsland();
    const storage = memoryStorage();
    const password = 'correct horse battery staple';
    await register(joining(storage), island.link, 'alice', password);
    island.twist.answer = (path, answer) =>
      path === '/v1/prelogin'
        ? {
            ...answer,
            salt: String(
              island.requests.find((each) => each.path === '/v1/register')?.body['salt'],
            ),
          }
        : answer;
    await login(joining(storage), password);
    const everything =
      JSON.stringify(island.requests) +
      (await storage.list('account')).map(({ bytes }) => Buffer.from(bytes).toString()).join();
    const fast = createHash('sha256').update(password).digest();
    for (const form of [
      password,
      encodeURIComponent(password),
      base64url(Buffer.from(password)),
      fast.toString('hex'),
      base64url(fast),
    ]) {
      t.notOk(everything.includes(form));
    }
    const auths = island.requests.flatMap(({ body }) =>
      typeof body['auth'] === 'string' ? [body['auth']] : [],
    );
    t.equal(auths.length, 2);
    t.equal(auths[0], auths[1]);
  },
);

t.test(
  'pitfall: KDF downgrade: weaker parameters are refused by name, and no hash is sent',
  async (t) => {
    await using island = await oddIsland();
    const storage = memoryStorage();
    island.twist.answer = (path, answer) =>
      path === '/.well-known/island' ? { ...answer, kdf: { ...leastKdf, memory: 8 } } : answer;
    await t.rejects(register(joining(storage), island.link, 'alice', 'x'), {
      code: 'kdf_too_weak',
    });
    island.twist.answer = (path, answer) =>
      path === '/.well-known/island' ? { ...answer, kdf: { ...leastKdf, passes: 5 } } : answer;
    await register(joining(storage), island.link, 'alice', 'x');
    const before = island.requests.length;
    await t.rejects(
      login(joining(storage), 'x'),
      { code: 'kdf_downgrade' },
      'also from what was used before to the floor',
    );
    t.same(
      island.requests.slice(before).map(({ path }) => path),
      ['/v1/prelogin'],
    );
  },
);

t.test(
  'an island that says another fingerprint of itself than its certificate has is refused',
  async (t) => {
    await using island = await oddIsland();
    island.twist.answer = (path, answer) =>
      path === '/.well-known/island' ? { ...answer, caFingerprint: 'A'.repeat(43) } : answer;
    await t.rejects(register(joining(memoryStorage()), island.link, 'alice', 'x'), {
      code: 'island_differs',
    });
    await using other = await oddIsland(await makeChain(['localhost']));
    const link = island.link.replace(/\/\/[^/]+/, `//${new URL(other.address).host}`);
    await t.rejects(register(joining(memoryStorage()), link, 'alice', 'x'), {
      code: 'wrong_island',
    });
    t.same(other.requests, [], 'nothing was sent to it');
  },
);

t.test(
  'a registration whose answer was lost is sent again, with the same keys and a new proof',
  async (t) => {
    await using island = await oddIsland();
    const storage = memoryStorage();
    let lost = 0;
    island.twist.answer = (path, answer) =>
      path === '/v1/register' && lost++ < 2 ? 'cut' : answer;
    await register(joining(storage), island.link, 'alice', 'x');
    const sent = island.requests
      .filter(({ path }) => path === '/v1/register')
      .map(({ body }) => body);
    t.equal(sent.length, 3);
    const { proof: _proof, challenge: _challenge, ...first } = sent[0] ?? {};
    for (const { proof: _p, challenge: _c, ...each } of sent) t.same(each, first);
    t.equal((await readAccount(storage))?.state, 'registered');
    await t.rejects(register(joining(storage), island.link, 'bob', 'x'), {
      code: 'registered_already',
    });
  },
);

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
      register({ ...joining(storage), signal: stop.signal }, island.link, 'alice', 'x'),
      { code: 'unreachable' },
    );
    const pending = await readAccount(storage);
    t.equal(pending?.state, 'pending');
    delete island.twist.answer;
    await register(joining(storage), island.link, 'alice', 'x');
    t.same({ ...(await readAccount(storage)), state: 'pending' }, pending);

    const refused = memoryStorage();
    island.twist.before = (path) => {
      if (path === '/v1/register') throw new Fault('invite_used');
      return undefined;
    };
    await t.rejects(register(joining(refused), island.link, 'carol', 'x'), { code: 'invite_used' });
    t.equal(await readAccount(refused), undefined);
    t.same(await refused.list('prekeys'), []);
  },
);

t.test('an account of that name with other keys is not signed in to', async (t) => {
  await using island = await oddIsland();
  const storage = memoryStorage();
  await register(joining(storage), island.link, 'alice', 'x');
  island.twist.answer = (path, answer) =>
    path === '/v1/login' ? { ...answer, account: '0'.repeat(32) } : answer;
  await t.rejects(login(joining(storage), 'x'), { code: 'other_account' });
  await t.rejects(login(joining(memoryStorage()), 'x'), { code: 'no_device_keys' });
});
