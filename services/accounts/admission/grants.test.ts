/** A grant of the organisation in the place of a password, on real SQLite, NATS and Redis. docs/protocol/accounts.md §1, §3, §9 */
import { join } from 'node:path';
import { limits } from '@island/protocol/wire/limits.ts';
import t from 'tap';
import { unixSeconds } from '../../kit/clock.ts';
import { openStore } from '../../kit/store.ts';
import { faultCode } from '../../kit/testing/outcome.ts';
import { accounts } from '../contract.ts';
import * as schema from '../schema.ts';
import { askerOf, testAccounts } from '../testing/accounts.ts';
import {
  type Applicant,
  applicant,
  newPassword,
  published,
  random,
  registration,
  shownPassword,
} from '../testing/applicant.ts';
import { grantHash } from './grants.ts';

const running = await testAccounts();
const { island, gateway, clock, joined, login, beginJoining, application, withTotp } = running;
const file = join((await island.kit('accounts')).data, 'accounts.sqlite');
const migrations = join(import.meta.dirname, '../migrations');
const store = await openStore({ file, schema, migrations, log: island.log });
t.after(async () => {
  await store[Symbol.asyncDispose]();
  await running[Symbol.asyncDispose]();
});

/** As the end of a sign-in with the organisation leaves it. */
async function granted(subject: Buffer): Promise<Uint8Array> {
  const grant = random(32);
  const expires = unixSeconds(clock) + limits.oidcSeconds;
  await store.write((db) =>
    db.insert(schema.oidcFlows).values({
      flow: Buffer.from(random(32)),
      state: Buffer.from(random(32)),
      sealed: Buffer.from(random(8)),
      stage: 'granted',
      grantHash: grantHash(grant),
      subject,
      expires,
    }),
  );
  return grant;
}

async function member(name: string): Promise<{ person: Applicant; subject: Buffer }> {
  const person = applicant(name);
  const subject = Buffer.from(random(32));
  const request = await application(person, undefined, await granted(subject));
  await gateway.call(accounts, 'register', request);
  return { person, subject };
}

t.test('a grant registers, without an invite and without a password', async (t) => {
  const { person, subject } = await member('ada');
  const grant = await granted(subject);
  const tokens = await login(person, { grant });
  t.match(await gateway.call(accounts, 'account', askerOf(tokens)), { oidc: true, codes: 8 });
  const reused = login(person, { grant });
  await t.rejects(reused, { code: 'wrong_credentials' }, 'good once');
  t.equal(
    (await beginJoining(person, { grant: await granted(subject) })).account,
    person.keys.account,
  );
  await t.rejects(login(person), { code: 'wrong_credentials' }, 'there is no password');
});

t.test('a grant of somebody else, or one that is none, is what a wrong password is', async (t) => {
  const { person } = await member('bea');
  const bob = await joined('bob');
  const wrong = { code: 'wrong_credentials', details: undefined };
  const grant = await granted(Buffer.from(random(32)));
  for (const whose of [person, bob, applicant('nobody')]) {
    await t.rejects(login(whose, { grant, origin: random(16) }), wrong);
    await t.rejects(beginJoining(whose, { grant, origin: random(16) }), wrong);
  }
  const fresh = applicant('cleo');
  await gateway.call(accounts, 'register', await application(fresh, undefined, grant));
});

t.test('64 sign-ins at once with one grant: one succeeds', async (t) => {
  const { person, subject } = await member('dora');
  const grant = await granted(subject);
  const calls = Array.from({ length: 64 }, () => login(person, { grant, origin: random(16) }));
  const codes = await Promise.all(calls.map((call) => faultCode(call)));
  t.equal(codes.filter((code) => code === 'resolved').length, 1);
  t.equal(codes.filter((code) => code === 'wrong_credentials').length, 63);
});

t.test('one person of the organisation has one account', async (t) => {
  const { subject } = await member('eve');
  const again = await application(applicant('evelyn'), undefined, await granted(subject));
  await t.rejects(gateway.call(accounts, 'register', again), { code: 'account_exists' });
});

t.test(
  'a registration by a grant is repeated with the same grant, and with no other kind',
  async (t) => {
    const person = applicant('flora');
    const grant = await granted(Buffer.from(random(32)));
    const request = await application(person, undefined, grant);
    await gateway.call(accounts, 'register', request);
    const { challenge } = request;
    const at = async () => ({ challenge, nonce: await running.nonce() });
    const origin = random(16);
    const again = { ...registration(person, { ...(await at()), grant }), origin };
    t.ok((await gateway.call(accounts, 'register', again)).refresh);
    const credentials = published(newPassword());
    const other = { ...registration(person, await at()), credentials, origin };
    await t.rejects(gateway.call(accounts, 'register', other), {
      code: /invite_needed|account_exists/,
    });
  },
);

t.test(
  'the second factor is asked for after a grant as after a password, which uses no grant up',
  async (t) => {
    const { person, subject } = await member('gina');
    const asker = askerOf(await login(person, { grant: await granted(subject) }));
    const totp = await withTotp(asker);
    clock.ahead += 30_000;
    const grant = await granted(subject);
    await t.rejects(login(person, { grant }), { code: 'second_factor_needed' });
    await t.rejects(login(person, { grant, second: { totp: totp.digits(5) } }), {
      code: 'wrong_totp',
    });
    await login(person, { grant, second: { totp: totp.digits() } });
  },
);

t.test('who has no password can change none', async (t) => {
  const { person, subject } = await member('hedy');
  const asker = askerOf(await login(person, { grant: await granted(subject) }));
  const nonce = await running.nonce();
  const request = { ...asker, nonce, next: published(newPassword()), origin: random(16) };
  const authority = shownPassword(person, nonce);
  await t.rejects(gateway.call(accounts, 'changePassword', { ...request, authority }), {
    code: 'forbidden',
  });
});

t.test('salts of who has no password look like those of nobody, and are steady', async (t) => {
  const { person } = await member('iris');
  const salts = () => gateway.call(accounts, 'prelogin', { name: 'iris' });
  const told = await salts();
  t.same(told, await salts());
  t.same(told.codes.salt, person.codesSalt);
  t.equal(told.salt.length, 16);
});

t.end();
