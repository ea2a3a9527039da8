/** Access and refresh tokens (A5), on real SQLite, NATS and Redis. docs/protocol/accounts.md §4 */
import { limits } from '@island/protocol/wire/limits.ts';
import { createLocalJWKSet, jwtVerify } from 'jose';
import t from 'tap';
import { accessToken, accounts } from './contract.ts';
import { type Applicant, random, testAccounts } from './testing/accounts.ts';

const running = await testAccounts();
t.after(() => running[Symbol.asyncDispose]());
const { island, gateway, clock, joined, login } = running;

const refresh = (token: string, attempt?: Uint8Array<ArrayBuffer>) =>
  gateway.call(accounts, 'refresh', { refresh: token, ...(attempt && { attempt }) });

/** What the gateway does with an access token. */
async function claims(access: string) {
  const { keys } = await gateway.call(accounts, 'keys', {});
  const { payload, protectedHeader } = await jwtVerify(access, createLocalJWKSet({ keys }), {
    algorithms: [accessToken.algorithm],
    issuer: accessToken.issuer,
    audience: accessToken.audience,
    currentDate: new Date(clock.now()),
  });
  const { dev, sid } = payload;
  return { ...payload, ...protectedHeader, dev, sid: String(sid) };
}

/** Runs `act` and answers the sessions that ended by it. */
async function endedBy(person: Applicant, act: () => Promise<unknown>): Promise<string[]> {
  const ended: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  using subscription = gateway.subscribe(accounts, 'ended', person.keys.account, (payload) => {
    ended.push(payload.session);
    resolve();
  });
  await subscription.ready;
  await act();
  await promise;
  return ended;
}

const ada = await joined('ada');

t.test(
  'A5: an access token is an RS256 JWT of fifteen minutes that says who, which device, which session',
  async (t) => {
    const { access } = await login(ada);
    const { sub, dev, sid, iat, exp, jti, alg, kid } = await claims(access);
    t.match({ sub, dev, alg }, { sub: ada.keys.account, dev: 1, alg: 'RS256' });
    t.equal(Number(exp) - Number(iat), limits.accessSeconds);
    t.match(sid, /^[0-9a-f]{32}$/);
    t.ok(jti && kid);
    clock.ahead += limits.accessSeconds * 1000;
    await t.rejects(claims(access), { code: 'ERR_JWT_EXPIRED' });
  },
);

t.test('A5: a refresh token is good for one exchange and keeps the session', async (t) => {
  const first = await login(ada);
  const second = await refresh(first.refresh);
  const third = await refresh(second.refresh);
  t.equal(new Set([first.refresh, second.refresh, third.refresh]).size, 3);
  t.equal((await claims(third.access)).sid, (await claims(first.access)).sid);
});

t.test('A5: re-use of an old refresh token revokes the family', async (t) => {
  const first = await login(ada);
  const other = await login(ada);
  const { sid } = await claims(first.access);
  const second = await refresh(first.refresh);
  const ended = await endedBy(ada, () =>
    t.rejects(refresh(first.refresh), { code: 'session_revoked' }),
  );
  t.same(ended, [sid]);
  await t.rejects(refresh(second.refresh), { code: 'session_revoked' }, 'the newest, too');
  await refresh(other.refresh);
});

t.test(
  'A5: 64 parallel uses of one refresh token: at most one new token, and the family is dead',
  async (t) => {
    const { refresh: token } = await login(ada);
    const results = await Promise.allSettled(Array.from({ length: 64 }, () => refresh(token)));
    const won = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    t.ok(won.length <= 1, `${won.length} new tokens`);
    for (const { refresh: next } of won) {
      await t.rejects(refresh(next), { code: 'session_revoked' });
    }
  },
);

t.test(
  'A5: the same exchange repeated after a lost answer gives the same successor, until that is used',
  async (t) => {
    const { refresh: token } = await login(ada);
    const attempt = random(16);
    const all = await Promise.all(Array.from({ length: 8 }, () => refresh(token, attempt)));
    t.equal(new Set(all.map((tokens) => tokens.refresh)).size, 1);
    const [first] = all;
    const next = await refresh(first?.refresh ?? '', random(16));
    await t.rejects(refresh(token, attempt), { code: 'session_revoked' });
    await t.rejects(refresh(next.refresh), { code: 'session_revoked' });
  },
);

t.test('A5: another attempt with a used token revokes the family', async (t) => {
  const { refresh: token } = await login(ada);
  const mine = await refresh(token, random(16));
  await t.rejects(refresh(token, random(16)), { code: 'session_revoked' });
  await t.rejects(refresh(mine.refresh), { code: 'session_revoked' });
});

t.test('A5: a refresh token dies after seven days, and nothing else is one', async (t) => {
  const { refresh: token } = await login(ada);
  for (const bad of ['A'.repeat(43), random(32).join('').slice(0, 43)]) {
    await t.rejects(refresh(bad), { code: /unauthenticated|malformed/ });
  }
  clock.ahead += limits.refreshSeconds * 1000;
  await t.rejects(refresh(token), { code: 'unauthenticated' });
});

t.test('A5: signing out ends the session, and only that person can', async (t) => {
  const bob = await joined('bob');
  const tokens = await login(bob);
  const session = (await claims(tokens.access)).sid;
  await gateway.call(accounts, 'logout', { account: ada.keys.account, session });
  const next = await refresh(tokens.refresh);
  const ended = await endedBy(bob, () =>
    gateway.call(accounts, 'logout', { account: bob.keys.account, session }),
  );
  t.same(ended, [session]);
  await t.rejects(refresh(next.refresh), { code: 'session_revoked' });
});

t.test('the log holds no token and no session', async (t) => {
  t.notMatch(island.log.lines.join('\n'), /[0-9a-f]{32}|eyJ|[\w-]{43}/);
});

t.end();
