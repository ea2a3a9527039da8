/** Who may join, as operators decide it, over their socket. docs/operations.md §8 */
import { request } from 'node:http';
import { join } from 'node:path';
import { registrationModes, roles } from '@island/protocol/wire/account-routes.ts';
import t from 'tap';
import { accounts } from '../accounts/contract.ts';
import { testDoor } from './testing/door.ts';

const running = await testDoor((dir) => join(dir, 'control.sock'));
const { island, provider, callback, applicant } = running;
t.teardown(() => running[Symbol.asyncDispose]());
const socketPath = join(island.pki.dir, 'control.sock');
const { bus } = await island.kit('control');

function ask(method: 'GET' | 'POST', path: string, body?: object) {
  const { promise, resolve, reject } = Promise.withResolvers<{
    status: number | undefined;
    body: Record<string, unknown>;
  }>();
  const asked = request({ socketPath, method, path }, async (response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk);
    resolve({ status: response.statusCode, body: JSON.parse(Buffer.concat(chunks).toString()) });
  });
  asked.once('error', reject);
  asked.end(body === undefined ? undefined : JSON.stringify(body));
  return promise;
}

t.test('invites: made in a role, listed by a hint, withdrawn by it', async (t) => {
  for (const role of roles) {
    const made = await ask('POST', '/invites', { uses: 2, seconds: 3600, role });
    t.match(made, { status: 200, body: { invite: /^[\w-]{22}$/ } });
  }
  const { invites } = (await ask('GET', '/invites')).body as {
    invites: { hint: string; role: string }[];
  };
  for (const invite of invites) t.match(invite, { hint: /^[0-9a-f]{8}$/, uses: 2, used: 0 });
  t.same(new Set(invites.map(({ role }) => role)), new Set(roles));
  t.notMatch(JSON.stringify(invites), /[\w-]{22}/, 'codes are shown once');
  const [first] = invites;
  t.same(await ask('POST', '/invites/withdraw', { hint: first?.hint }), { status: 200, body: {} });
  const again = await ask('POST', '/invites/withdraw', { hint: first?.hint });
  t.match(again, { status: 404, body: { code: 'not_found' } });
  t.equal(((await ask('GET', '/invites')).body['invites'] as unknown[]).length, 2);
});

t.test('registration: every mode, as the discovery document will say it', async (t) => {
  t.same((await ask('GET', '/registration')).body, { registration: 'invite' });
  for (const registration of registrationModes) {
    t.same(await ask('POST', '/registration', { registration }), { status: 200, body: {} });
    t.same((await ask('GET', '/registration')).body, { registration });
    t.same(await bus.call(accounts, 'policy', {}), { registration });
  }
});

t.test('applicants: listed, let in, refused', async (t) => {
  await applicant('ada');
  await applicant('bob');
  const waiting = async () => (await ask('GET', '/applicants')).body['applicants'];
  t.same(await waiting(), [
    { name: 'ada', since: 1_800_000_000 },
    { name: 'bob', since: 1_800_000_000 },
  ]);
  t.equal((await ask('POST', '/applicants', { name: 'ada', admit: true })).status, 200);
  t.equal((await ask('POST', '/applicants', { name: 'bob', admit: false })).status, 200);
  t.same(await waiting(), []);
  const nobody = await ask('POST', '/applicants', { name: 'carol', admit: true });
  t.match(nobody, { status: 404, body: { code: 'not_found' } });
});

t.test('oidc: set, shown without its secret, and ended', async (t) => {
  t.same((await ask('GET', '/oidc')).body, { callback, provider: null });
  const { issuer, client, secret } = provider;
  const shown = { title: 'Example', issuer, client, require: { claim: 'groups', value: 'staff' } };
  const set = (change: object) =>
    ask('POST', '/oidc', { provider: { ...shown, secret, ...change } });
  t.same(await set({}), { status: 200, body: {} });
  t.same((await ask('GET', '/oidc')).body, { callback, provider: shown });
  t.same((await ask('GET', '/registration')).body, { registration: 'open', oidc: 'Example' });

  const refused = await set({ issuer: 'http://127.0.0.1:1', title: 'Other' });
  t.match(refused, { status: 503, body: { code: 'oidc_unavailable' } });
  t.same((await ask('GET', '/oidc')).body['provider'], shown, 'nothing was changed');
  t.match(await set({ issuer: 'http://example.org' }), { body: { code: 'malformed' } });
  t.same(await ask('POST', '/oidc', { provider: null }), { status: 200, body: {} });
  t.same((await ask('GET', '/registration')).body, { registration: 'open' });
  t.notMatch(island.log.lines.join('\n'), secret);
});

t.test('whatever is not exactly in the form is refused', async (t) => {
  const { issuer, client, secret } = provider;
  const whole = { title: 'Example', issuer, client, secret };
  const cases: [string, object][] = [
    ['/invites', { uses: 1, seconds: 60, role: 'owner' }],
    ['/invites/withdraw', {}],
    ['/invites/withdraw', { hint: 'ABCDEF01' }],
    ['/invites/withdraw', { hint: '0123456' }],
    ['/registration', {}],
    ['/registration', { registration: 'anybody' }],
    ['/registration', { registration: 'open', more: 1 }],
    ['/applicants', { name: 'ada' }],
    ['/applicants', { name: 'ada', admit: 1 }],
    ['/oidc', {}],
    ['/oidc', { provider: { ...whole, title: '' } }],
    ['/oidc', { provider: { ...whole, issuer: 'example' } }],
    ['/oidc', { provider: { ...whole, secret: '' } }],
    ['/oidc', { provider: { ...whole, require: { claim: 'groups' } } }],
    ['/oidc', { provider: { ...whole, more: 1 } }],
  ];
  for (const [path, body] of cases) {
    const answer = await ask('POST', path, body);
    t.match(
      answer,
      { status: 400, body: { code: 'malformed' } },
      `${path} ${JSON.stringify(body)}`,
    );
  }
  t.match(await ask('POST', '/applicants', { name: 'Ada', admit: true }), {
    body: { code: 'name_invalid' },
  });
  t.match(await ask('GET', '/applicants?name=ada'), { status: 400 });
});

t.end();
