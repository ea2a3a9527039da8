/** Sign-in, on real SQLite, NATS and Redis. docs/protocol/accounts.md §2, §3 */
import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '@island/protocol/wire/fault.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import t from 'tap';
import { openStore } from '../kit/store.ts';
import { accounts } from './contract.ts';
import * as schema from './schema.ts';
import { applicant, random, testAccounts } from './testing/accounts.ts';

const running = await testAccounts();
t.after(() => running[Symbol.asyncDispose]());
const { island, gateway, clock, joined, login } = running;
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

t.test('A1: unknown name, wrong password, foreign device: one answer', async (t) => {
  const ada = await joined('ada');
  const wrong = { code: 'wrong_credentials', details: undefined };
  t.same(await refusal(login(ada, { auth: random(32) })), wrong);
  t.same(await refusal(login(ada, { device: 2 })), wrong);
  t.same(await refusal(login(applicant('nobody'))), wrong);
  t.equal((await login(ada)).account, ada.keys.account);
});

t.test('A1: an unknown name costs the same work as a known one', async (t) => {
  const bob = await joined('bob');
  const cost = async (name: string) => {
    const origin = random(16);
    const times: number[] = [];
    for (let i = 0; i < limits.signInAttempts; i++) {
      const begun = performance.now();
      await login(bob, { name, auth: random(32), origin }).catch(() => undefined);
      times.push(performance.now() - begun);
    }
    return Math.min(...times);
  };
  const known = await cost('bob');
  const unknown = await cost('nobody-at-all');
  // The hash is nearly all of it: without it an unknown name would take a tenth.
  t.ok(unknown > known / 2, `unknown ${unknown.toFixed(1)} ms, known ${known.toFixed(1)} ms`);
});

t.test('A1: the salt of an unknown name is steady, of a known one the real one', async (t) => {
  const carol = await joined('carol');
  const salt = (name: string) => gateway.call(accounts, 'prelogin', { name });
  t.same((await salt('carol')).salt, carol.salt);
  t.same(await salt('nobody'), await salt('nobody'));
  t.notSame((await salt('nobody')).salt, (await salt('nobodyelse')).salt);
  t.same((await salt('nobody')).kdf, (await salt('carol')).kdf);
});

t.test(
  "A1: a stolen accounts row can't sign in, and holds no fast hash of what would",
  async (t) => {
    const dora = await joined('dora');
    const migrations = join(import.meta.dirname, 'migrations');
    const file = join(data, 'accounts.sqlite');
    await using store = await openStore({ file, schema, migrations, log: island.log });
    const [row] = await store.rows<{ verifier: string; salt: Uint8Array }>(
      "select verifier, salt from people where name = 'dora'",
    );
    const hash = Buffer.from(row?.verifier.split('$').at(-1) ?? '', 'base64');
    t.match(row?.verifier, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    t.equal(hash.length, 32);
    await t.rejects(login(dora, { auth: new Uint8Array(hash) }), { code: 'wrong_credentials' });
    const stored: Buffer[] = [];
    for (const name of await readdir(data)) stored.push(await readFile(join(data, name)));
    const everything = Buffer.concat(stored);
    for (const algorithm of ['md5', 'sha1', 'sha256', 'sha512']) {
      const fast = createHash(algorithm).update(dora.auth).digest();
      t.notOk(everything.includes(fast), algorithm);
      t.notOk(everything.includes(fast.toString('hex')), `${algorithm}, hex`);
    }
    t.notOk(everything.includes(Buffer.from(dora.auth)), 'auth itself');
  },
);

t.test('A1: the pepper lies in a file of its own that only its owner can read', async (t) => {
  const { mode, size } = await stat(join(data, 'pepper.key'));
  t.equal(mode & 0o777, 0o600);
  t.equal(size, 32);
  const { mode: database } = await stat(join(data, 'accounts.sqlite'));
  t.equal(database & 0o077, 0);
});

t.test(
  'too many attempts at a name are refused, but not from elsewhere, and not for ever',
  async (t) => {
    const erin = await joined('erin');
    const here = random(16);
    const wrong = { auth: random(32), origin: here };
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
  const wrong = { auth: random(32), origin: random(16) };
  const answers = await Promise.all(Array.from({ length: 64 }, () => refusal(login(frank, wrong))));
  const tried = answers.filter((answer) => JSON.stringify(answer).includes('wrong_credentials'));
  t.equal(tried.length, limits.signInAttempts);
});

t.test('attempts are limited when Redis is away', async (t) => {
  const gina = await joined('gina');
  await island.redis.end();
  const wrong = { auth: random(32), origin: random(16) };
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
