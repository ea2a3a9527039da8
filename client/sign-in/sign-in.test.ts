/** Signing in again: what leaves the client, and what an island may not talk it into. */
import { createHash } from 'node:crypto';
import { createDevice, signDeviceCert } from '@island/protocol/crypto/device.ts';
import {
  nextDeviceList,
  openDeviceList,
  signDeviceList,
} from '@island/protocol/crypto/device-list.ts';
import { checkPasswordProof } from '@island/protocol/crypto/password.ts';
import { ed25519 } from '@island/protocol/crypto/primitives.ts';
import { aboutLogin, checkDeviceProof, proofUses } from '@island/protocol/crypto/session-proof.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { deviceId } from '@island/protocol/wire/ids.ts';
import { leastKdf } from '@island/protocol/wire/limits.ts';
import { base64url, fromBase64url } from '@island/protocol/wire/text.ts';
import t from 'tap';
import { accountRow, openAccount, readAccount } from '../account/account.ts';
import { register } from '../joining/registration.ts';
import { nodePlatform } from '../platform-node.ts';
import { memoryStorage } from '../storage/memory.ts';
import type { Storage } from '../storage/storage.ts';
import type { Json } from '../testing/member.ts';
import { type OddIsland, oddIsland } from '../testing/odd-island.ts';
import { quickPlatform } from '../testing/person.ts';
import { signIn } from './sign-in.ts';

const joining = (storage: Storage) => ({ storage, platform: quickPlatform, now: Date.now });
const x = { password: 'x' };

async function registered(island: OddIsland) {
  const storage = memoryStorage();
  const { codes } = await register(joining(storage), island.link, 'alice', x);
  island.requests.length = 0;
  return { storage, codes };
}

const bodies = (island: OddIsland, wanted: string): Json[] =>
  island.requests.filter(({ path }) => path === wanted).map(({ body }) => body);
const paths = (island: OddIsland): string[] => island.requests.map(({ path }) => path);
const bytes = (value: unknown): Uint8Array => fromBase64url(String(value));

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
    await register(joining(storage), island.link, 'alice', { password });
    await signIn(joining(storage), { password });
    const everything =
      JSON.stringify(island.requests) +
      (await storage.list('account')).map((row) => Buffer.from(row.bytes).toString()).join();
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
    const [made = {}] = bodies(island, '/v1/register');
    const [shown = {}] = bodies(island, '/v1/login');
    const { auth, key } = made['credentials'] as Json;
    const credentials = shown['credentials'] as Json;
    t.equal(credentials['auth'], auth);
    const nonce = bytes(shown['nonce']);
    const island32 = island.chain.fingerprint;
    const claim = { nonce, island: island32, name: 'alice', device: 1, auth: bytes(auth) };
    checkPasswordProof(bytes(key), claim, bytes(credentials['proof']));
    const record = await readAccount(storage);
    if (!record) return t.fail('no account');
    const { account, device, dsk } = openAccount(record);
    const about = aboutLogin(bytes(auth));
    const own = { nonce, account, device, use: proofUses.login, about };
    checkDeviceProof(dsk.public, own, bytes(shown['deviceProof']));
    t.throws(() => checkDeviceProof(ed25519.generate().public, own, bytes(shown['deviceProof'])), {
      code: 'bad_proof',
    });
    return undefined;
  },
);

t.test(
  'pitfall: KDF downgrade: weaker parameters for the password are refused by name, and no hash is sent',
  async (t) => {
    await using island = await oddIsland();
    const stronger = { ...leastKdf, passes: 5 };
    island.twist.answer = (path, answer) =>
      path === '/.well-known/island' ? { ...answer, kdf: stronger } : answer;
    const { storage } = await registered(island);
    for (const kdf of [leastKdf, { ...stronger, memory: 8 }]) {
      island.twist.answer = (path, answer) =>
        path === '/v1/prelogin' ? { ...answer, kdf } : answer;
      await t.rejects(signIn(joining(storage), x), { code: 'kdf_downgrade' });
    }
    t.same(paths(island), ['/v1/prelogin', '/v1/prelogin']);
  },
);

t.test('pitfall: KDF downgrade: nor for the codes', async (t) => {
  await using island = await oddIsland();
  const { storage, codes } = await registered(island);
  for (const kdf of [
    { ...leastKdf, memory: 8 },
    { ...leastKdf, passes: 1 },
  ]) {
    island.twist.answer = (path, answer) =>
      path === '/v1/prelogin' ? { ...answer, codes: { salt: 'A'.repeat(22), kdf } } : answer;
    const second = { code: codes[0] ?? '' };
    await t.rejects(signIn(joining(storage), { ...x, second }), { code: 'kdf_downgrade' });
  }
  t.same(paths(island), ['/v1/prelogin', '/v1/prelogin']);
});

t.test(
  'pitfall: swapped salt: the password is hashed with the salt it had here before',
  async (t) => {
    await using island = await oddIsland();
    const { storage } = await registered(island);
    const salt = 'A'.repeat(22);
    island.twist.answer = (path, answer) =>
      path === '/v1/prelogin' ? { ...answer, salt } : answer;
    await t.rejects(signIn(joining(storage), x), { code: 'salt_changed' });
    t.same(paths(island), ['/v1/prelogin']);

    await signIn(joining(storage), { ...x, passwordChanged: true });
    t.same((await readAccount(storage))?.password?.salt, new Uint8Array(16));
    delete island.twist.answer;
    await t.rejects(
      signIn(joining(storage), x),
      { code: 'salt_changed' },
      'from then on that one is known',
    );
  },
);

t.test('A2: the second factor is asked for, and shown as digits or as a code', async (t) => {
  await using island = await oddIsland();
  const { storage, codes } = await registered(island);
  island.twist.before = (path, body) => {
    if (path === '/v1/login' && !('second' in body)) throw new Fault('second_factor_needed');
    return undefined;
  };
  await t.rejects(signIn(joining(storage), x), { code: 'second_factor_needed' });
  await signIn(joining(storage), { ...x, second: { totp: '123456' } });
  const [code = ''] = codes;
  const typed = code.toLowerCase().replaceAll('-', ' ').replaceAll('1', 'l');
  await signIn(joining(storage), { ...x, second: { code: typed } });
  const [, digits = {}, used = {}] = bodies(island, '/v1/login');
  t.same(digits['second'], { totp: '123456' });
  const shown = (used['second'] as { code: Json }).code;
  t.equal(bytes(shown['loc']).length, 16);
  t.equal(bytes(shown['proof']).length, 32);
  const nonces = bodies(island, '/v1/login').map((body) => body['nonce']);
  t.equal(new Set(nonces).size, 3, 'each with a nonce of its own');

  island.requests.length = 0;
  const mistaken = `${code.slice(0, -1)}${code.endsWith('0') ? '2' : '0'}`;
  await t.rejects(signIn(joining(storage), { ...x, second: { code: mistaken } }), {
    name: 'CodeMistake',
    group: 5,
  });
  t.same(paths(island), [], 'a typing mistake is no attempt');
});

t.test(
  'A1: somebody of an organisation signs in with a grant, and no password is asked',
  async (t) => {
    await using island = await oddIsland();
    const { storage } = await registered(island);
    const grant = new Uint8Array(32).fill(7);
    await signIn(joining(storage), { grant });
    t.same(paths(island), ['/v1/nonce', '/v1/login']);
    const [shown = {}] = bodies(island, '/v1/login');
    t.same(shown['credentials'], { grant: base64url(grant) });
    const record = await readAccount(storage);
    if (!record) return t.fail('no account');
    const { account, device, dsk } = openAccount(record);
    const about = aboutLogin(grant);
    const nonce = bytes(shown['nonce']);
    const claim = { nonce, account, device, use: proofUses.login, about };
    checkDeviceProof(dsk.public, claim, bytes(shown['deviceProof']));
    return undefined;
  },
);

t.test('a registration whose answer never came is ended by signing in', async (t) => {
  await using island = await oddIsland();
  const storage = memoryStorage();
  const stop = new AbortController();
  island.twist.answer = (path, answer) => {
    if (path !== '/v1/register') return answer;
    stop.abort();
    return 'cut';
  };
  const interrupted = { ...joining(storage), signal: stop.signal };
  await t.rejects(register(interrupted, island.link, 'alice', x), { code: 'unreachable' });
  delete island.twist.answer;
  await signIn(joining(storage), x);
  t.equal((await readAccount(storage))?.state, 'registered');
  const { codes } = await register(joining(storage), island.link, 'alice', x);
  t.equal(codes.length, 8, 'and its codes are still to be seen');
});

t.test('an account of that name with other keys is not signed in to', async (t) => {
  await using island = await oddIsland();
  const { storage } = await registered(island);
  island.twist.answer = (path, answer) =>
    path === '/v1/login' ? { ...answer, account: '0'.repeat(32) } : answer;
  await t.rejects(signIn(joining(storage), x), { code: 'other_account' });
  await t.rejects(signIn(joining(memoryStorage()), x), { code: 'no_device_keys' });
});

t.test('a nonce of another length is refused, and nothing is signed', async (t) => {
  await using island = await oddIsland();
  const { storage } = await registered(island);
  for (const length of [0, 39, 41]) {
    island.twist.answer = (path, answer) =>
      path === '/v1/nonce' ? { nonce: base64url(new Uint8Array(length)) } : answer;
    await t.rejects(signIn(joining(storage), x), { code: 'not_an_island' });
  }
  t.same(bodies(island, '/v1/login'), []);
});

t.test('A4: a device that was removed is told so, and shows nothing', async (t) => {
  await using island = await oddIsland();
  const { storage } = await registered(island);
  const record = await readAccount(storage);
  if (!record) return t.fail('no account');
  const list = openDeviceList(record.list);
  const aik = ed25519.generate();
  const keys = createDevice({ account: list.account, device: deviceId(2) });
  const devices = [signDeviceCert(keys, aik.public, 20_000)];
  const replace = { aik: aik.public, how: 'rotate' } as const;
  const state = nextDeviceList(list, { devices, replace }, 20_000);
  const newest = signDeviceList(state, aik, ed25519.fromSeed(record.aik));
  await storage.commit({ put: [accountRow({ ...record, list: newest })] });
  await t.rejects(signIn(joining(storage), x), { code: 'device_removed' });
  t.same(paths(island), []);
  return undefined;
});
