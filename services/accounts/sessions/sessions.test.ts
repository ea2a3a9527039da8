/** Access and refresh tokens (A5), on real SQLite, NATS and Redis. docs/protocol/accounts.md §4 */
import { aboutRefresh, proofUses, proveDevice } from '@island/protocol/crypto/session-proof.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { fromBase64url } from '@island/protocol/wire/text.ts';
import { createLocalJWKSet, jwtVerify } from 'jose';
import t from 'tap';
import { accessToken, accounts } from '../contract.ts';
import { testAccounts } from '../testing/accounts.ts';
import { type Applicant, random, refreshRequest } from '../testing/applicant.ts';

const running = await testAccounts();
t.after(() => running[Symbol.asyncDispose]());
const { island, gateway, clock, joined, login, nonce } = running;

const refreshOf =
  ({ keys }: Applicant) =>
  (token: string, attempt?: Uint8Array) =>
    running.refresh(keys, token, { attempt });

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
const refresh = refreshOf(ada);

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
  await t.rejects(refresh('A'.repeat(43)), { code: 'unauthenticated' });
  await t.rejects(refresh('A'.repeat(22)), { code: 'malformed' });
  clock.ahead += limits.refreshSeconds * 1000;
  await t.rejects(refresh(token), { code: 'unauthenticated' });
});

t.test('A5: whoever has the token and not the key of the device gets nothing by it', async (t) => {
  const mallory = await joined('mallory');
  const { refresh: token } = await login(ada);
  const { account, device, dsk } = ada.keys;
  const at = await nonce();
  const claim = { nonce: at, account, device, use: proofUses.refresh };
  const about = aboutRefresh(fromBase64url(token));
  const request = refreshRequest(ada.keys, token, { nonce: at });
  const sign = (pair: typeof dsk, change: object) =>
    new Uint8Array(proveDevice(pair, { ...claim, about, ...change }));
  for (const [what, deviceProof] of Object.entries({
    'of another device': sign(mallory.keys.dsk, {}),
    'for a sign-in': sign(dsk, { use: proofUses.login }),
    'for another token': sign(dsk, { about: aboutRefresh(random(32)) }),
    'for another attempt': sign(dsk, { about: aboutRefresh(fromBase64url(token), random(16)) }),
    'for another nonce': sign(dsk, { nonce: await nonce() }),
  })) {
    const call = gateway.call(accounts, 'refresh', { ...request, deviceProof });
    await t.rejects(call, { code: 'bad_proof' }, what);
  }
  const stolen = gateway.call(accounts, 'refresh', { ...request, attempt: random(16) });
  await t.rejects(stolen, { code: 'bad_proof' }, 'an attempt that was not signed');
  await gateway.call(accounts, 'refresh', request);
});

t.test('A5: a used token ends the family also without a proof', async (t) => {
  const mallory = await joined('trudy');
  const { refresh: token } = await login(ada);
  const next = await refresh(token);
  const theirs = refreshRequest({ ...ada.keys, dsk: mallory.keys.dsk }, token, {
    nonce: await nonce(),
  });
  await t.rejects(gateway.call(accounts, 'refresh', theirs), { code: 'session_revoked' });
  await t.rejects(refresh(next.refresh), { code: 'session_revoked' });
});

t.test('A5: a nonce is good for one exchange, and for a short time', async (t) => {
  const one = await login(ada);
  const other = await login(ada);
  const at = await nonce();
  const call = (token: string) =>
    gateway.call(accounts, 'refresh', refreshRequest(ada.keys, token, { nonce: at }));
  await call(one.refresh);
  await t.rejects(call(other.refresh), { code: 'challenge_expired' });
  const late = refreshRequest(ada.keys, other.refresh, { nonce: await nonce() });
  clock.ahead += limits.nonceSeconds * 1000;
  await t.rejects(gateway.call(accounts, 'refresh', late), { code: 'challenge_expired' });
  await refresh(other.refresh);
});

t.test(
  'A5: 64 parallel refreshes, the same to the last byte: at most one new token, and the family is dead',
  async (t) => {
    for (const attempt of [undefined, random(16)]) {
      const { refresh: token } = await login(ada);
      const request = refreshRequest(ada.keys, token, { nonce: await nonce(), attempt });
      const calls = Array.from({ length: 64 }, () => gateway.call(accounts, 'refresh', request));
      const results = await Promise.allSettled(calls);
      const won = results.flatMap((result) =>
        result.status === 'fulfilled' ? [result.value.refresh] : [],
      );
      t.ok(new Set(won).size <= 1, `${won.length} new tokens`);
      for (const next of won) await t.rejects(refresh(next), { code: 'session_revoked' });
      await t.rejects(refresh(token), { code: 'session_revoked' });
    }
  },
);

t.test('A5: a recorded refresh, replayed byte for byte, gives nothing', async (t) => {
  const { refresh: token } = await login(ada);
  const recorded = refreshRequest(ada.keys, token, { nonce: await nonce(), attempt: random(16) });
  const replay = () => gateway.call(accounts, 'refresh', recorded);
  await replay();
  clock.ahead += limits.nonceSeconds * 1000;
  await t.rejects(replay(), { code: 'challenge_expired' }, 'later');
  const fresh = await login(ada);
  const again = refreshRequest(ada.keys, fresh.refresh, { nonce: await nonce() });
  const next = await gateway.call(accounts, 'refresh', again);
  await t.rejects(gateway.call(accounts, 'refresh', again), { code: 'session_revoked' }, 'at once');
  await t.rejects(refresh(next.refresh), { code: 'session_revoked' }, 'and it is noticed');
});

t.test('A5: signing out ends the session, and only that person can', async (t) => {
  const bob = await joined('bob');
  const tokens = await login(bob);
  const session = (await claims(tokens.access)).sid;
  await gateway.call(accounts, 'logout', { account: ada.keys.account, session });
  const next = await refreshOf(bob)(tokens.refresh);
  const ended = await endedBy(bob, () =>
    gateway.call(accounts, 'logout', { account: bob.keys.account, session }),
  );
  t.same(ended, [session]);
  await t.rejects(refreshOf(bob)(next.refresh), { code: 'session_revoked' });
});

t.test('the log holds no token and no session', async (t) => {
  t.notMatch(island.log.lines.join('\n'), /[0-9a-f]{32}|eyJ|[\w-]{43}/);
});

t.end();
