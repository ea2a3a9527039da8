/** A person's way through the whole client API over mTLS, with the real services behind it. */
import { randomBytes } from 'node:crypto';
import { readSegment, sealSegment } from '@island/protocol/crypto/archive-segment.ts';
import { accountOfName, checkAnswer } from '@island/protocol/transparency/answer.ts';
import { followEvents, nothingKnown } from '@island/protocol/transparency/event-chain.ts';
import { nameLabel } from '@island/protocol/transparency/label.ts';
import { Writer } from '@island/protocol/wire/bytes.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import {
  type RequestText,
  type RouteName,
  routes,
  sendPath,
} from '@island/protocol/wire/routes.ts';
import { decode } from '@island/protocol/wire/schema.ts';
import { base64url, fromBase64url, hex } from '@island/protocol/wire/text.ts';
import { writeToken } from '@island/protocol/wire/token.ts';
import { freePorts } from '@island/provisioning/ports.ts';
import t from 'tap';
import { accountsService } from '../accounts/service.ts';
import { testAccounts } from '../accounts/testing/accounts.ts';
import {
  type Applicant,
  applicant,
  joiningRequest,
  loginRequest,
  newPassword,
  random,
  refreshRequest,
  registration,
  shownCode,
} from '../accounts/testing/applicant.ts';
import { archiveService } from '../archive/service.ts';
import { deliveryService } from '../delivery/service.ts';
import { envelope } from '../delivery/testing/lists.ts';
import { testPayer } from '../delivery/testing/payer.ts';
import { directoryService } from '../directory/service.ts';
import { asText } from '../kit/http.ts';
import { eventually } from '../kit/testing/outcome.ts';
import { gatewayService } from './service.ts';
import { testEdge } from './testing/edge.ts';

const test = await testAccounts([
  directoryService,
  accountsService,
  deliveryService,
  archiveService,
]);
t.teardown(() => test[Symbol.asyncDispose]());
const { island } = test;
const [gatewayPort = 0] = await freePorts(1);
const kit = await island.kit('gateway');
const service = await gatewayService.start({ ...kit, settings: { ...kit.settings, gatewayPort } });
t.teardown(() => service[Symbol.asyncDispose]());
const identity = await island.pki.identity('edge');
t.teardown(() => identity[Symbol.asyncDispose]());
const edge = testEdge(identity, gatewayPort);
const payer = await testPayer(kit.bus, await island.kit('delivery'));

let address = '192.0.2.1';

/** @param path of a GET route where it has parameters */
async function ask(name: RouteName, request: object = {}, token?: string, path?: string) {
  const { method } = routes[name];
  return edge.ask(path ?? routes[name].path, {
    method,
    address,
    ...(method === 'POST' ? { body: JSON.stringify(request) } : {}),
    ...(token === undefined ? {} : { headers: { Authorization: `Bearer ${token}` } }),
  });
}
const codeOf = async (asked: ReturnType<typeof ask>) => (await asked).json().code ?? 'answered';
const nonce = async () => fromBase64url(`${(await ask('nonce')).json()['nonce']}`);

async function joined(name: string) {
  const person = applicant(name);
  person.island = fromBase64url(island.settings.caFingerprint);
  const challenge = fromBase64url(`${(await ask('challenge')).json()['challenge']}`);
  const at = { challenge, nonce: await nonce(), invite: await test.invite() };
  const reply = await ask('register', asText(registration(person, at)));
  if (reply.status !== 200) throw new Error(reply.body);
  return { person, account: person.keys.account, ...decode(routes.register.answer, reply.json()) };
}

/** As a client writes it: `origin` is the gateway's to say. */
function login(person: Applicant, at: Parameters<typeof loginRequest>[1]): RequestText<'login'> {
  const { origin: _origin, ...request } = loginRequest(person, at);
  return asText(request);
}

const tokenTexts = (count: number) =>
  payer.tokens(count).map((token) => base64url(writeToken(new Writer(128), token).done()));

/** What the log proves by these bytes of a name and its account. */
async function provedOf({ answer }: { answer: Uint8Array }, name: string) {
  const { log } = decode(routes.discovery.answer, (await ask('discovery')).json());
  const labels = [nameLabel(name), accountOfName];
  return checkAnswer(answer, { log, labels, allowUnwitnessed: !log.witnessed }).labels;
}

t.test('M2: others are looked up with tokens, each good for one answer', async (t) => {
  const { account } = await joined('luz');
  const [token, another, third] = tokenTexts(3);
  const found = await ask('lookUpProof', { token, name: 'luz' });
  t.equal(found.status, 200, found.body);
  t.equal(await codeOf(ask('lookUpProof', { token, name: 'luz' })), 'token_spent');
  const past = { token: another, name: 'luz', after: 0 };
  t.equal((await ask('lookUpHistory', past)).status, 200);
  t.equal(await codeOf(ask('lookUpHistory', past)), 'token_spent');
  const nobody = { token: third, name: 'nobody', after: 0 };
  t.equal(await codeOf(ask('lookUpHistory', nobody)), 'unknown_person');
  t.equal(await codeOf(ask('lookUpHistory', nobody)), 'token_spent', 'an answer like any other');
  const forged = base64url(random(101).fill(1, 0, 1));
  t.equal(await codeOf(ask('lookUpProof', { token: forged, name: 'luz' })), 'token_invalid');
  const tokens = tokenTexts(limits.bundlePrice);
  const request = { tokens, account, devices: [1] };
  const bundles = await ask('bundles', request);
  t.equal(decode(routes.bundles.answer, bundles.json()).bundles.length, 1, bundles.body);
  t.equal(
    await codeOf(ask('bundles', request)),
    'token_spent',
    'nobody drains prekeys by repeating',
  );
});

t.test(
  'K1: who is found is proved, to strangers for a token and to whoever is signed in',
  async (t) => {
    const { person, access } = await joined('vera');
    const [token, second, third] = tokenTexts(3);
    const found = await ask('lookUpProof', { token, name: 'vera' });
    const [, state] = await provedOf(decode(routes.lookUpProof.answer, found.json()), 'vera');
    if (!state?.present) return t.fail('not in the log');
    t.equal(base64url(state.state), base64url(person.list.bytes));
    const past = await ask('lookUpHistory', { token: second, name: 'vera', after: 0 });
    const { steps } = decode(routes.lookUpHistory.answer, past.json());
    t.equal(followEvents(nothingKnown, steps, state).length, 1);
    const absent = await ask('lookUpProof', { token: third, name: 'nobody' });
    t.match(await provedOf(decode(routes.lookUpProof.answer, absent.json()), 'nobody'), [
      { present: false },
    ]);
    const own = await ask('proof', {}, access, '/v1/people/vera/proof');
    t.equal(own.body, found.body, 'the same for everybody');
    const history = await ask('history', {}, access, '/v1/people/vera/history/0');
    t.equal(history.body, past.body);
  },
);

t.test('discovery says who may join, as accounts has it', async (t) => {
  const reply = await ask('discovery');
  t.equal(reply.status, 200);
  const document = decode(routes.discovery.answer, reply.json());
  t.match(document, { name: 'Test Island', versions: [1], registration: 'invite' });
  t.equal(base64url(document.caFingerprint), island.settings.caFingerprint);
  t.strictSame(document.kdf, { memory: 65_536, passes: 3, lanes: 1 });
  t.equal(reply.headers['server'], undefined);
});

t.test('a person registers, signs in, refreshes, is found, and signs out', async (t) => {
  const { person, refresh, account } = await joined('maja');
  const prelogin = decode(routes.prelogin.answer, (await ask('prelogin', { name: 'maja' })).json());
  t.same(prelogin.salt, person.password.salt);
  t.same(prelogin.codes.salt, person.codesSalt);
  const signedIn = await ask('login', login(person, { nonce: await nonce(), origin: random(16) }));
  t.equal(signedIn.status, 200, signedIn.body);
  const { access } = decode(routes.login.answer, signedIn.json());
  const again = asText(refreshRequest(person.keys, refresh, { nonce: await nonce() }));
  t.equal((await ask('refresh', again)).status, 200);

  const found = await ask('proof', {}, access, '/v1/people/maja/proof');
  const [named] = await provedOf(decode(routes.proof.answer, found.json()), 'maja');
  t.equal(named?.present === true && hex(named.state), account);
  t.equal(await codeOf(ask('proof', {}, access, '/v1/people/No%20Name/proof')), 'name_invalid');
  const none = ask('history', {}, access, '/v1/people/nobody/history/0');
  t.equal(await codeOf(none), 'unknown_person');
  const lists = await ask('lists', {}, access, '/v1/people/maja/lists/0');
  t.same(decode(routes.lists.answer, lists.json()).lists, [person.list.bytes]);
  for (let i = 1; i < limits.otherLookupsPerHour; i++)
    await ask('proof', {}, access, `/v1/people/nobody${i}/proof`);
  for (const path of ['nobody/proof', 'nobody/history/0', 'nobody/lists/0'])
    t.equal(
      await codeOf(ask(path.split('/')[1] as 'proof', {}, access, `/v1/people/${path}`)),
      'rate_limited',
    );
  t.equal((await ask('proof', {}, access, '/v1/people/maja/proof')).status, 200, 'but of oneself');
  t.strictSame((await ask('prekeyCount', {}, access)).json(), { oneTime: 1 });
  const tokens = tokenTexts(limits.bundlePrice);
  const bundles = await ask('bundles', { tokens, account, devices: [1] });
  t.equal(decode(routes.bundles.answer, bundles.json()).bundles.length, 1);
  t.strictSame((await ask('replenish', {}, access)).json(), { oneTime: 0 });
  const record = decode(routes.record.answer, (await ask('record', {}, access)).json());
  t.same(record, { record: person.keeping.record, used: [] });
  t.match((await ask('account', {}, access)).json(), { name: 'maja', codes: limits.backupCodes });

  using socket = await edge.hello(access);
  t.equal((await ask('logout', {}, access)).status, 200);
  t.equal(await socket.end(), 4401);
  t.equal(await codeOf(ask('proof', {}, access, '/v1/people/maja/proof')), 'session_revoked');
});

t.test('A3: a device appends to the archive of its person and reads it back', async (t) => {
  const { person, account, access } = await joined('nils');
  const empty = decode(routes.archiveHead.answer, (await ask('archiveHead', {}, access)).json());
  t.same(empty, { seq: 0, hash: new Uint8Array(32) });
  const head = { account, device: person.keys.device, listEpoch: 1, arkEpoch: 1 };
  const keys = { ark: person.ark, dsk: person.keys.dsk };
  const first = sealSegment({ ...head, seq: 1, prevHash: empty.hash }, randomBytes(200), keys);
  const segment = base64url(first);
  t.equal((await ask('archiveAppend', { segment }, access)).status, 200);
  t.equal((await ask('archiveAppend', { segment }, access)).status, 200, 'the very same again');
  const { hash } = readSegment(first);
  t.same((await ask('archiveHead', {}, access)).json(), { seq: 1, hash: base64url(hash) });
  t.same((await ask('archiveRead', {}, access, '/v1/archive/0')).json(), { segments: [segment] });
  t.same((await ask('archiveRead', {}, access, '/v1/archive/1')).json(), { segments: [] });
  const other = sealSegment({ ...head, seq: 1, prevHash: empty.hash }, randomBytes(9), keys);
  const moved = await ask('archiveAppend', { segment: base64url(other) }, access);
  t.equal(moved.status, 409);
  t.match(moved.json(), { code: 'archive_moved', details: { seq: 1 } });
  const thief = await joined('olga');
  t.equal(await codeOf(ask('archiveAppend', { segment }, thief.access)), 'forbidden');
  t.same((await ask('archiveRead', {}, thief.access, '/v1/archive/0')).json(), { segments: [] });
});

t.test(
  'A3: a code gives a joining its share, and neither token is good for the other',
  async (t) => {
    const { person, access } = await joined('petra');
    const [code] = person.codes;
    if (code === undefined) throw new Error('no code');
    const at = { nonce: await nonce(), origin: random(16), second: shownCode(code) };
    const { origin: _origin, ...request } = joiningRequest(person, at);
    const begun = await ask('beginJoining', asText(request));
    t.equal(begun.status, 200, begun.body);
    const { joining } = decode(routes.beginJoining.answer, begun.json());
    const given = decode(routes.recovery.answer, (await ask('recovery', {}, joining)).json());
    const meant = person.keeping.shares.find(({ loc }) => Buffer.compare(loc, code.loc) === 0);
    t.same(given, meant);
    t.equal((await ask('record', {}, joining)).status, 200, 'its record');
    const shown = await ask('proof', {}, joining, '/v1/people/petra/proof');
    t.equal(shown.status, 200, 'and its list');
    for (const name of ['account', 'prekeyCount', 'archiveHead', 'sessions', 'logout'] as const)
      t.equal(await codeOf(ask(name, {}, joining)), 'unauthenticated', name);
    for (const name of ['recovery', 'resetBegin'] as const)
      t.equal(await codeOf(ask(name, {}, access)), 'unauthenticated', name);
    using socket = await edge.socket();
    socket.send({ type: 'hello', access: joining });
    t.equal(await socket.end(), 4401);
  },
);

t.test('A1: a wrong password is refused, and too many attempts from one place are', async (t) => {
  const { person } = await joined('quirin');
  const password = newPassword();
  const wrong = async () =>
    codeOf(ask('login', login(person, { password, nonce: await nonce(), origin: random(16) })));
  const codes: string[] = [];
  for (let i = 0; i <= limits.signInAttempts; i++) codes.push(await wrong());
  t.strictSame(new Set(codes.slice(0, limits.signInAttempts)), new Set(['wrong_credentials']));
  t.equal(codes.at(-1), 'rate_limited');
  address = '192.0.2.2';
  t.equal(await wrong(), 'wrong_credentials', 'another place is not');
});

t.test('a sealed message goes from one to the other, whoever they are', async (t) => {
  const { access, account } = await joined('rosa');
  using socket = await edge.hello(access);
  const one = envelope(1, 400);
  const body = await payer.body(account, [one]);
  const reply = await edge.ask(sendPath, { method: 'POST', body });
  t.equal(reply.status, 202);
  t.equal(reply.body, '');
  await eventually(() => socket.seqs().length === 1);
  t.match(socket.frames[1], { type: 'envelope', seq: 1, id: one.id });
  const stale = await payer.body(account, [envelope(1), envelope(4)], 2);
  const refused = await edge.ask(sendPath, { method: 'POST', body: stale });
  t.equal(refused.status, 409);
  t.match(refused.json(), {
    code: 'stale_devices',
    details: { missing: [], extra: [4], epoch: 1 },
  });
});

t.test(
  'A5: a session that another one ends is out within moments, on its socket too',
  async (t) => {
    const { person, access } = await joined('sven');
    const signedIn = await ask(
      'login',
      login(person, { nonce: await nonce(), origin: random(16) }),
    );
    const second = decode(routes.login.answer, signedIn.json());
    using socket = await edge.hello(access);
    t.same((await ask('endSession', {}, second.access)).json(), { ended: 1 });
    t.equal(await socket.end(), 4401);
    t.equal(await codeOf(ask('account', {}, access)), 'session_revoked');
    t.equal((await ask('account', {}, second.access)).status, 200);
    const kept = asText(refreshRequest(person.keys, second.refresh, { nonce: await nonce() }));
    t.equal((await ask('refresh', kept)).status, 200);
  },
);

t.test('no address, no token, no key is written down', async (t) => {
  t.notMatch(island.log.lines.join('\n'), /192\.0\.2\.|eyJ/);
});
