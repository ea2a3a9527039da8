/** Registration, on real SQLite, NATS and Redis. docs/protocol/accounts.md §1 */
import { isFaultCode } from '@island/protocol/wire/fault.ts';
import t from 'tap';
import { directory } from '../directory/contract.ts';
import { accounts } from './contract.ts';
import type { RegisterRequest } from './registration.ts';
import { applicant, random, testAccounts } from './testing/accounts.ts';

const running = await testAccounts();
t.after(() => running[Symbol.asyncDispose]());
const { island, gateway, control, clock, invite, application, joined, login } = running;
const register = (request: RegisterRequest) => gateway.call(accounts, 'register', request);

/** The codes of those that failed, and how many did not. */
async function settle(calls: Promise<unknown>[]) {
  const results = await Promise.allSettled(calls);
  const codes = results.flatMap((result) =>
    result.status === 'rejected' && isFaultCode(result.reason.code) ? [result.reason.code] : [],
  );
  return { succeeded: results.length - codes.length, codes: [...new Set(codes)] };
}

t.test('who holds an invite registers, is found by name and can sign in', async (t) => {
  const ada = applicant('ada');
  const before = (await control.call(accounts, 'standing', {})).people;
  const code = await invite();
  t.match(code, /^[A-Za-z0-9_-]{22}$/, '128 bits');
  const tokens = await register(await application(ada, code));
  t.match(tokens.access, /^[\w-]+\.[\w-]+\.[\w-]+$/);
  t.match(tokens.refresh, /^[\w-]{43}$/);
  const found = await gateway.call(directory, 'person', { name: 'ada' });
  t.equal(found.account, ada.keys.account);
  t.equal((await login(ada)).account, ada.keys.account);
  const standing = await control.call(accounts, 'standing', { invite: code });
  t.same(standing, { people: before + 1, inviteGood: false });
});

t.test('each refusal has a code of its own', async (t) => {
  const person = applicant('grace');
  const taken = await joined('taken');
  const refuse = async (change: Partial<RegisterRequest>, code: string) => {
    const request = { ...(await application(person, await invite())), ...change };
    await t.rejects(register(request), { code }, code);
  };
  const used = await invite();
  await register(await application(applicant('first'), used));
  const brief = await invite(1, 60);
  clock.ahead += 61_000;
  await refuse({ invite: 'AAAAAAAAAAAAAAAAAAAAAA' }, 'invite_invalid');
  await refuse({ invite: used }, 'invite_used');
  await refuse({ invite: brief }, 'invite_expired');
  await refuse({ name: 'taken' }, 'name_taken');
  for (const name of ['', 'Grace', 'a b', '-x', 'x'.repeat(33), 'ä']) {
    await refuse({ name }, 'name_invalid');
  }
  await refuse({ account: taken.keys.account }, 'account_exists');
});

t.test('A1 pitfall: KDF downgrade: parameters below the floor are refused', async (t) => {
  const request = await application(applicant('weak'), await invite());
  const { memory, passes, lanes } = request.kdf;
  for (const kdf of [
    { memory: memory - 1, passes, lanes },
    { memory, passes: passes - 1, lanes },
    { memory, passes, lanes: 0 },
  ]) {
    await t.rejects(register({ ...request, kdf }), { code: 'kdf_too_weak' });
  }
  await t.rejects(register({ ...request, kdf: { memory: 4_194_304, passes, lanes } }), {
    code: 'malformed',
  });
});

t.test('a registration whose answer was lost is sent again and succeeds', async (t) => {
  const person = applicant('patient');
  const request = await application(person, await invite());
  const first = await register(request);
  const second = await register(request);
  t.not(first.refresh, second.refresh);
  const { challenge, proof } = await application(person, 'another challenge');
  await register({ ...request, challenge, proof });
  for (const change of [{ auth: random(32) }, { salt: random(16) }, { invite: await invite() }]) {
    await t.rejects(register({ ...request, ...change }), { code: 'account_exists' });
  }
  await t.rejects(register({ ...request, invite: 'unknown' }), { code: 'invite_invalid' });
});

t.test('64 registrations with one invite: one succeeds', async (t) => {
  const code = await invite();
  const requests = await Promise.all(
    Array.from({ length: 64 }, (_, i) => application(applicant(`racer${i}`), code)),
  );
  t.same(await settle(requests.map(register)), { succeeded: 1, codes: ['invite_used'] });
});

t.test(
  '64 registrations of one name: one succeeds, and only its use of the invite is gone',
  async (t) => {
    const code = await invite(2);
    const requests = await Promise.all(
      Array.from({ length: 64 }, () => application(applicant('popular'), code)),
    );
    t.same(await settle(requests.map(register)), { succeeded: 1, codes: ['name_taken'] });
    await register(await application(applicant('another'), code));
    t.equal((await control.call(accounts, 'standing', { invite: code })).inviteGood, false);
  },
);

t.test('the very same registration sixteen times at once succeeds sixteen times', async (t) => {
  const code = await invite();
  const request = await application(applicant('eager'), code);
  const calls = Array.from({ length: 16 }, () => register(request));
  t.same(await settle(calls), { succeeded: 16, codes: [] });
});

t.test('what the directory refuses leaves name and invite free', async (t) => {
  const person = applicant('clumsy');
  const code = await invite();
  const request = await application(person, code);
  await t.rejects(register({ ...request, proof: random(32) }), { code: 'bad_proof' });
  const batch = applicant('x').enrolment.batch;
  await t.rejects(register({ ...request, batch }), { code: 'bad_signature' });
  await register(request);
});

t.test('the log says nothing about people, invites or passwords', async (t) => {
  const text = island.log.lines.join('\n');
  for (const word of ['ada', 'grace', 'popular', 'patient', 'AAAA']) t.notMatch(text, word);
  t.notMatch(text, /[0-9a-f]{32}/);
});

t.end();
