/** Registration, sign-in and sessions at real services: what is lost is repeated, what was recorded is worth nothing. */
import { limits } from '@island/protocol/wire/limits.ts';
import { TOTP } from 'otpauth';
import t from 'tap';
import { readAccount } from '../account/account.ts';
import { needKeys } from '../account/account-keys.ts';
import { testCode } from '../account/own-codes.ts';
import { register } from '../joining/registration.ts';
import { openPeople } from '../people/people.ts';
import { credentials, type DeviceHome, home, opened, registered } from '../testing/member-home.ts';
import { dying, Killed } from '../testing/mortal.ts';
import { type RealIsland, realIsland } from '../testing/real-island.ts';
import { changePassword } from './password-change.ts';
import { signIn } from './sign-in.ts';
import { beginTwoFactor, confirmTwoFactor, endTwoFactor } from './two-factor.ts';

t.setTimeout(120_000);

const digits = (island: RealIsland, secret: string): string =>
  new TOTP({ secret }).generate({ timestamp: island.clock.now() });

/** The same request again, as somebody sends it who has recorded it. */
async function replay({ platform }: DeviceHome, island: RealIsland, path: string) {
  const account = { address: island.address, root: '' };
  await using transport = platform.transport(account);
  const codes: string[] = [];
  for (const { body } of island.requests.filter((each) => each.path === path)) {
    const answer = await transport.request({ method: 'POST', path, body: JSON.stringify(body) });
    codes.push(JSON.parse(new TextDecoder().decode(answer.body)).code ?? 'accepted');
  }
  return codes;
}

t.test('A1, A5: whatever answer is lost, the same again brings the session', async (t) => {
  await using island = await realIsland();
  const fresh = home(island);
  const link = await island.link();
  let lost = 0;
  island.line.answer = ({ path }, answer) =>
    path === '/v1/register' && lost++ < 2 ? 'cut' : answer;
  await register(fresh.joining, link, 'alice', credentials);
  delete island.line.answer;
  const alice = await opened(island, fresh);
  t.equal((await alice.session.call('account', {})).codes, limits.backupCodes);

  island.clock.ahead += limits.accessSeconds * 1000;
  lost = 0;
  island.line.answer = ({ path }, answer) =>
    path === '/v1/refresh' && lost++ < 2 ? 'cut' : answer;
  await t.rejects(alice.session.token(), { code: 'unreachable' });
  await t.rejects(alice.session.token(), { code: 'unreachable' });
  t.equal((await alice.session.call('account', {})).name, 'alice');

  await signIn(alice.joining, credentials);
  t.equal((await alice.session.call('account', {})).name, 'alice');
});

t.test(
  'A1, A3: a registration dies at any step; the same again ends it, and all is whole',
  async (t) => {
    await using island = await realIsland();
    let steps = 1;
    for (let at = 0; at < steps; at++) {
      const link = await island.link();
      const fresh = home(island);
      const name = `alice${at}`;
      const life = dying(fresh, at);
      await t.rejects(register(life.home.joining, link, name, credentials), Killed);
      const { codes } = await register(fresh.joining, link, name, credentials);
      const alice = await opened(island, fresh);
      const { record } = await needKeys(alice.storage);
      t.same((await alice.session.call('record', {})).record, record, life.steps.at(-1) ?? '');
      const [code = ''] = codes;
      t.same((await testCode(alice.keeping, alice.platform, code)).state, 'good');
      if (at === 0) steps = await stepsOf(island);
    }
    t.ok(steps > 10, `${steps} steps`);
  },
);

async function stepsOf(island: RealIsland): Promise<number> {
  const life = dying(home(island), Number.POSITIVE_INFINITY);
  await register(life.home.joining, await island.link(), 'counted', credentials);
  return life.steps.length;
}

t.test('A5: an exchange of tokens dies at any step, and goes on', async (t) => {
  await using island = await realIsland();
  const alice = await registered(island, 'alice');
  let whole = false;
  for (let at = 0; !whole; at++) {
    island.clock.ahead += limits.accessSeconds * 1000;
    const life = dying(alice, at);
    const dead = await opened(island, life.home);
    whole = await dead.session.token().then(
      () => true,
      (error: unknown) => {
        if (error instanceof Killed) return false;
        throw error;
      },
    );
    t.equal((await alice.session.call('account', {})).name, 'alice', life.steps.at(-1) ?? '');
  }
});

t.test('A1, A5: every request that was ever sent, sent again, signs nobody in', async (t) => {
  await using island = await realIsland();
  const alice = await registered(island, 'alice');
  await signIn(alice.joining, credentials);
  island.clock.ahead += limits.accessSeconds * 1000;
  await alice.session.token();
  const taken = ['bad_proof', 'challenge_expired', 'wrong_credentials', 'session_revoked'];
  for (const path of ['/v1/register', '/v1/login', '/v1/refresh']) {
    const [code = ''] = await replay(alice, island, path);
    t.ok(taken.includes(code), `${path}: ${code}`);
  }
});

t.test(
  'A2: with a second factor no password is enough; digits and codes are good once',
  async (t) => {
    await using island = await realIsland();
    const alice = await registered(island, 'alice');
    const { secret } = await beginTwoFactor(alice.keeping, { island: 'test', name: 'alice' });
    await confirmTwoFactor(alice.keeping, digits(island, secret));
    await t.rejects(signIn(alice.joining, credentials), { code: 'second_factor_needed' });
    await t.rejects(signIn(alice.joining, { password: 'wrong' }), { code: 'wrong_credentials' });

    island.clock.ahead += 60_000;
    const second = { totp: digits(island, secret) };
    await signIn(alice.joining, { ...credentials, second });
    await t.rejects(signIn(alice.joining, { ...credentials, second }), { code: 'totp_used' });
    const wrong = { totp: second.totp === '000000' ? '000001' : '000000' };
    await t.rejects(signIn(alice.joining, { ...credentials, second: wrong }), {
      code: 'wrong_totp',
    });

    const code = { code: alice.codes[0] ?? '' };
    await signIn(alice.joining, { ...credentials, second: code });
    t.equal((await alice.session.call('account', {})).codes, limits.backupCodes - 1);
    await t.rejects(signIn(alice.joining, { ...credentials, second: code }), {
      code: 'wrong_code',
    });
    await endTwoFactor(alice.keeping, alice.platform, { code: alice.codes[1] ?? '' });
    await signIn(alice.joining, credentials);
  },
);

t.test(
  'A1: a password changed elsewhere has another salt, which a person has to confirm',
  async (t) => {
    await using island = await realIsland();
    const alice = await registered(island, 'alice');
    const before = await readAccount(alice.storage);
    const next = 'battery staple';
    await changePassword(alice.joining, alice.keeping, alice.transport, {
      authority: credentials as { password: string },
      next,
    });
    await signIn(alice.joining, { password: next });
    // As on a device that has not heard of it.
    const row = await alice.storage.read('account', 'self');
    const held = JSON.parse(new TextDecoder().decode(row?.bytes));
    held.password.salt = Buffer.from(before?.password?.salt ?? []).toString('base64url');
    const bytes = new TextEncoder().encode(JSON.stringify(held));
    await alice.storage.commit({ put: [{ namespace: 'account', key: 'self', bytes }] });
    await t.rejects(signIn(alice.joining, { password: next }), { code: 'salt_changed' });
    await signIn(alice.joining, { password: next, passwordChanged: true });
  },
);

t.test('K2: people are met and followed', async (t) => {
  await using island = await realIsland();
  const alice = await registered(island, 'alice');
  const bob = await registered(island, 'bob');
  const people = openPeople(alice.storage, alice.lookups);
  t.equal((await people.find('bob')).account, (await readAccount(bob.storage))?.account);
  t.equal((await people.refresh('bob')).list.epoch, 1);
  await t.rejects(people.find('nobody'), { code: 'unknown_person' });
});
