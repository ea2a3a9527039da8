/** Registration, on real SQLite, NATS and Redis. docs/protocol/accounts.md §1 */
import { proofUses, proveDevice } from '@island/protocol/crypto/session-proof.ts';
import { isFaultCode } from '@island/protocol/wire/fault.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import t from 'tap';
import { directory } from '../../directory/contract.ts';
import { accounts } from '../contract.ts';
import { testAccounts } from '../testing/accounts.ts';
import {
  type Applicant,
  applicant,
  newPassword,
  published,
  random,
  shownCode,
} from '../testing/applicant.ts';
import type { RegisterRequest } from './registration.ts';

const running = await testAccounts();
t.after(() => running[Symbol.asyncDispose]());
const { island, gateway, control, clock, invite, application, joined, login, nonce } = running;
const register = (request: RegisterRequest) => gateway.call(accounts, 'register', request);

/** The same registration, signed for a fresh nonce. */
async function again(
  { keys, list }: Applicant,
  request: RegisterRequest,
): Promise<RegisterRequest> {
  const fresh = await nonce();
  const { account, device, dsk } = keys;
  const claim = { nonce: fresh, account, device, use: proofUses.register, about: list.hash };
  return { ...request, nonce: fresh, deviceProof: new Uint8Array(proveDevice(dsk, claim)) };
}

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
  const found = await gateway.call(directory, 'lists', { name: 'ada', after: 0 });
  t.equal(found.account, ada.keys.account);
  t.equal((await login(ada)).account, ada.keys.account);
  const standing = await control.call(accounts, 'standing', { invite: code });
  t.same(standing, { people: before + 1, inviteGood: false });
});

t.test(
  'pitfall: a stranger from one address fills neither the island nor the list of those who wait',
  async (t) => {
    const from = async (name: string, origin: Uint8Array) => ({
      ...(await application(applicant(name))),
      origin,
    });
    const here = random(16);
    for (const mode of ['approval', 'open'] as const) {
      await control.call(accounts, 'setRegistration', { registration: mode });
      const requests = await Promise.all(
        Array.from({ length: limits.registrationsPerHour / 2 }, (_, i) =>
          from(`${mode}${i}`, here),
        ),
      );
      const answers = await settle(requests.map(register));
      t.same(answers.codes, mode === 'open' ? [] : ['approval_pending']);
    }
    await t.rejects(register(await from('one-more', here)), { code: 'rate_limited' });
    await register(await from('elsewhere', random(16)));
    const guest = { ...(await application(applicant('guest'), await invite())), origin: here };
    await register(guest);
    await control.call(accounts, 'setRegistration', { registration: 'invite' });
  },
);

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
  await refuse({ account: taken.keys.account }, 'malformed');
  const theirs = { ...(await application(taken, await invite())), name: 'another' };
  await t.rejects(register(theirs), { code: 'account_exists' });
});

t.test('A1 pitfall: KDF downgrade: parameters below the floor are refused', async (t) => {
  const person = applicant('weak');
  const request = await application(person, await invite());
  const password = published(person.password);
  const { memory, passes, lanes } = password.kdf;
  const using = (kdf: typeof password.kdf) =>
    register({ ...request, credentials: { ...password, kdf } });
  for (const kdf of [
    { memory: memory - 1, passes, lanes },
    { memory, passes: passes - 1, lanes },
    { memory, passes, lanes: 0 },
  ]) {
    await t.rejects(using(kdf), { code: 'kdf_too_weak' });
  }
  await t.rejects(using({ memory: 4_194_304, passes, lanes }), { code: 'malformed' });
});

t.test('a registration is only taken from the device that it names', async (t) => {
  const person = applicant('named');
  const other = applicant('other');
  const request = await application(person, await invite());
  const { nonce: at, list } = { ...request, list: person.list };
  const { account, device, dsk } = person.keys;
  const claim = { nonce: at, account, device, use: proofUses.register, about: list.hash };
  const sign = (pair: typeof dsk, change: object) =>
    new Uint8Array(proveDevice(pair, { ...claim, ...change }));
  for (const [what, deviceProof] of Object.entries({
    'of another device': sign(other.keys.dsk, {}),
    'for another use': sign(dsk, { use: proofUses.login }),
    'for another list': sign(dsk, { about: other.list.hash }),
    'for another nonce': sign(dsk, { nonce: await nonce() }),
    'for another account': sign(dsk, { account: other.keys.account }),
  })) {
    await t.rejects(register({ ...request, deviceProof }), { code: 'bad_proof' }, what);
  }
  await t.rejects(register({ ...request, nonce: random(40) }), { code: 'challenge_expired' });
  clock.ahead += 121_000;
  await t.rejects(register(request), { code: 'challenge_expired' }, 'too late');
  await register(await again(person, request));
});

t.test('a record that is not the first of this account is refused', async (t) => {
  const person = applicant('keeper');
  const other = applicant('other');
  const request = await application(person, await invite());
  const [missing, ...rest] = request.shares;
  t.ok(missing);
  const changes: [Partial<RegisterRequest>, string][] = [
    [{ record: other.keeping.record, shares: other.keeping.shares }, 'bad_signature'],
    [{ shares: rest }, 'record_broken'],
    [
      { shares: [...request.shares.slice(0, 7), ...other.keeping.shares.slice(0, 1)] },
      'record_broken',
    ],
    [{ record: request.record.subarray(0, -1) }, 'truncated'],
  ];
  for (const [change, code] of changes) {
    await t.rejects(register({ ...request, ...change }), { code });
  }
  await register(request);
});

t.test(
  'a registration whose answer was lost is sent again with a fresh nonce and succeeds',
  async (t) => {
    const person = applicant('patient');
    const request = await application(person, await invite());
    const first = await register(request);
    const second = await register(await again(person, request));
    t.not(first.refresh, second.refresh);
    const { challenge, proof } = await application(person, 'another challenge');
    await register({ ...(await again(person, request)), challenge, proof });
    for (const change of [
      { credentials: { ...published(person.password), auth: random(32) } },
      { credentials: { ...published(person.password), salt: random(16) } },
      { invite: await invite() },
      { shares: applicant('x').keeping.shares },
    ]) {
      const other = { ...(await again(person, request)), ...change };
      await t.rejects(register(other), { code: /account_exists|record_broken/ });
    }
    const unknown = { ...(await again(person, request)), invite: 'unknown' };
    await t.rejects(register(unknown), { code: 'invite_invalid' });
  },
);

t.test('a recorded registration, replayed byte for byte, gives nothing', async (t) => {
  const person = applicant('recorded');
  const request = await application(person, await invite());
  const tokens = await register(request);
  t.ok(tokens.refresh);
  await t.rejects(register(request), { code: 'challenge_expired' }, 'at once');
  clock.ahead += 121_000;
  await t.rejects(register(request), { code: 'challenge_expired' }, 'when the nonce is forgotten');
});

t.test('A3: from the registration on there are eight codes, each good once', async (t) => {
  const person = await joined('cautious');
  for (const code of person.codes) {
    await running.beginJoining(person, { second: shownCode(code), origin: random(16) });
    const used = running.beginJoining(person, { second: shownCode(code), origin: random(16) });
    await t.rejects(used, { code: 'wrong_code' });
  }
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
  const person = applicant('eager');
  const request = await application(person, code);
  const requests = await Promise.all(Array.from({ length: 16 }, () => again(person, request)));
  t.same(await settle(requests.map(register)), { succeeded: 16, codes: [] });
  const same = Array.from({ length: 16 }, () => register(request));
  t.same(
    await settle(same),
    { succeeded: 1, codes: ['challenge_expired'] },
    'one nonce, one session',
  );
});

t.test('what the directory refuses leaves name and invite free', async (t) => {
  const person = applicant('clumsy');
  const code = await invite();
  const request = await application(person, code);
  await t.rejects(register({ ...request, proof: random(32) }), { code: 'bad_proof' });
  const batch = applicant('x').enrolment.batch;
  const second = await again(person, request);
  await t.rejects(register({ ...second, batch }), { code: 'bad_signature' });
  await t.rejects(register(second), { code: 'challenge_expired' }, 'recorded and sent again');
  await register(await again(person, request));
});

t.test(
  'where the operator decides, the very same registration hears what was decided',
  async (t) => {
    await control.call(accounts, 'setRegistration', { registration: 'approval' });
    const yes = applicant('hopeful');
    const no = applicant('stranger');
    const requests = new Map<Applicant, RegisterRequest>();
    for (const person of [yes, no]) {
      const request = await application(person);
      requests.set(person, request);
      await t.rejects(register(request), { code: 'approval_pending' });
      await t.rejects(register(await again(person, request)), { code: 'approval_pending' });
      await t.rejects(login(person), { code: 'wrong_credentials' });
      const rival = await application(applicant(person.name));
      await t.rejects(register(rival), { code: 'name_taken' }, 'the name is kept');
    }
    await control.call(accounts, 'decide', { name: 'hopeful', admit: true });
    await control.call(accounts, 'decide', { name: 'stranger', admit: false });
    const [first, second] = [...requests.values()];
    if (first === undefined || second === undefined) throw new Error('two requests');
    await t.rejects(login(yes), { code: 'wrong_credentials' }, 'not before it comes back');
    // What the directory refuses does not cost the operator's word.
    const broken = { ...(await again(yes, first)), proof: random(32) };
    await t.rejects(register(broken), { code: 'bad_proof' });
    yes.password = newPassword();
    yes.password.salt = new Uint8Array('salt' in first.credentials ? first.credentials.salt : []);
    const other = { ...(await again(yes, first)), credentials: published(yes.password) };
    await register(other);
    t.equal((await login(yes)).account, yes.keys.account, 'with the password of the last time');
    await t.rejects(register(await again(no, second)), { code: 'approval_refused' });
    await control.call(accounts, 'setRegistration', { registration: 'invite' });
    await t.rejects(register(await application(applicant('bare'))), { code: 'invite_needed' });
  },
);

t.test('the log says nothing about people, invites or passwords', async (t) => {
  const text = island.log.lines.join('\n');
  for (const word of ['ada', 'grace', 'popular', 'patient', 'AAAA']) t.notMatch(text, word);
  t.notMatch(text, /[0-9a-f]{32}/);
});

t.end();
