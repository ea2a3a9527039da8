/** Sign-in with the organisation, against a real provider and a browser. docs/protocol/accounts.md §9 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { limits } from '@island/protocol/wire/limits.ts';
import t from 'tap';
import { unixSeconds } from '../../kit/clock.ts';
import { openStore } from '../../kit/store.ts';
import { faultCode } from '../../kit/testing/outcome.ts';
import { testLog } from '../../kit/testing/pki.ts';
import { testSealing } from '../../kit/testing/vault.ts';
import * as schema from '../schema.ts';
import { browse, testProvider } from '../testing/oidc-provider.ts';
import { forgetFlows, spendGrant, subjectOf } from './grants.ts';
import { callbackOf, createOidc } from './oidc.ts';
import { openOrganisation, type Provider } from './organisation.ts';
import { setProvider } from './provider.ts';

const address = 'https://island.example:8443';
const callback = callbackOf(address).href;
const dir = await mkdtemp(join(tmpdir(), 'pi-oidc-'));
const log = testLog();
const file = join(dir, 'accounts.sqlite');
const migrations = join(import.meta.dirname, '../migrations');
const store = await openStore({ file, schema, migrations, log });
const organisation = await testProvider(callback);
const other = await testProvider(callback);
t.teardown(async () => {
  await organisation[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
  await store[Symbol.asyncDispose]();
  await rm(dir, { recursive: true });
});

const clock = { ahead: 0, now: () => Date.now() + clock.ahead };
const now = () => unixSeconds(clock);
const sealing = testSealing();
let passed = 0;
const asked = openOrganisation(log, () => performance.now() + passed);
const oidc = createOidc({
  store,
  clock,
  sealing,
  subjects: randomBytes(32),
  organisation: asked,
  address,
});

const provider: Provider = {
  title: 'Example University',
  issuer: organisation.issuer,
  client: organisation.client,
  secret: organisation.secret,
};
const configure = (change: Partial<Provider> | null) =>
  store.write((db) => setProvider(db, sealing, change && { ...provider, ...change }));

/** Begins, signs in at the provider as `login`, and comes back. */
async function through(login: string | null) {
  const { url, flow } = await oidc.begin();
  const query = await browse(url, callback, login);
  return { flow, query, answer: await oidc.returned(query) };
}

async function granted(login: string) {
  const { flow, answer } = await through(login);
  if (!answer.admitted) throw new Error('not admitted');
  const { grant, name } = await oidc.poll(flow, answer.digits);
  if (grant === undefined) throw new Error('no grant');
  return { grant, name };
}

const spend = (grant: Uint8Array) => store.write((db) => spendGrant(db, grant, now()));
const changed = (query: string, change: Record<string, string>) =>
  new URLSearchParams({ ...Object.fromEntries(new URLSearchParams(query)), ...change }).toString();

t.test('I4: without a provider that an operator named, nobody is asked', async (t) => {
  t.equal(await faultCode(oidc.begin()), 'oidc_unavailable');
  t.same([organisation.asked, other.asked], [[], []]);
});

t.test('who signs in at the provider gets a grant, for the digits in the browser', async (t) => {
  await configure({});
  organisation.claims.set('u-1', { preferred_username: 'Ada' });
  const { url, flow } = await oidc.begin();
  const query = new URL(url).searchParams;
  t.match(Object.fromEntries(query), {
    client_id: provider.client,
    redirect_uri: callback,
    scope: 'openid profile',
    code_challenge_method: 'S256',
  });
  t.equal(await faultCode(oidc.poll(flow)), 'oidc_waiting');
  t.equal(await faultCode(oidc.poll(flow, '123456')), 'oidc_waiting', 'no try is lost');
  const returned = await browse(url, callback, 'u-1');
  const answer = await oidc.returned(returned);
  if (!answer.admitted) throw new Error('not admitted');
  t.match(answer.digits, /^\d{6}$/);
  t.same(await oidc.poll(flow), {}, 'the browser is back');
  const first = await oidc.poll(flow, answer.digits);
  t.equal(first.grant?.length, 32);
  t.equal(first.name, 'ada');
  t.same(await oidc.poll(flow, answer.digits), first, 'a lost answer is asked for again');
});

t.test('one person of the organisation is one subject, in every flow', async (t) => {
  const [a, b, c] = [await granted('u-1'), await granted('u-1'), await granted('u-2')];
  const [one, again, another] = [await spend(a.grant), await spend(b.grant), await spend(c.grant)];
  t.ok(one.equals(again));
  t.notOk(one.equals(another));
  t.equal(c.name, undefined, 'a name is suggested only when there is one');
});

t.test('a name that is none here is not suggested', async (t) => {
  organisation.claims.set('u-3', { preferred_username: 'Ada Lovelace <ada@example.org>' });
  t.equal((await granted('u-3')).name, undefined);
});

t.test('pitfall: a grant used twice, and 64 times at once, is good once', async (t) => {
  const { grant } = await granted('u-1');
  t.ok(await subjectOf(store.read, grant, now()), 'looking takes nothing');
  const outcomes = await Promise.all(Array.from({ length: 64 }, () => faultCode(spend(grant))));
  t.equal(outcomes.filter((code) => code === 'resolved').length, 1);
  t.equal(outcomes.filter((code) => code === 'wrong_credentials').length, 63);
  t.equal(await subjectOf(store.read, grant, now()), undefined);
});

t.test('a grant that nobody gave is worth nothing, nor one before its time or after', async (t) => {
  t.equal(await faultCode(spend(randomBytes(32))), 'wrong_credentials');
  const { grant } = await granted('u-1');
  clock.ahead += limits.oidcSeconds * 1000;
  t.equal(await faultCode(spend(grant)), 'wrong_credentials');
  const { flow } = await oidc.begin();
  clock.ahead += limits.oidcSeconds * 1000;
  t.equal(await faultCode(oidc.poll(flow)), 'oidc_refused', 'it took too long');
  await store.write((db) => forgetFlows(db, now() + 1));
  t.same(await store.read.select().from(schema.oidcFlows), []);
});

t.test(
  'pitfall: a sign-in that somebody was lured through gives the grant to nobody',
  async (t) => {
    const { flow, answer } = await through('u-1');
    if (!answer.admitted) throw new Error('not admitted');
    const wrong = answer.digits === '000000' ? '111111' : '000000';
    for (let tries = 1; tries < limits.oidcTries; tries++) {
      t.equal(await faultCode(oidc.poll(flow, wrong)), 'wrong_digits');
    }
    t.equal(await faultCode(oidc.poll(flow, wrong)), 'oidc_refused');
    t.equal(await faultCode(oidc.poll(flow, answer.digits)), 'oidc_refused', 'the right ones too');
  },
);

t.test('pitfall: digits guessed 64 at once are tried five times', async (t) => {
  const { flow, answer } = await through('u-1');
  if (!answer.admitted) throw new Error('not admitted');
  const wrong = answer.digits === '000000' ? '111111' : '000000';
  const outcomes = await Promise.all(
    Array.from({ length: 64 }, () => faultCode(oidc.poll(flow, wrong))),
  );
  t.equal(outcomes.filter((code) => code === 'wrong_digits').length, limits.oidcTries - 1);
  t.equal(outcomes.filter((code) => code === 'oidc_refused').length, 65 - limits.oidcTries);
});

t.test('pitfall: a code replayed, a page loaded again: nothing is exchanged twice', async (t) => {
  const { flow, query, answer } = await through('u-1');
  const before = organisation.asked.length;
  t.same(await oidc.returned(query), answer);
  t.equal(organisation.asked.length, before);
  const { url, flow: second } = await oidc.begin();
  const state = new URL(url).searchParams.get('state') ?? '';
  t.same(await oidc.returned(changed(query, { state })), { admitted: false }, 'a spent code');
  t.equal(await faultCode(oidc.poll(second)), 'oidc_refused');
  t.same(await oidc.poll(flow), {}, 'the first one stands');
});

t.test('pitfall: 64 browsers with one answer: one exchange', async (t) => {
  const { url } = await oidc.begin();
  const query = await browse(url, callback, 'u-1');
  const before = organisation.asked.filter((path) => path === '/token').length;
  const answers = await Promise.all(Array.from({ length: 64 }, () => oidc.returned(query)));
  t.ok(answers.some(({ admitted }) => admitted));
  t.equal(organisation.asked.filter((path) => path === '/token').length, before + 1);
});

t.test('pitfall: the state of another flow does not fit the code', async (t) => {
  const mine = await oidc.begin();
  const theirs = await oidc.begin();
  const query = await browse(theirs.url, callback, 'u-2');
  const state = new URL(mine.url).searchParams.get('state') ?? '';
  t.same(await oidc.returned(changed(query, { state })), { admitted: false });
  t.equal(await faultCode(oidc.poll(mine.flow)), 'oidc_refused');
});

t.test('a return without a state, with an unknown one or with two is nobody', async (t) => {
  const { url, flow } = await oidc.begin();
  const state = new URL(url).searchParams.get('state');
  for (const query of ['', 'code=a', 'code=a&state=b', `code=a&state=${state}&state=b`, '%%%']) {
    t.same(await oidc.returned(query), { admitted: false }, query);
  }
  t.equal(await faultCode(oidc.poll(flow)), 'oidc_waiting');
});

t.test('pitfall: issuer mix-up: an answer that names another issuer is refused', async (t) => {
  const { url } = await oidc.begin();
  const query = await browse(url, callback, 'u-1');
  t.equal(new URLSearchParams(query).get('iss'), organisation.issuer);
  t.same(await oidc.returned(changed(query, { iss: other.issuer })), { admitted: false });
  const again = new URLSearchParams(await browse((await oidc.begin()).url, callback, 'u-1'));
  again.delete('iss');
  t.same(await oidc.returned(again.toString()), { admitted: false }, 'nor one that hides it');
});

t.test('pitfall: ID tokens that are wrong in one thing', async (t) => {
  const forgeries: Record<string, typeof organisation.forge> = {
    'another nonce': (claims) => ({ ...claims, nonce: 'x' }),
    'no nonce': ({ nonce: _, ...claims }) => claims,
    'another issuer': (claims) => ({ ...claims, iss: other.issuer }),
    'for another client': (claims) => ({ ...claims, aud: 'somebody' }),
    'for two, by another': (claims) => ({ ...claims, aud: [provider.client, 'b'], azp: 'b' }),
    expired: (claims) => ({ ...claims, exp: Math.floor(Date.now() / 1000) - 3600 }),
    'without a subject': ({ sub: _, ...claims }) => claims,
    'signed by nobody': false,
  };
  for (const [what, forge] of Object.entries(forgeries)) {
    organisation.forge = forge;
    const { flow, answer } = await through('u-1');
    t.same(answer, { admitted: false }, what);
    t.equal(await faultCode(oidc.poll(flow)), 'oidc_refused', what);
  }
  organisation.forge = (claims) => claims;
  t.ok((await through('u-1')).answer.admitted, 'unchanged it is good');
  organisation.forge = undefined;
});

t.test('who gives up at the provider is not let in', async (t) => {
  const { flow, query, answer } = await through(null);
  t.equal(new URLSearchParams(query).get('error'), 'access_denied');
  t.same(answer, { admitted: false });
  t.equal(await faultCode(oidc.poll(flow)), 'oidc_refused');
});

t.test('a claim that must be there decides', async (t) => {
  organisation.claims.set('u-4', { groups: ['staff', 'rowing'] });
  organisation.claims.set('u-5', { groups: ['staffing'] });
  organisation.claims.set('u-6', { groups: 'staff' });
  organisation.claims.set('u-7', { email: 'x@example.org', email_verified: true });
  await configure({ require: { claim: 'groups', value: 'staff' } });
  t.ok((await through('u-4')).answer.admitted, 'one of a list');
  t.notOk((await through('u-5')).answer.admitted, 'another');
  t.ok((await through('u-6')).answer.admitted, 'the value itself');
  t.notOk((await through('u-1')).answer.admitted, 'missing');
  await configure({ require: { claim: 'email_verified', value: 'true' } });
  t.ok((await through('u-7')).answer.admitted, 'its scope is asked for');
  await configure({ require: { claim: 'constructor', value: 'x' } });
  t.notOk((await through('u-4')).answer.admitted);
});

t.test('a provider that is down is told from one that says no', async (t) => {
  await configure({});
  const { url, flow } = await oidc.begin();
  const query = await browse(url, callback, 'u-1');
  organisation.failing = 503;
  t.equal(await faultCode(oidc.returned(query)), 'oidc_unavailable');
  t.equal(await faultCode(oidc.poll(flow)), 'oidc_waiting', 'nobody has said no');
  organisation.failing = undefined;
  t.ok((await oidc.returned(query)).admitted, 'the page loaded again');

  organisation.failing = 500;
  passed += 2 * 3_600_000;
  t.equal(await faultCode(oidc.begin()), 'oidc_unavailable');
  const before = organisation.asked.length;
  t.equal(await faultCode(oidc.begin()), 'oidc_unavailable');
  t.equal(organisation.asked.length, before, 'it is not asked again at once');
  passed += 10_000;
  organisation.failing = undefined;
  t.ok((await oidc.begin()).url);
});

t.test('a change of the provider ends what was under way with the one before', async (t) => {
  await configure({});
  const { grant } = await granted('u-1');
  const { flow } = await oidc.begin();
  await configure({ issuer: other.issuer });
  t.equal(await faultCode(spend(grant)), 'wrong_credentials');
  t.equal(await faultCode(oidc.poll(flow)), 'oidc_refused');
  await configure(null);
  t.equal(await faultCode(oidc.begin()), 'oidc_unavailable');
});

t.test('neither database nor log holds secrets, grants, or who it was', async (t) => {
  await configure({});
  const { url } = await oidc.begin();
  const { grant } = await granted('u-secretive');
  const state = new URL(url).searchParams.get('state') ?? 'none';
  const stored = Buffer.concat(
    await Promise.all([file, `${file}-wal`].map((name) => readFile(name))),
  );
  t.ok(stored.includes('oidc_flows'));
  const logged = log.lines.join('\n');
  const secrets = [provider.secret, 'u-secretive', organisation.issuer, state];
  for (const secret of secrets) {
    t.notOk(stored.includes(secret), secret);
    t.notOk(logged.includes(secret), secret);
  }
  t.notOk(stored.includes(Buffer.from(grant)));
  t.notOk(stored.includes(Buffer.from(grant).toString('base64url')));
});

t.end();
