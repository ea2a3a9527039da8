/**
 * An attacker who has a copy of all databases of an island and every request that was ever sent to it, and
 * not its master key, nor anybody's device. docs/threat-model.md §2
 */
import { createHmac } from 'node:crypto';
import { tokensOf } from '@island/appliance/verify/device.ts';
import { refusal } from '@island/appliance/verify/storm.ts';
import { needKeys } from '@island/client/account/account-keys.ts';
import { withNonce } from '@island/client/sign-in/nonces.ts';
import { endSession } from '@island/client/sign-in/own-sessions.ts';
import { call } from '@island/client/transport/transport.ts';
import { provePassword } from '@island/protocol/crypto/password.ts';
import { ed25519 } from '@island/protocol/crypto/primitives.ts';
import { aboutLogin, proofUses, proveDevice } from '@island/protocol/crypto/session-proof.ts';
import { deviceId, personName } from '@island/protocol/wire/ids.ts';
import { base64url, fromBase64url } from '@island/protocol/wire/text.ts';
import t from 'tap';
import { bytesIn, changed, rowsOf, stealDatabases } from './attacker/databases.ts';
import { forgedTokens, isKey, tokensToTry } from './attacker/forgery.ts';
import { confirms } from './attacker/guessing.ts';
import { unsealed, withMaster } from './attacker/master.ts';
import { keysIn, loot, opened, wholeKeysIn } from './attacker/plunder.ts';
import { replay, summary } from './attacker/replay.ts';
import { victims, weakPassword } from './attacker/victims.ts';
import { openDoor } from './door.ts';
import { bootIsland } from './island.ts';

t.setTimeout(240_000);

const island = await bootIsland();
t.teardown(() => island[Symbol.asyncDispose]());
const people = await victims(island);
t.teardown(() => people[Symbol.asyncDispose]());
const { alice, bob, recovered } = people;
const { transport } = alice;
/** All that was sent until now; what the attacker sends is not among it. */
const sent = people.sent();
const stolen = await stealDatabases(island.data);
/** The attacker’s own key, for every proof. */
const own = ed25519.generate();

/** From an address that nothing was tried from: no limit of tries answers for the promise. */
async function fromAddress(number: number) {
  const door = await openDoor(island.welcome.address, number);
  t.teardown(() => door[Symbol.asyncDispose]());
  const way = door.through(alice.platform).transport(alice.account);
  t.teardown(() => way[Symbol.asyncDispose]());
  return way;
}

/** Whether it is an access token: one to join with names no device. */
const isOfSession = (token: string | undefined): boolean =>
  token !== undefined &&
  'dev' in JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'));

/** Tables that keep time by themselves: nobody has to ask anything for them to change. */
const unasked = new Set(['accounts.spent_nonces']);
const since = async (before: typeof stolen) =>
  changed(before, await stealDatabases(island.data)).filter((name) => !unasked.has(name));

t.test(
  'A1, A2, A3, A5: every request again, byte for byte, while sessions are alive',
  async (t) => {
    const bearer = (path: string, token: string | undefined) =>
      token !== undefined && path !== '/v1/join' && path !== '/v1/recovery';
    const open = sent.filter(({ path, token }) => !bearer(path, token) && path !== '/v1/refresh');
    const replayed = await replay(transport, open);
    t.comment(`${replayed.length} requests: ${summary(replayed).join(' · ')}`);
    t.same(
      replayed.filter(({ gained }) => gained.length > 0),
      [],
      'none gives a token, leave to join, or a share',
    );
    for (const route of ['register', 'login', 'joining', 'join'])
      t.ok(
        replayed.some(({ what }) => what === `POST /v1/${route}`),
        `${route} is among them`,
      );
    t.same(await since(stolen), [], 'and none changes anything');

    const { access } = await tokensOf(recovered.joining.storage);
    const exchanges = await replay(
      transport,
      sent.filter(({ path }) => path === '/v1/refresh'),
    );
    t.ok(exchanges.length > 3);
    t.ok(exchanges.every(({ code, gained }) => code === 'session_revoked' && gained.length === 0));
    t.same(
      await since(stolen),
      ['accounts.families'],
      'a refresh token that is used again ends its session, and does nothing else',
    );
    t.equal(
      await refusal(() => call(transport, 'account', {}, { token: access })),
      'session_revoked',
    );
  },
);

t.test('A5: every request again, once the sessions that they were of have ended', async (t) => {
  // For the fifteen minutes that an access token lives, whoever has it can ask as its device: A5.
  for (const { session } of [alice, bob]) await endSession({ session });
  for (const { session } of [alice, bob]) await session.call('logout', {});
  const before = await stealDatabases(island.data);
  const again = sent.filter(({ method }) => method !== 'SOCKET');
  const replayed = await replay(transport, again);
  t.comment(`${replayed.length} requests: ${summary(replayed).join(' · ')}`);
  t.same(
    replayed.filter(({ gained }) => gained.length > 0),
    [],
  );
  t.same(await since(before), []);
  const ofSessions = replayed.filter((_, i) => isOfSession(again[i]?.token));
  t.ok(ofSessions.length > 20);
  t.same(
    ofSessions.filter(({ code }) => code !== 'session_revoked'),
    [],
    'nothing is answered to an access token of theirs',
  );
});

t.test('A1, A4: what was shown before is no proof of anything now', async (t) => {
  const over = await fromAddress(2);
  const accounts = rowsOf(stolen, 'accounts', 'people');
  const idOf = (name: string) => String(accounts.find((row) => row['name'] === name)?.['account']);
  for (const name of ['alice', 'bob'] as const) {
    const shown = sent
      .filter(({ path, body }) => path === '/v1/login' && Buffer.from(body).includes(`"${name}"`))
      .map(({ body }) => JSON.parse(Buffer.from(body).toString('utf8')));
    t.ok(shown.length > 0, `${name} signed in`);
    for (const { credentials, deviceProof, second } of shown) {
      const secrets = fromBase64url(credentials.auth);
      const attempt = (proofs: 'recorded' | 'own') =>
        refusal(() =>
          withNonce(over, (nonce) => {
            const at = fromBase64url(island.welcome.caFingerprint);
            const claim = { nonce, island: at, name: personName(name), device: 1, auth: secrets };
            const device = {
              ...{ nonce, account: idOf(name) as never, device: deviceId(1) },
              ...{ use: proofUses.login, about: aboutLogin(secrets) },
            };
            return call(over, 'login', {
              name: personName(name),
              credentials:
                proofs === 'recorded'
                  ? credentials
                  : { auth: credentials.auth, proof: base64url(provePassword(own, claim)) },
              ...(second && { second }),
              device: deviceId(1),
              nonce: base64url(nonce),
              deviceProof:
                proofs === 'recorded' ? deviceProof : base64url(proveDevice(own, device)),
            });
          }),
        );
      for (const proofs of ['recorded', 'own'] as const)
        t.equal(await attempt(proofs), 'wrong_credentials', `${name}, ${proofs}`);
    }
  }
});

t.test('A2, A3: a code that was sent and never used opens nothing by itself', async (t) => {
  const codes = sent.flatMap(({ path, body }) => {
    if (!/^\/v1\/(?:login|joining)$/.test(path)) return [];
    const { second } = JSON.parse(Buffer.from(body).toString('utf8'));
    return second && 'code' in second ? [second.code] : [];
  });
  t.equal(codes.length, 3, 'one at a wrong password, one at sign-in, one to recover');
  const slots = rowsOf(stolen, 'accounts', 'code_slots').map((row) =>
    base64url(bytesIn(row, 'loc')),
  );
  t.equal(codes.filter(({ loc }) => slots.includes(loc)).length, 1, 'the first is still good');
  const before = await stealDatabases(island.data);
  const over = await fromAddress(3);
  for (const code of codes) {
    const outcome = await refusal(() =>
      withNonce(over, (nonce) => {
        const auth = fromBase64url(shownBy('alice'));
        const at = fromBase64url(island.welcome.caFingerprint);
        const claim = { nonce, island: at, name: personName('alice'), device: 0, auth };
        return call(over, 'beginJoining', {
          name: personName('alice'),
          credentials: {
            auth: shownBy('alice'),
            proof: base64url(provePassword(own, claim)),
          },
          second: { code },
          nonce: base64url(nonce),
        });
      }),
    );
    t.equal(outcome, 'wrong_credentials');
  }
  t.same(await since(before), []);
});

/** The newest `auth` that somebody has sent. */
function shownBy(name: string): string {
  const found = sent.findLast(
    ({ path, body }) => path === '/v1/joining' && Buffer.from(body).includes(`"${name}"`),
  );
  return JSON.parse(Buffer.from(found?.body ?? '{}').toString('utf8')).credentials.auth;
}

t.test('A5: tokens that are made from what the databases hold', async (t) => {
  const account = String(
    rowsOf(stolen, 'accounts', 'people').find((row) => row['name'] === 'alice')?.['account'],
  );
  for (const row of rowsOf(stolen, 'accounts', 'signing_keys'))
    t.notOk(isKey(bytesIn(row, 'sealed')), 'the signing key lies there sealed');
  const forged = forgedTokens(stolen, account);
  t.ok(forged.size >= 10, `${forged.size} tokens`);
  for (const [what, token] of forged)
    for (const route of ['account', 'record', 'recovery'] as const) {
      const code = await refusal(() => call(transport, route, {}, { token }));
      if (code !== 'unauthenticated') t.fail(`${route} with ${what}: ${code}`);
    }

  const tried = tokensToTry(stolen, sent);
  t.ok(tried.length > 20, `${tried.length} refresh tokens`);
  const proof = base64url(new Uint8Array(64));
  for (const refresh of tried) {
    const code = await refusal(() =>
      withNonce(transport, (nonce) =>
        call(transport, 'refresh', { refresh, nonce: base64url(nonce), deviceProof: proof }),
      ),
    );
    if (code !== 'unauthenticated') t.fail(`a refresh token: ${code}`);
  }
});

t.test('A3: no archive key, identity key or message without a code or a device', async (t) => {
  // Even somebody who has the master key as well finds what the clients sealed, and no more.
  const open = await unsealed(island.data, stolen);
  const values = [...loot(stolen, sent), ...loot(open, [])];
  const [keys, pairs] = [keysIn(values), wholeKeysIn(values)];
  t.comment(`${keys.length} keys and ${pairs.length} halves of pairs tried`);
  t.same(opened(open, { keys, pairs }), []);

  const { ark, former } = await needKeys(alice.joining.storage);
  const secrets = [ark, ...former, alice.account.aik, alice.account.dsk, alice.account.dik];
  const hex = new Set(values.map((value) => Buffer.from(value).toString('hex')));
  t.same(
    secrets.filter((secret) => hex.has(Buffer.from(secret).toString('hex'))),
    [],
  );
  t.not(opened(open, { keys: [ark], pairs: [] }).length, 0, 'the true key would have opened it');
  t.not(
    opened(open, { keys: [], pairs: [alice.account.dik] }).length,
    0,
    'so would a device of hers',
  );
  const all = Buffer.concat(values);
  const { texts, posts: sealed } = people.server;
  const posts = new Set(sealed.map((post) => Buffer.from(post).toString('hex')));
  const found = values.filter((value) => posts.delete(Buffer.from(value).toString('hex')));
  t.equal(found.length, sealed.length, 'posts are there as their authors sealed them');
  const said = [...texts, 'hello alice', 'nobody else reads this', people.secret, alice.password];
  for (const text of said) t.notOk(all.includes(text), 'nor any text, secret or password');
});

t.test(
  'A1: a password that everybody would guess can’t be guessed from the databases',
  async (t) => {
    const guesses = ['password', weakPassword, '123456'];
    const known = new Map([
      ['nothing', new Uint8Array(32)],
      ['the salt of the codes', bytesIn(rowsOf(stolen, 'accounts', 'people')[0], 'code_salt')],
    ]);
    // A key for sealing has 32 bytes.
    const candidates = new Map([...known].filter(([, key]) => key.length === 32));
    for (const guess of guesses)
      t.same(await confirms(stolen, 'bob', guess, candidates), [], guess);

    const kept = await withMaster(island.data, 'accounts', stolen);
    const secrets = rowsOf(stolen, 'accounts', 'vault_secrets');
    const root = kept.open(
      { table: 'vault_secrets', column: 'sealed', row: Buffer.from('root') },
      bytesIn(
        secrets.find(({ name }) => name === 'root'),
        'sealed',
      ),
    );
    const derive = (purpose: string) =>
      createHmac('sha256', root).update(`island/accounts/${purpose}\0`).digest();
    const peppers = new Map<string, Uint8Array>([
      ['the pepper', derive('pepper')],
      ['the sealing', kept.keyOf('people').export()],
    ]);
    t.same(
      await confirms(stolen, 'bob', weakPassword, peppers),
      ['the verifier, under the pepper', 'the password key, under the sealing'],
      'with the master key it could: that is why it lies elsewhere',
    );
    t.same(await confirms(stolen, 'bob', 'password', peppers), []);
  },
);
