/** What the databases of accounts are worth without the master key: nothing (A1, A2, A3, A5, M5). docs/protocol/accounts.md §8 */
import { createPrivateKey } from 'node:crypto';
import { copyFile, mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Secret } from 'otpauth';
import t from 'tap';
import { openStore } from '../kit/store.ts';
import { accounts } from './contract.ts';
import * as schema from './schema.ts';
import { accountsService } from './service.ts';
import { askerOf, testAccounts } from './testing/accounts.ts';
import { random, shownCode } from './testing/applicant.ts';

const running = await testAccounts();
t.after(() => running[Symbol.asyncDispose]());
const { island, gateway, clock, joined, login, beginJoining } = running;
const { data } = await island.kit('accounts');

t.test('the database alone holds no key, no secret and no share', async (t) => {
  const ada = await joined('ada');
  const tokens = await login(ada);
  const asker = askerOf(tokens);
  const { secret: begun } = await gateway.call(accounts, 'totpBegin', asker);
  const bob = await joined('bob');
  const totp = await running.withTotp(askerOf(await login(bob)));
  const [code] = ada.codes;
  if (code === undefined) throw new Error('a code');
  // A share that waits for somebody who joins.
  await beginJoining(ada, { second: shownCode(code), origin: random(16) });

  const files = (await readdir(data)).filter((name) => name.startsWith('accounts.sqlite'));
  const parts = await Promise.all(files.map((name) => readFile(join(data, name))));
  const everything = Buffer.concat(parts);
  const { nonce } = await gateway.call(accounts, 'nonce', {});
  const secrets: Record<string, Uint8Array> = {
    'a share of a code': ada.keeping.shares[5]?.share ?? random(32),
    'the share that waits': ada.keeping.shares[0]?.share ?? random(32),
    'another share': bob.keeping.shares[7]?.share ?? random(32),
    'a secret that was begun': Secret.fromBase32(begun).bytes,
    'the key of a password': ada.password.key.public,
    auth: ada.password.auth,
    'the proof of a code': code.proof,
    'an archive key': ada.ark,
    'a refresh token': Buffer.from(tokens.refresh, 'base64url'),
    'a nonce': nonce,
  };
  for (const [what, bytes] of Object.entries(secrets)) {
    t.notOk(everything.includes(Buffer.from(bytes)), what);
    t.notOk(everything.includes(Buffer.from(bytes).toString('hex')), `${what}, hex`);
    t.notOk(everything.includes(Buffer.from(bytes).toString('base64url')), `${what}, base64url`);
  }
  t.notOk(everything.includes(begun), 'base32');
  t.match(totp.digits(), /^[0-9]{6}$/);
  for (const text of ['PRIVATE KEY', 'eyJ']) t.notOk(everything.includes(text), text);
});

t.test('no column of the database is a private key, and none opens in another place', async (t) => {
  const migrations = join(import.meta.dirname, 'migrations');
  await using store = await openStore({
    file: join(data, 'accounts.sqlite'),
    schema,
    migrations,
    log: island.log,
  });
  const keys = await store.rows<{ sealed: Buffer }>('select sealed from signing_keys');
  t.ok(keys.length > 0);
  for (const { sealed } of keys) {
    for (const format of ['der', 'pem'] as const) {
      t.throws(() => createPrivateKey({ key: sealed, format, type: 'pkcs8' }));
    }
  }
});

t.test(
  'A1, M5: under another master key nothing opens: accounts does not start on it',
  async (t) => {
    const other = await testAccounts([]);
    t.after(() => other[Symbol.asyncDispose]());
    const mine = other.island.config('core', ['accounts']).services[0]?.data ?? '';
    await mkdir(mine, { recursive: true, mode: 0o700 });
    // A copy of the database as a thief has it, in an island of the thief's own.
    for (const name of await readdir(data)) {
      if (name.startsWith('accounts.sqlite')) await copyFile(join(data, name), join(mine, name));
    }
    other.clock.ahead = clock.ahead;
    await t.rejects(
      other.start(accountsService),
      /The master key does not open what accounts keeps/,
    );
  },
);

t.end();
