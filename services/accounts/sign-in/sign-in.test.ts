/** Sign-in, on real SQLite, NATS and Redis. docs/protocol/accounts.md §2, §3, §7 */
import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createDevice } from '@island/protocol/crypto/device.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { deviceId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import t from 'tap';
import { openStore } from '../../kit/store.ts';
import { accounts } from '../contract.ts';
import * as schema from '../schema.ts';
import { testAccounts } from '../testing/accounts.ts';
import {
  type Applicant,
  applicant,
  joiningRequest,
  loginRequest,
  newPassword,
  random,
} from '../testing/applicant.ts';

const running = await testAccounts();
t.after(() => running[Symbol.asyncDispose]());
const { island, gateway, clock, joined, login, nonce, beginJoining } = running;
const data = (await island.kit('accounts')).data;

/** All that a caller is told. */
const refusal = async (attempt: Promise<unknown>) => {
  try {
    await attempt;
    return 'no refusal';
  } catch (error) {
    return error instanceof Fault ? { code: error.code, details: error.details } : error;
  }
};

const wrong = { code: 'wrong_credentials', details: undefined };

t.test('A1: unknown name, wrong password, wrong proof, foreign device: one answer', async (t) => {
  const ada = await joined('ada');
  const bob = await joined('bob');
  const here = { origin: random(16) };
  const { account } = ada.keys;
  const other = newPassword();
  const { password } = ada;
  const stranger = { ...ada.keys, dsk: bob.keys.dsk };
  const absent = createDevice({ account, device: deviceId(2) });
  const attempts: Record<string, () => Promise<unknown>> = {
    'wrong password': () => login(ada, { ...here, password: other }),
    'right password, wrong proof of it': () =>
      login(ada, {
        ...here,
        password: { ...password, key: other.key },
      }),
    'device that is not on the list': () => login(ada, { ...here, keys: absent }),
    'key of somebody else': () => login(ada, { ...here, keys: stranger }),
    'unknown name': () => login(applicant('nobody'), here),
    'unknown name, known device': () => login({ ...ada, name: 'nobody' }, here),
    'a grant that is none': () => login(ada, { ...here, grant: random(32) }),
    'a grant for an unknown name': () => login(applicant('nobody'), { ...here, grant: random(32) }),
    'joining with a wrong password': () => beginJoining(ada, { ...here, password: other }),
    'joining with an unknown name': () => beginJoining(applicant('nobody'), here),
    'joining with a grant that is none': () => beginJoining(ada, { ...here, grant: random(32) }),
  };
  for (const [what, attempt] of Object.entries(attempts))
    t.same(await refusal(attempt()), wrong, what);
  t.equal((await login(ada)).account, account);
  t.equal((await beginJoining(ada)).account, account);
});

t.test('A1: what is shown belongs to one nonce, one device and one name', async (t) => {
  const ada = await joined('alma');
  const bob = await joined('bert');
  const at = { nonce: await nonce(), origin: random(16) };
  const request = loginRequest(ada, at);
  const elsewhere = loginRequest(ada, { ...at, nonce: await nonce() });
  const joining = joiningRequest(ada, at);
  const call = (change: object) => gateway.call(accounts, 'login', { ...request, ...change });
  const { deviceProof, credentials } = elsewhere;
  t.same(await refusal(call({ deviceProof })), wrong, 'the device for another nonce');
  t.same(await refusal(call({ credentials })), wrong, 'the password for another nonce');
  t.same(await refusal(call({ credentials: joining.credentials })), wrong, 'for no device');
  t.same(await refusal(call({ name: bob.name })), wrong, 'for another name');
  const begin = { ...joining, credentials: request.credentials };
  t.same(await refusal(gateway.call(accounts, 'beginJoining', begin)), wrong, 'for a device');
  await call({});
});

t.test(
  'A1 pitfall: another island gets a proof: what it is shown is worth nothing here',
  async (t) => {
    const ada = await joined('alba');
    // The same name and password there, with the nonce of here handed on.
    const there: Applicant = { ...ada, island: random(32) };
    t.same(await refusal(login(there)), wrong);
    t.same(await refusal(beginJoining(there)), wrong);
    await beginJoining(ada);
  },
);

t.test('A1: a recorded sign-in, replayed byte for byte, gives nothing', async (t) => {
  const ada = await joined('agatha');
  const at = { nonce: await nonce(), origin: random(16) };
  const recorded = loginRequest(ada, at);
  const replay = () => gateway.call(accounts, 'login', recorded);
  const calls = await Promise.all(Array.from({ length: 8 }, () => refusal(replay())));
  t.equal(calls.filter((answer) => answer === 'no refusal').length, 1, 'of eight at once one');
  t.match(await refusal(replay()), { code: 'challenge_expired' });
  const begin = joiningRequest(ada, { ...at, nonce: await nonce() });
  await gateway.call(accounts, 'beginJoining', begin);
  const again = await refusal(gateway.call(accounts, 'beginJoining', begin));
  t.match(again, { code: 'challenge_expired' });
  clock.ahead += limits.nonceSeconds * 1000;
  t.match(await refusal(replay()), { code: 'challenge_expired' }, 'when the nonce is forgotten');
  const auth = 'auth' in recorded.credentials ? recorded.credentials.auth : [];
  // All that was ever sent, and no key: another nonce has no proof.
  const thief: Applicant = { ...ada, password: { ...newPassword(), auth: new Uint8Array(auth) } };
  t.same(await refusal(login(thief)), wrong);
  t.same(await refusal(beginJoining(thief)), wrong);
});

t.test('A1, A2: a sign-in that was refused and recorded is not good later, either', async (t) => {
  const ada = await joined('amanda');
  const origin = random(16);
  const at = async () => ({ nonce: await nonce(), origin });
  const right = loginRequest(ada, await at());
  const leave = joiningRequest(ada, await at());
  for (let i = 0; i < limits.signInAttempts; i++)
    await refusal(login(ada, { origin, password: newPassword() }));
  const limited = { code: 'rate_limited' };
  t.match(await refusal(gateway.call(accounts, 'login', right)), limited);
  t.match(await refusal(gateway.call(accounts, 'beginJoining', leave)), limited);
  clock.ahead += 2 * limits.signInRefillSeconds * 1000;
  const over = { code: 'challenge_expired' };
  t.match(await refusal(gateway.call(accounts, 'login', right)), over);
  t.match(await refusal(gateway.call(accounts, 'beginJoining', leave)), over);
});

t.test('A1: an unknown name costs the same work as a known one', async (t) => {
  const cost = async (person: Applicant) => {
    const times: number[] = [];
    const origin = random(16);
    for (let i = 0; i < limits.signInAttempts; i++) {
      const at = await nonce();
      const request = loginRequest(person, { nonce: at, origin, password: newPassword() });
      const begun = performance.now();
      await gateway.call(accounts, 'login', request).catch(() => undefined);
      times.push(performance.now() - begun);
    }
    return Math.min(...times);
  };
  const known = await cost(await joined('bob-2'));
  const unknown = await cost(applicant('nobody-at-all'));
  // The hash is nearly all of it: without it an unknown name would take a tenth.
  t.ok(unknown > known / 2, `unknown ${unknown.toFixed(1)} ms, known ${known.toFixed(1)} ms`);
});

t.test('A1: the salts of an unknown name are steady, of a known one the real ones', async (t) => {
  const carol = await joined('carol');
  const salts = (name: string) => gateway.call(accounts, 'prelogin', { name });
  const known = await salts('carol');
  t.same(known.salt, carol.password.salt);
  t.same(known.codes.salt, carol.codesSalt);
  const unknown = await salts('nobody');
  t.same(unknown, await salts('nobody'));
  const another = await salts('nobodyelse');
  t.notSame(unknown.salt, another.salt);
  t.notSame(unknown.codes.salt, another.codes.salt);
  t.notSame(unknown.codes.salt, unknown.salt);
  t.same([unknown.kdf, unknown.codes.kdf], [known.kdf, known.codes.kdf]);
});

t.test(
  "A1: a stolen accounts row can't sign in, and holds no fast hash of what would",
  async (t) => {
    const dora = await joined('dora');
    const migrations = join(import.meta.dirname, '../migrations');
    const file = join(data, 'accounts.sqlite');
    await using store = await openStore({ file, schema, migrations, log: island.log });
    const [row] = await store.rows<{ verifier: string; salt: Uint8Array }>(
      "select verifier, salt from people where name = 'dora'",
    );
    const hash = Buffer.from(row?.verifier.split('$').at(-1) ?? '', 'base64');
    t.match(row?.verifier, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    t.equal(hash.length, 32);
    const password = { ...dora.password, auth: new Uint8Array(hash) };
    await t.rejects(login(dora, { password }), { code: 'wrong_credentials' });
    const stored: Buffer[] = [];
    for (const name of await readdir(data)) stored.push(await readFile(join(data, name)));
    const everything = Buffer.concat(stored);
    for (const algorithm of ['md5', 'sha1', 'sha256', 'sha512']) {
      const fast = createHash(algorithm).update(dora.password.auth).digest();
      t.notOk(everything.includes(fast), algorithm);
      t.notOk(everything.includes(fast.toString('hex')), `${algorithm}, hex`);
    }
    t.notOk(everything.includes(Buffer.from(dora.password.auth)), 'auth itself');
    const key = Buffer.from(dora.password.key.public);
    t.notOk(everything.includes(key), 'nor the key by which a password could be guessed');
  },
);

t.test(
  'A1, M5: no file beside the database holds a secret, and only its owner can read it',
  async (t) => {
    const beside = (await readdir(data)).filter((name) => !name.startsWith('accounts.sqlite'));
    t.same(beside, []);
    const { mode: database } = await stat(join(data, 'accounts.sqlite'));
    t.equal(database & 0o077, 0);
  },
);

t.test(
  'too many attempts at a name are refused, but not from elsewhere, and not for ever',
  async (t) => {
    const erin = await joined('erin');
    const here = random(16);
    const wrong = { password: newPassword(), origin: here };
    for (let i = 0; i < limits.signInAttempts; i++) {
      await t.rejects(login(erin, wrong), { code: 'wrong_credentials' });
    }
    const limited = { code: 'rate_limited', details: { seconds: limits.signInRefillSeconds } };
    t.match(await refusal(login(erin, wrong)), limited);
    t.match(await refusal(login(erin, { origin: here })), limited, 'with the right password, too');
    t.equal((await login(erin, { origin: random(16) })).account, erin.keys.account, 'elsewhere');
    for (let i = 0; i < limits.signInAttempts; i++) {
      await login(applicant('ghost'), wrong).catch(() => undefined);
    }
    t.match(await refusal(login(applicant('ghost'), wrong)), limited, 'unknown names, too');
    clock.ahead += limits.signInRefillSeconds * 1000;
    t.equal((await login(erin, { origin: here })).account, erin.keys.account);
  },
);

t.test('64 attempts at once get no more tries than one after the other', async (t) => {
  const frank = await joined('frank');
  const wrong = { password: newPassword(), origin: random(16) };
  const answers = await Promise.all(Array.from({ length: 64 }, () => refusal(login(frank, wrong))));
  const tried = answers.filter((answer) => JSON.stringify(answer).includes('wrong_credentials'));
  t.equal(tried.length, limits.signInAttempts);
});

t.test('attempts are limited when Redis is away', async (t) => {
  const gina = await joined('gina');
  await island.redis.end();
  const wrong = { password: newPassword(), origin: random(16) };
  for (let i = 0; i < limits.signInAttempts; i++) {
    await t.rejects(login(gina, wrong), { code: 'wrong_credentials' });
  }
  await t.rejects(login(gina, wrong), { code: 'rate_limited' });
  t.equal((await login(gina)).account, gina.keys.account);
  await island.redis.start();
});

t.test('the log says nothing about people or where they come from', async (t) => {
  const text = island.log.lines.join('\n');
  for (const word of ['ada', 'erin', 'nobody', 'ghost']) t.notMatch(text, word);
  t.notMatch(text, /[0-9a-f]{32}/);
});

t.end();
