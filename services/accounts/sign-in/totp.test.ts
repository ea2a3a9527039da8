/** Six-digit sign-in (A2), on real SQLite, NATS and Redis. docs/protocol/accounts.md §5 */
import { join } from 'node:path';
import { limits } from '@island/protocol/wire/limits.ts';
import t from 'tap';
import { openStore } from '../../kit/store.ts';
import { faultCode } from '../../kit/testing/outcome.ts';
import { accounts } from '../contract.ts';
import * as schema from '../schema.ts';
import { askerOf, authenticator, testAccounts } from '../testing/accounts.ts';
import { applicant, newPassword, random, shownCode } from '../testing/applicant.ts';
import { stepOf } from './totp.ts';

const running = await testAccounts();
t.after(() => running[Symbol.asyncDispose]());
const { island, gateway, clock, joined, login, beginJoining, withTotp } = running;
const step = 30_000;
const somewhere = () => ({ origin: random(16) });

/** Somebody with six-digit sign-in on, in a step whose digits nobody has used. */
async function guarded(name: string) {
  const person = await joined(name);
  const asker = askerOf(await login(person));
  const totp = await withTotp(asker);
  clock.ahead += step;
  return { person, asker, totp };
}

const outcomes = async (calls: Promise<unknown>[]) => {
  const codes = await Promise.all(calls.map(faultCode));
  return Object.fromEntries(
    [...new Set(codes)].sort().map((code) => [code, codes.filter((one) => one === code).length]),
  );
};

t.test('A2: the digits are those of RFC 6238', async (t) => {
  const secret = new TextEncoder().encode('12345678901234567890');
  for (const [now, digits] of [
    [59, '287082'],
    [1_111_111_109, '081804'],
    [1_111_111_111, '050471'],
    [1_234_567_890, '005924'],
    [2_000_000_000, '279037'],
    [20_000_000_000, '353130'],
  ] as const) {
    const present = Math.floor(now / 30);
    t.equal(stepOf(secret, digits, now), present);
    t.equal(stepOf(secret, digits, now + 30), present, 'a step late');
    t.equal(stepOf(secret, digits, now - 30), present, 'a step early');
    t.equal(stepOf(secret, digits, now + 60), undefined);
    t.equal(stepOf(secret, digits, now - 60), undefined);
  }
});

t.test('A2: begun, confirmed, asked for, ended', async (t) => {
  const ada = await joined('ada');
  const asker = askerOf(await login(ada));
  const confirm = (totp: string) =>
    gateway.call(accounts, 'totpConfirm', { ...asker, totp, ...somewhere() });
  const isOn = async () => (await gateway.call(accounts, 'account', asker)).totp;
  await t.rejects(confirm('123456'), { code: 'totp_inactive' }, 'not begun');
  const first = authenticator((await gateway.call(accounts, 'totpBegin', asker)).secret, clock);
  const { secret } = await gateway.call(accounts, 'totpBegin', asker);
  t.match(secret, /^[A-Z2-7]{32}$/, '160 bits, base32');
  await login(ada);
  t.equal(await isOn(), false, 'not before it is confirmed');
  await t.rejects(confirm(first.digits()), { code: 'wrong_totp' }, 'the secret before');
  const totp = authenticator(secret, clock);
  await confirm(totp.digits());
  t.equal(await isOn(), true);
  await t.rejects(gateway.call(accounts, 'totpBegin', asker), { code: 'totp_active' });
  await t.rejects(confirm(totp.digits()), { code: 'totp_active' });

  await t.rejects(login(ada), { code: 'second_factor_needed' });
  await t.rejects(beginJoining(ada), { code: 'second_factor_needed' });
  const used = { second: { totp: totp.digits() } };
  await t.rejects(login(ada, used), { code: 'totp_used' }, 'used up by the confirmation');
  clock.ahead += step;
  await login(ada, { second: { totp: totp.digits() } });
  await t.rejects(login(ada, { second: { totp: totp.digits(3) } }), { code: 'wrong_totp' });

  const end = (digits: string) =>
    gateway.call(accounts, 'totpEnd', { ...asker, second: { totp: digits }, ...somewhere() });
  await t.rejects(end(totp.digits()), { code: 'totp_used' });
  await t.rejects(end(totp.digits(-3)), { code: 'wrong_totp' });
  clock.ahead += step;
  await end(totp.digits());
  t.equal(await isOn(), false);
  await t.rejects(end(totp.digits()), { code: 'totp_inactive' });
  await login(ada);
});

t.test('A2: only who has password and device hears of the second factor', async (t) => {
  const { person, totp } = await guarded('quiet');
  const second = { totp: totp.digits() };
  const stranger = applicant('stranger');
  const wrong = { code: 'wrong_credentials' };
  await t.rejects(login(person, { password: newPassword(), second, ...somewhere() }), wrong);
  await t.rejects(login(person, { password: newPassword(), ...somewhere() }), wrong);
  const keys = { ...person.keys, dsk: stranger.keys.dsk };
  await t.rejects(login(person, { keys, second, ...somewhere() }), wrong);
  // Nor was anything used up by that.
  await login(person, { second });
});

t.test('A2 pitfall: TOTP replay: 64 sign-ins at once with one step: one succeeds', async (t) => {
  const { person, totp } = await guarded('parallel');
  const second = { totp: totp.digits() };
  // Each from elsewhere: no limit stands in the way.
  const calls = Array.from({ length: 64 }, () => login(person, { second, ...somewhere() }));
  t.same(await outcomes(calls), { resolved: 1, totp_used: 63 });
  clock.ahead += step;
  const both = { totp: totp.digits() };
  const mixed = Array.from({ length: 32 }, (_, i) =>
    (i % 2 === 0 ? login : beginJoining)(person, { second: both, ...somewhere() }),
  );
  t.same(await outcomes(mixed), { resolved: 1, totp_used: 31 });
});

t.test('A2: once a step was accepted, none before it is', async (t) => {
  const { person, totp } = await guarded('forward');
  clock.ahead += 3 * step;
  await login(person, { second: { totp: totp.digits(1) } });
  for (const steps of [1, 0, -1]) {
    const old = login(person, { second: { totp: totp.digits(steps) } });
    await t.rejects(old, { code: 'totp_used' }, `${steps}`);
  }
  clock.ahead += step;
  await login(person, { second: { totp: totp.digits(1) } });
});

t.test('A2: tries are few from one address, and that locks out nobody elsewhere', async (t) => {
  const { person, totp } = await guarded('erin');
  const here = somewhere();
  const wrong = () => login(person, { second: { totp: totp.digits(5) }, ...here });
  for (let i = 0; i < limits.totpAttempts; i++) await t.rejects(wrong(), { code: 'wrong_totp' });
  const right = { second: { totp: totp.digits() } };
  await t.rejects(login(person, { ...right, ...here }), { code: 'rate_limited' });
  await login(person, { ...right, ...somewhere() });
  clock.ahead += limits.totpRefillSeconds * 1000;
  await login(person, { second: { totp: totp.digits() }, ...here });
});

t.test(
  'A2: who has only the password tries in vain, and keeps no device of the person out',
  async (t) => {
    const { person, totp } = await guarded('frank');
    const guess = () => beginJoining(person, { second: { totp: totp.digits(5) }, ...somewhere() });
    const calls = Array.from({ length: limits.totpAttemptsPerHour + 4 }, guess);
    t.same(await outcomes(calls), { rate_limited: 4, wrong_totp: limits.totpAttemptsPerHour });
    const second = { totp: totp.digits() };
    await t.rejects(beginJoining(person, { second, ...somewhere() }), { code: 'rate_limited' });
    await login(person, { second, ...somewhere() });
  },
);

t.test(
  'A2: a device, or a token of it, does not guess from many addresses, and stops no other',
  async (t) => {
    const { person, asker, totp } = await guarded('gina');
    const most = limits.totpDeviceAttemptsPerHour;
    const wrong = () => ({ second: { totp: totp.digits(5) }, ...somewhere() });
    const end = () => gateway.call(accounts, 'totpEnd', { ...asker, ...wrong() });
    const calls = Array.from({ length: most + 8 }, (_, i) =>
      i % 2 ? end() : login(person, wrong()),
    );
    t.same(await outcomes(calls), { rate_limited: 8, wrong_totp: most });
    await beginJoining(person, { second: { totp: totp.digits() }, ...somewhere() });
  },
);

t.test("A2 pitfall: a secret moved to somebody else's row does not open there", async (t) => {
  const { person: victim, totp } = await guarded('victim');
  const { person: mallory, totp: theirs } = await guarded('mallory');
  const file = join((await island.kit('accounts')).data, 'accounts.sqlite');
  const migrations = join(import.meta.dirname, '../migrations');
  await using store = await openStore({ file, schema, migrations, log: island.log });
  const secretOf = (name: string) => `(select totp_secret from people where name = '${name}')`;
  const [before] = await store.rows<{ kept: Buffer }>(`select ${secretOf('victim')} as kept`);
  await store.write((_db, sql) =>
    sql.run(`update people set totp_secret = ${secretOf('mallory')} where name = 'victim'`),
  );
  for (const digits of [theirs.digits(), totp.digits()]) {
    await t.rejects(login(victim, { second: { totp: digits } }), { code: 'internal' });
  }
  // A secret that was begun does not stand for one that is in force, either.
  await store.write((_db, sql) =>
    sql.run('update people set totp_secret = null, totp_pending = ? where name = ?', [
      before?.kept ?? null,
      'victim',
    ]),
  );
  const asker = askerOf(await login(victim));
  const digits = { totp: totp.digits(), ...somewhere() };
  await t.rejects(gateway.call(accounts, 'totpConfirm', { ...asker, ...digits }), {
    code: 'internal',
  });
  await login(mallory, { second: { totp: theirs.digits() } });
});

t.test('A2: 64 confirmations at once: one, and its step is used up', async (t) => {
  const person = await joined('hasty');
  const asker = askerOf(await login(person));
  const { secret } = await gateway.call(accounts, 'totpBegin', asker);
  const totp = authenticator(secret, clock).digits();
  const calls = Array.from({ length: 64 }, () =>
    gateway.call(accounts, 'totpConfirm', { ...asker, totp, ...somewhere() }),
  );
  const { resolved, ...others } = await outcomes(calls);
  t.equal(resolved, 1);
  t.same(Object.keys(others), ['totp_active']);
  await t.rejects(login(person, { second: { totp } }), { code: 'totp_used' });
});

t.test('a code ends six-digit sign-in, too, for who has lost the authenticator', async (t) => {
  const { person, asker } = await guarded('loser');
  const [code] = person.codes;
  if (code === undefined) throw new Error('a code');
  const end = () =>
    gateway.call(accounts, 'totpEnd', { ...asker, second: shownCode(code), ...somewhere() });
  await end();
  t.match(await gateway.call(accounts, 'account', asker), { totp: false, codes: 7 });
  await t.rejects(end(), { code: 'totp_inactive' });
});

t.end();
