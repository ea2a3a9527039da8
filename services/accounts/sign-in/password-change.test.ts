/** Another password, on real SQLite, NATS and Redis. docs/protocol/accounts.md §2 */
import { limits } from '@island/protocol/wire/limits.ts';
import { decodeJwt } from 'jose';
import t from 'tap';
import { faultCode } from '../../kit/testing/outcome.ts';
import { accounts } from '../contract.ts';
import type { Asker } from '../sessions/session-ends.ts';
import { askerOf, testAccounts } from '../testing/accounts.ts';
import {
  type Applicant,
  newCode,
  newPassword,
  type Password,
  published,
  random,
  shownCode,
  shownPassword,
} from '../testing/applicant.ts';

const running = await testAccounts();
t.after(() => running[Symbol.asyncDispose]());
const { gateway, clock, joined, login, refresh, nonce } = running;

/** The request by which the person changes to `next`, on the authority of `present`. */
async function changeOf(
  person: Applicant,
  asker: Asker,
  next: Password,
  present: Password = person.password,
) {
  const at = await nonce();
  const authority = shownPassword({ ...person, password: present }, at);
  return { ...asker, authority, next: published(next), nonce: at, origin: random(16) };
}
type Change = Awaited<ReturnType<typeof changeOf>>;
const change = (request: object) => gateway.call(accounts, 'changePassword', request as Change);

t.test(
  'A1: a new password takes the place of the old one, and ends all other sessions',
  async (t) => {
    const ada = await joined('ada');
    const mine = await login(ada);
    const other = await login(ada);
    const asker = askerOf(mine);
    const next = newPassword();
    await change(await changeOf(ada, asker, next));
    await t.rejects(refresh(ada.keys, other.refresh), { code: 'session_revoked' });
    await refresh(ada.keys, mine.refresh);
    const list = await gateway.call(accounts, 'sessions', asker);
    t.same(
      list.sessions.map(({ session }) => session),
      [asker.session],
    );
    t.same(
      await gateway.call(accounts, 'prelogin', { name: 'ada' }).then(({ salt }) => salt),
      next.salt,
    );
    await t.rejects(login(ada), { code: 'wrong_credentials' });
    t.equal((await login({ ...ada, password: next })).account, ada.keys.account);
    t.match(await gateway.call(accounts, 'account', asker), { codes: 8, record: 1 }, 'codes stay');
  },
);

t.test('A1: nobody changes it with a token alone', async (t) => {
  const ada = await joined('bea');
  const bob = await joined('bob');
  const asker = askerOf(await login(ada));
  const next = newPassword();
  const wrong = { code: 'wrong_credentials' };
  await t.rejects(change(await changeOf(ada, asker, next, newPassword())), wrong);
  const stolen = { ...newPassword(), auth: ada.password.auth };
  await t.rejects(change(await changeOf(ada, asker, next, stolen)), wrong, 'auth was overheard');
  await t.rejects(change(await changeOf(bob, asker, next)), wrong, "somebody else's");
  const first = await changeOf(ada, asker, next);
  const { nonce: fresh } = await changeOf(ada, asker, next);
  await t.rejects(change({ ...first, nonce: fresh }), wrong, 'a proof for another nonce');
  for (const code of [newCode(), bob.codes[0] ?? newCode()]) {
    const request = { ...(await changeOf(ada, asker, next)), authority: shownCode(code) };
    await t.rejects(change(request), { code: 'wrong_code' });
  }
  const kdf = { ...published(next).kdf, passes: 2 };
  const weak = { ...(await changeOf(ada, asker, next)), next: { ...published(next), kdf } };
  await t.rejects(change(weak), { code: 'kdf_too_weak' });
  await login(ada);
});

t.test('A2: a forgotten password is replaced with a code, once, from a device', async (t) => {
  const ada = await joined('cleo');
  const asker = askerOf(await login(ada));
  const [code] = ada.codes;
  if (code === undefined) throw new Error('a code');
  const next = newPassword();
  const request = async (to: Password) => ({
    ...(await changeOf(ada, asker, to)),
    authority: shownCode(code),
  });
  await change(await request(next));
  await login({ ...ada, password: next });
  t.match(await gateway.call(accounts, 'account', asker), { codes: 7 });
  await change(await request(next));
  await t.rejects(change(await request(newPassword())), { code: 'wrong_code' });
});

t.test('A1: whoever is on their way to a device by the old password goes no further', async (t) => {
  const ada = await joined('iris');
  const asker = askerOf(await login(ada));
  const { account, joining: token } = await running.beginJoining(ada);
  const joining = String(decodeJwt(token)['sid']);
  await gateway.call(accounts, 'record', { account, joining });
  await change(await changeOf(ada, asker, newPassword()));
  const call = gateway.call(accounts, 'record', { account, joining });
  await t.rejects(call, { code: 'unauthenticated' });
});

t.test('a change whose answer was lost is repeated, and changes nothing', async (t) => {
  const ada = await joined('dora');
  const asker = askerOf(await login(ada));
  const next = newPassword();
  const request = await changeOf(ada, asker, next);
  await change(request);
  const later = await login({ ...ada, password: next });
  await change(request);
  await change(await changeOf(ada, asker, next));
  t.ok(await refresh(ada.keys, later.refresh), 'nor ends what began since');
});

t.test('A1: a recorded change, replayed after another one, changes nothing', async (t) => {
  const ada = await joined('eve');
  const asker = askerOf(await login(ada));
  const [second, third] = [newPassword(), newPassword()];
  const recorded = await changeOf(ada, asker, second);
  await change(recorded);
  await change(await changeOf(ada, asker, third, second));
  await change(await changeOf(ada, asker, ada.password, third));
  await t.rejects(change(recorded), { code: 'challenge_expired' });
  clock.ahead += limits.nonceSeconds * 1000;
  await t.rejects(change(recorded), { code: 'challenge_expired' });
  await login(ada);
});

t.test('of sixteen changes at once one takes the place of the old password', async (t) => {
  const ada = await joined('flora');
  const asker = askerOf(await login(ada));
  const all = Array.from({ length: 16 }, newPassword);
  const requests = await Promise.all(all.map((next) => changeOf(ada, asker, next)));
  const codes = await Promise.all(requests.map((request) => faultCode(change(request))));
  const won = all.filter((_, i) => codes[i] === 'resolved');
  t.equal(won.length, 1);
  t.equal(codes.filter((code) => code === 'wrong_credentials').length, 15);
  const [password] = won;
  if (password !== undefined) await login({ ...ada, password });
});

t.test('A1: guesses with a token are limited as those without', async (t) => {
  const ada = await joined('gina');
  const asker = askerOf(await login(ada));
  const origin = random(16);
  const guess = async () =>
    change({ ...(await changeOf(ada, asker, newPassword(), newPassword())), origin });
  for (let i = 0; i < limits.signInAttempts; i++) {
    await t.rejects(guess(), { code: 'wrong_credentials' });
  }
  await t.rejects(guess(), { code: 'rate_limited' });
});

t.test('a session that has ended changes nothing', async (t) => {
  const ada = await joined('hedy');
  const asker = askerOf(await login(ada));
  const { account, session } = asker;
  await gateway.call(accounts, 'logout', { account, session });
  const request = await changeOf(ada, asker, newPassword());
  await t.rejects(change(request), { code: 'session_revoked' });
});

t.end();
