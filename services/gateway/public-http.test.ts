/** The whole client API over mTLS, with the real accounts, directory and delivery behind it. */
import { randomBytes } from 'node:crypto';
import { limits } from '@island/protocol/wire/limits.ts';
import { routes, sendPath } from '@island/protocol/wire/routes.ts';
import { decode } from '@island/protocol/wire/schema.ts';
import { encodeSend } from '@island/protocol/wire/send.ts';
import { base64url, fromBase64url } from '@island/protocol/wire/text.ts';
import { freePorts } from '@island/provisioning/ports.ts';
import t from 'tap';
import { type Applicant, applicant, testAccounts } from '../accounts/testing/accounts.ts';
import { deliveryService } from '../delivery/service.ts';
import { envelope } from '../delivery/testing/lists.ts';
import { asText } from '../kit/http.ts';
import { eventually } from '../kit/testing/outcome.ts';
import { gatewayService } from './service.ts';
import { type Ask, testEdge } from './testing/edge.ts';

const test = await testAccounts();
t.teardown(() => test[Symbol.asyncDispose]());
const { island } = test;
t.teardown(
  await test.start(deliveryService).then((service) => () => service[Symbol.asyncDispose]()),
);
const [gatewayPort = 0] = await freePorts(1);
const kit = await island.kit('gateway');
const service = await gatewayService.start({ ...kit, settings: { ...kit.settings, gatewayPort } });
t.teardown(() => service[Symbol.asyncDispose]());
const identity = await island.pki.identity('edge');
t.teardown(() => identity[Symbol.asyncDispose]());
const edge = testEdge(identity, gatewayPort);

let address = 1;
const get = (path: string, access?: string) =>
  edge.ask(path, {
    address: `192.0.2.${address}`,
    ...(access === undefined ? {} : { headers: { Authorization: `Bearer ${access}` } }),
  });
const post = (path: string, body: object, access?: string) =>
  edge.ask(path, {
    method: 'POST',
    body: JSON.stringify(body),
    address: `192.0.2.${address}`,
    ...(access === undefined ? {} : { headers: { Authorization: `Bearer ${access}` } }),
  });

async function registration(person: Applicant): Promise<object> {
  const challenge = (await get('/v1/challenge')).json()['challenge'];
  const request = await test.application(person, await test.invite());
  const proved = person.enrol(fromBase64url(`${challenge}`));
  return asText({ ...request, challenge: proved.challenge, proof: proved.proof });
}

async function joined(name: string) {
  const person = applicant(name);
  const reply = await post('/v1/register', await registration(person));
  if (reply.status !== 200) throw new Error(reply.body);
  const { access, refresh } = decode(routes.register.answer, reply.json());
  return { person, access, refresh, account: person.keys.account };
}

t.test(
  'the discovery document says what a client needs to know, and its schema is the published one',
  async (t) => {
    const reply = await get('/.well-known/island');
    t.equal(reply.status, 200);
    const document = decode(routes.discovery.answer, reply.json());
    t.match(document, { name: 'Test Island', versions: [1], registration: 'invite' });
    t.equal(base64url(document.caFingerprint), island.settings.caFingerprint);
    t.strictSame(document.limits, { ...limits });
    t.strictSame(document.kdf, { memory: 65_536, passes: 3, lanes: 1 });
    t.equal(reply.headers['server'], undefined);
  },
);

t.test('a person registers, signs in, refreshes, is found, and signs out', async (t) => {
  const { person, refresh, account } = await joined('maja');
  const prelogin = await post('/v1/prelogin', { name: 'maja' });
  t.equal(prelogin.json()['salt'], base64url(person.salt));
  const signedIn = await post('/v1/login', {
    name: 'maja',
    auth: base64url(person.auth),
    device: 1,
  });
  t.equal(signedIn.status, 200);
  const { access } = decode(routes.login.answer, signedIn.json());
  t.equal((await post('/v1/refresh', { refresh })).status, 200);
  const found = await get('/v1/people/maja', access);
  t.equal(found.json()['account'], account);
  t.equal((await get('/v1/people/nobody', access)).json().code, 'unknown_person');
  t.equal((await get('/v1/people/No%20Name', access)).json().code, 'name_invalid');
  t.strictSame((await get('/v1/prekeys', access)).json(), { oneTime: 1 });
  const bundles = await post('/v1/bundles', { account, devices: [1] }, access);
  t.equal(decode(routes.bundles.answer, bundles.json()).bundles.length, 1);
  t.strictSame((await post('/v1/prekeys', {}, access)).json(), { oneTime: 0 });

  using socket = await edge.hello(access);
  t.equal((await post('/v1/logout', {}, access)).status, 200);
  t.equal(await socket.end(), 4401);
  const after = await get('/v1/people/maja', access);
  t.equal(after.status, 401);
  t.equal(after.json().code, 'session_revoked');
});

t.test('A5: an ended session stays ended when the gateway starts anew', async (t) => {
  const { access } = await joined('nora');
  t.equal((await post('/v1/logout', {}, access)).status, 200);
  while ((await get('/v1/prekeys', access)).status === 200);
  const [port = 0] = await freePorts(1);
  await using _second = await gatewayService.start({
    ...kit,
    settings: { ...kit.settings, gatewayPort: port },
  });
  const reply = await testEdge(identity, port).ask('/v1/prekeys', {
    headers: { Authorization: `Bearer ${access}` },
  });
  t.equal(reply.json().code, 'session_revoked');
});

t.test('routes with `auth: token` refuse whoever has none', async (t) => {
  for (const [name, { method, path, auth }] of Object.entries(routes)) {
    if (auth !== 'token') continue;
    const at = path.replace(':name', 'maja');
    const ask = (access?: string) => (method === 'GET' ? get(at, access) : post(at, {}, access));
    for (const access of [undefined, 'nonsense', 'a.b.c']) {
      const reply = await ask(access);
      t.equal(reply.status, 401, `${name} with ${access}`);
      t.equal(reply.json().code, 'unauthenticated');
    }
  }
});

t.test('A1: a wrong password is refused, and too many attempts from one place are', async (t) => {
  await joined('otto');
  const wrong = { name: 'otto', auth: base64url(randomBytes(32)), device: 1 };
  const codes: (string | undefined)[] = [];
  for (let i = 0; i <= limits.signInAttempts; i++)
    codes.push((await post('/v1/login', wrong)).json().code);
  t.strictSame(new Set(codes.slice(0, limits.signInAttempts)), new Set(['wrong_credentials']));
  t.equal(codes.at(-1), 'rate_limited');
  address += 1;
  t.equal(
    (await post('/v1/login', wrong)).json().code,
    'wrong_credentials',
    'another place is not',
  );
});

t.test(
  'a sealed message goes from one to the other, whoever they are to the directory',
  async (t) => {
    const { access, account } = await joined('paul');
    using socket = await edge.hello(access);
    const one = envelope(1, 400);
    const body = encodeSend({ account, epoch: 1, envelopes: [one] });
    const reply = await edge.ask(sendPath, { method: 'POST', body });
    t.equal(reply.status, 202);
    t.equal(reply.body, '');
    await eventually(() => socket.seqs().length === 1);
    t.match(socket.frames[1], { type: 'envelope', seq: 1, id: one.id });

    const stale = encodeSend({ account, epoch: 2, envelopes: [envelope(1), envelope(4)] });
    const refused = await edge.ask(sendPath, { method: 'POST', body: stale });
    t.equal(refused.status, 409);
    t.match(refused.json(), {
      code: 'stale_devices',
      details: { missing: [], extra: [4], epoch: 1 },
    });
  },
);

t.test('what is not a send is refused with its code and stores nothing', async (t) => {
  const { account } = await joined('rosa');
  const good = encodeSend({ account, epoch: 1, envelopes: [envelope(1)] });
  const cases: [string, Uint8Array, string][] = [
    ['truncated', good.subarray(0, -1), 'truncated'],
    ['one byte more', Buffer.concat([good, Buffer.from([0])]), 'trailing_bytes'],
    ['another version', Buffer.concat([Buffer.from([2]), good.subarray(1)]), 'unknown_version'],
    ['another type', Buffer.concat([Buffer.from([1, 0x11]), good.subarray(2)]), 'unknown_type'],
    ['larger than the limit', new Uint8Array(limits.sendBytes + 1), 'too_large'],
    ['empty', new Uint8Array(), 'truncated'],
  ];
  for (const [name, body, code] of cases) {
    const reply = await edge.ask(sendPath, { method: 'POST', body });
    t.equal(reply.json().code, code, name);
  }
  t.equal((await edge.ask(sendPath, { method: 'POST', body: '{}' })).status, 400);
  t.equal((await edge.ask(sendPath)).status, 405);
  const nobody = encodeSend({
    account: applicant('nobody').keys.account,
    epoch: 1,
    envelopes: [envelope(1)],
  });
  t.equal((await edge.ask(sendPath, { method: 'POST', body: nobody })).status, 404);
});

t.test('one address may send so much and no more; another is not affected', async (t) => {
  const body = Buffer.from('not a send');
  const agent = edge.agent(10);
  t.teardown(() => agent.destroy());
  const ask = (from: string) => edge.ask(sendPath, { method: 'POST', body, address: from, agent });
  const replies = [];
  for (let sent = 0; sent < 10 * limits.sendsBurst; sent += 50) {
    replies.push(...(await Promise.all(Array.from({ length: 50 }, () => ask('198.51.100.1')))));
    if (replies.some(({ status }) => status === 429)) break;
  }
  const refused = replies.find(({ status }) => status === 429);
  t.ok(refused, `of ${replies.length}`);
  t.equal(refused?.json().code, 'rate_limited');
  t.equal(refused?.headers['retry-after'], '1');
  t.equal((await ask('198.51.100.2')).status, 400);
});

t.test('whoever asks too often is refused before token and body are looked at', async (t) => {
  const agent = edge.agent(10);
  t.teardown(() => agent.destroy());
  const headers = { Authorization: 'Bearer not.a.token' };
  const flood = async (from: string, path: string, ask: Ask): Promise<string[]> => {
    const codes: string[] = [];
    for (let asked = 0; asked < 4 * limits.requestsBurst; asked += 50) {
      const one = () => edge.ask(path, { ...ask, address: from, agent });
      const replies = await Promise.all(Array.from({ length: 50 }, one));
      codes.push(...replies.map((reply) => `${reply.json().code}`));
      if (codes.includes('rate_limited')) break;
    }
    return codes;
  };
  t.ok((await flood('198.51.100.3', '/v1/prekeys', { headers })).includes('rate_limited'));
  const wrong = { method: 'POST', body: '{"not":"a login"}' };
  t.ok((await flood('198.51.100.4', '/v1/login', wrong)).includes('rate_limited'));
  t.equal((await edge.ask('/v1/prekeys', { headers, address: '198.51.100.5' })).status, 401);
});

t.test('paths that are not there, and methods that do not belong', async (t) => {
  t.equal((await get('/v1/nothing')).status, 404);
  t.equal((await get('/metrics')).status, 404);
  t.equal((await get('/v1/login')).status, 405);
  t.equal((await edge.ask('/v1/challenge', { method: 'DELETE' })).status, 405);
});

t.test('no address is written down', async (t) => {
  t.notMatch(island.log.lines.join('\n'), /192\.0\.2\.|198\.51\.100\./);
});
