/** Six digits beside the password, other passwords, other sessions: from a device, against real services. */
import { Secret, TOTP } from 'otpauth';
import t from 'tap';
import { readAccount } from '../account/account.ts';
import { needKeys } from '../account/account-keys.ts';
import { codesLeft } from '../account/own-codes.ts';
import { recover } from '../joining/recovery.ts';
import { credentials, home, opened, registered } from '../testing/member-home.ts';
import { type RealIsland, realIsland } from '../testing/real-island.ts';
import { endSession, ownSessions } from './own-sessions.ts';
import { changePassword } from './password-change.ts';
import { signIn } from './sign-in.ts';
import { beginTwoFactor, confirmTwoFactor, endTwoFactor } from './two-factor.ts';

t.setTimeout(120_000);

/** The digits of an authenticator; each time those of the next half minute. */
function authenticator(island: RealIsland, uri: string): () => { totp: string } {
  const secret = new URL(uri).searchParams.get('secret') ?? '';
  const totp = new TOTP({ secret: Secret.fromBase32(secret), digits: 6, period: 30 });
  return () => {
    island.clock.ahead += 30_000;
    return { totp: totp.generate({ timestamp: island.clock.now() }) };
  };
}

t.test('A2: six-digit sign-in is begun, confirmed, asked for, and ended', async (t) => {
  await using island = await realIsland();
  const one = await registered(island, 'alice');
  const about = { island: 'Test Island', name: 'alice' };
  const { uri, secret } = await beginTwoFactor(one.keeping, about);
  t.match(uri, /^otpauth:\/\/totp\/Test%20Island:alice\?secret=[A-Z2-7]+&issuer=Test%20Island&/);
  t.ok(uri.includes(secret));
  const digits = authenticator(island, uri);
  await signIn(one.joining, credentials);
  t.pass('not in force before it is confirmed');
  const again = await opened(island, one);
  await t.rejects(confirmTwoFactor(again.keeping, '000000'), { code: 'wrong_totp' });
  await confirmTwoFactor(again.keeping, digits().totp);
  await t.rejects(beginTwoFactor(again.keeping, about), { code: 'totp_active' });
  await t.rejects(signIn(one.joining, credentials), { code: 'second_factor_needed' });
  const second = digits();
  await signIn(one.joining, { ...credentials, second });
  await t.rejects(signIn(one.joining, { ...credentials, second }), { code: 'totp_used' });

  await t.test('a code stands in for the digits of somebody who joins', async (t) => {
    const to = island.recoverLink('alice');
    const { codesLeft } = await recover(home(island).joining, to, {
      credentials,
      code: one.codes[0] ?? '',
    });
    t.equal(codesLeft, 7);
  });

  const last = await opened(island, one);
  await endTwoFactor(last.keeping, last.platform, { code: one.codes[1] ?? '' });
  t.equal(await codesLeft(last.keeping), 6);
  t.equal((await needKeys(last.storage)).arkEpoch, 3, 'each code took its archive key along');
  await signIn(one.joining, credentials);
});

t.test('A1: another password, by the old one; the other sessions end, all keys stay', async (t) => {
  await using island = await realIsland();
  const one = await registered(island, 'alice');
  const fresh = home(island);
  const code = one.codes[0] ?? '';
  await recover(fresh.joining, island.recoverLink('alice'), { credentials, code });
  const two = await opened(island, fresh);
  const next = 'battery staple';
  const change = { authority: credentials as { password: string }, next };
  const wrong = { authority: { password: 'wrong' }, next };
  const run = (what: typeof change) =>
    changePassword(one.joining, one.keeping, one.transport, what);
  await t.rejects(run(wrong), { code: 'wrong_credentials' });
  let lost = 0;
  island.line.answer = ({ path }, answer) =>
    path === '/v1/password' && lost++ === 0 ? 'cut' : answer;
  await run(change);
  t.equal(lost, 2, 'an answer was lost, and the same change made again');
  await t.rejects(two.session.call('account', {}), { code: 'signed_out' });
  await one.session.call('account', {});
  await t.rejects(signIn(two.joining, credentials), { code: 'salt_changed' });
  await signIn(two.joining, { password: next, passwordChanged: true });
  await signIn(one.joining, { password: next });
  t.notOk(JSON.stringify(island.requests).includes(next));

  await t.test('by a backup code, which is used up', async (t) => {
    const again = await opened(island, one);
    const authority = { code: one.codes[1] ?? '' };
    await changePassword(one.joining, again.keeping, again.transport, { authority, next: 'third' });
    t.equal(await codesLeft(again.keeping), 6);
    await signIn(one.joining, { password: 'third' });
    const other = await opened(island, one);
    await t.rejects(
      changePassword(one.joining, other.keeping, other.transport, { authority, next: 'fourth' }),
      { code: 'wrong_code' },
    );
  });
  t.ok((await readAccount(one.storage))?.password);
});

t.test('A5: sessions are listed and ended', async (t) => {
  await using island = await realIsland();
  const one = await registered(island, 'alice');
  await signIn(one.joining, credentials);
  await signIn(one.joining, credentials);
  const here = await opened(island, one);
  const sessions = await ownSessions(here);
  t.equal(sessions.length, 3);
  t.equal(sessions.filter(({ current }) => current).length, 1);
  const other = sessions.find(({ current }) => !current);
  t.equal(await endSession(here, other?.session), 1);
  t.equal(await endSession(here), 1, 'all but this one');
  t.equal((await ownSessions(here)).length, 1);
});
