/** Every route of the client API: who gets in with which token, and what the service behind is told of who asks. */
import { randomBytes } from 'node:crypto';
import { accountId } from '@island/protocol/wire/ids.ts';
import { lookupRoutes } from '@island/protocol/wire/lookup-routes.ts';
import { type RouteName, routes } from '@island/protocol/wire/routes.ts';
import { decode } from '@island/protocol/wire/schema.ts';
import { generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import t from 'tap';
import { accessToken, accounts } from '../accounts/contract.ts';
import { answerAll, bodies } from './testing/answers.ts';
import { gatewayIsland } from './testing/island.ts';

const test = await gatewayIsland({ mailboxes: false });
t.teardown(() => test[Symbol.asyncDispose]());
const { edge, island, tokens } = test;
const asked = await answerAll(island);
(await island.kit('accounts')).bus.handle(accounts, 'policy', async () => ({
  registration: 'open' as const,
}));
const account = accountId(randomBytes(16).toString('hex'));
const agent = edge.agent(4);
t.teardown(() => agent.destroy());

const names = Object.keys(routes) as RouteName[];
let asking = 0;

/** Asks a route with a good body, each time from another address. */
function ask(name: RouteName, token?: string, headers: Record<string, string> = {}) {
  const { method, path } = routes[name];
  asking += 1;
  return edge.ask(path.replace(':name', 'ann').replace(':after', '7'), {
    method,
    address: `198.18.${asking >> 8}.${asking & 255}`,
    agent,
    ...(method === 'POST' ? { body: JSON.stringify(bodies[name]) } : {}),
    headers: { ...headers, ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }) },
  });
}

t.test('every route is one call, answered in the published form', async (t) => {
  const access = await tokens.sign(account, 3, { session: 'the session' });
  const joining = await tokens.join(account, { session: 'the joining' });
  for (const name of names) {
    const { auth, answer } = routes[name];
    asked.length = 0;
    const reply = await ask(
      name,
      auth === 'none' ? undefined : auth === 'joining' ? joining : access,
    );
    t.equal(reply.status, 200, `${name}: ${reply.body.slice(0, 100)}`);
    decode(answer, reply.json());
    // Who looks others up pays first.
    const paid = name in lookupRoutes && name !== 'endedAccount' ? 1 : 0;
    t.equal(asked.length, name === 'discovery' ? 0 : 1 + paid, name);
  }
});

t.test('what the services hear of who asks comes from the token alone', async (t) => {
  const access = await tokens.sign(account, 3, { session: 'the session' });
  const joining = await tokens.join(account, { session: 'the joining' });
  const bearer = { account, device: 3, session: 'the session' };
  const joiner = { account, joining: 'the joining' };
  const only: Partial<Record<RouteName, object>> = {
    logout: { account, session: 'the session' },
    prekeyCount: { account, device: 3 },
    replenish: { account, device: 3 },
    archiveHead: { account },
    archiveRead: { account, after: 7 },
    archiveAppend: { account, device: 3 },
    issueTokens: { account },
    deliveryKey: { account },
    senderCertificate: { account, device: 3 },
    createSpace: { account, device: 3 },
    appendEntry: { account, device: 3 },
    spaceLog: { account },
    mySpaces: { account },
    spaceLists: { account },
    post: { account, device: 3 },
    posts: { account },
    takeBackPosts: { account },
    sendKeys: { account },
    present: { account },
    report: { account },
    reports: { account },
  };
  const nobody = [
    'lists',
    'proof',
    'history',
    'witnessRequest',
    'witnessSignature',
    'witnessNewest',
  ];
  for (const name of names) {
    const { auth } = routes[name];
    if (auth === 'none' || nobody.includes(name)) continue;
    for (const [token, who] of [
      [access, only[name] ?? (auth === 'either' ? { account } : bearer)],
      [joining, joiner],
    ] as const) {
      if (auth !== 'either' && (auth === 'joining') !== (token === joining)) continue;
      asked.length = 0;
      await ask(name, token);
      const request = asked[0]?.request ?? {};
      t.match(request, who, name);
      const told = ['account', 'session', 'joining'].filter((key) => key in request);
      const meant = Object.keys(who).filter((key) => key !== 'device' && key !== 'after');
      t.same(new Set(told), new Set(meant), name);
    }
  }
});

t.test('M2: who looks others up and says who asks is refused, and pays nothing', async (t) => {
  const access = await tokens.sign(account, 3, { session: 'the session' });
  for (const name of Object.keys(lookupRoutes) as (keyof typeof lookupRoutes)[]) {
    for (const headers of [{ Authorization: `Bearer ${access}` }, { Cookie: 'who=ann' }]) {
      asked.length = 0;
      const reply = await ask(name, undefined, headers);
      t.equal(reply.json().code, 'malformed', name);
      t.equal(asked.length, 0);
    }
  }
  const few = { ...bodies.bundles, tokens: [Buffer.alloc(101).toString('base64url')] };
  asked.length = 0;
  const eight = Array.from({ length: 8 }, () => Buffer.alloc(101).toString('base64url'));
  const twice = JSON.stringify({ ...bodies.bundles, tokens: eight, devices: [1, 1] });
  const doubled = await edge.ask(routes.bundles.path, { method: 'POST', body: twice, agent });
  t.equal(doubled.json().code, 'malformed', 'a device twice');
  t.equal(asked.length, 0, 'costs nothing');
  const body = JSON.stringify(few);
  const short = await edge.ask(routes.bundles.path, { method: 'POST', body, agent });
  t.match(short.json(), { code: 'token_needed', details: { needed: 4 } });
  t.equal(asked.length, 0);
});

t.test(
  'A5: the attack matrix: no token opens what it was not made for, on any route',
  async (t) => {
    const { privateKey } = await generateKeyPair('RS256');
    const { issuer, audience, joiningAudience } = accessToken;
    const good = { dev: 1, sid: 'a session' };
    const now = Math.floor(Date.now() / 1000);
    const foreign = (claims: object, aud: string) =>
      new SignJWT({ ...claims })
        .setProtectedHeader({ alg: 'RS256', kid: 'first' })
        .setSubject(account)
        .setIssuer(issuer)
        .setAudience(aud)
        .setExpirationTime(now + 900)
        .sign(privateKey);
    const unsigned = new UnsecuredJWT({ ...good })
      .setSubject(account)
      .setIssuer(issuer)
      .setAudience(audience)
      .setExpirationTime(now + 900)
      .encode();
    const access = await tokens.sign(account);
    const over = await tokens.sign(account, 1, { session: 'over' });
    tokens.end(account, 'over');
    /** Token, and what is said to it where it is no good. */
    const attempts: [string, string | undefined, string, ('token' | 'joining')?][] = [
      ['nothing', undefined, 'unauthenticated'],
      ['nonsense', 'nonsense', 'unauthenticated'],
      ['three parts', 'a.b.c', 'unauthenticated'],
      ['an access token', access, 'unauthenticated', 'token'],
      ['a joining token', await tokens.join(account), 'unauthenticated', 'joining'],
      [
        'an access token that expired',
        await tokens.sign(account, 1, { seconds: -5 }),
        'token_expired',
      ],
      [
        'a joining token that expired',
        await tokens.join(account, { seconds: -5 }),
        'token_expired',
      ],
      [
        'a token for both',
        await tokens.sign(account, 1, { audience: [audience, joiningAudience] }),
        'unauthenticated',
      ],
      [
        'an audience in a list',
        await tokens.sign(account, 1, { audience: [audience] }),
        'unauthenticated',
      ],
      [
        'an access token without a device',
        await tokens.join(account, { audience }),
        'unauthenticated',
      ],
      [
        'a joining token with a device',
        await tokens.join(account, { claims: { dev: 1 } }),
        'unauthenticated',
      ],
      ['no audience', await tokens.sign(account, 1, { audience: '' }), 'unauthenticated'],
      [
        'another audience',
        await tokens.join(account, { audience: `x.${audience}` }),
        'unauthenticated',
      ],
      ['another issuer', await tokens.sign(account, 1, { issuer: 'somebody' }), 'unauthenticated'],
      [
        'no session',
        await tokens.sign(account, 1, { claims: { sid: undefined } }),
        'unauthenticated',
      ],
      ['another key', await foreign(good, audience), 'unauthenticated'],
      [
        'another key, joining',
        await foreign({ sid: 'a joining' }, joiningAudience),
        'unauthenticated',
      ],
      ['no signature', unsigned, 'unauthenticated'],
      [
        'a changed account',
        access.replace(
          /\.[^.]+\./,
          `.${Buffer.from(JSON.stringify({ ...good, sub: '0'.repeat(32), iss: issuer, aud: audience, exp: now + 900 })).toString('base64url')}.`,
        ),
        'unauthenticated',
      ],
      ['an ended session', over, 'session_revoked'],
    ];
    for (const name of names) {
      const { auth } = routes[name];
      if (auth === 'none') continue;
      for (const [what, token, code, kind] of attempts) {
        asked.length = 0;
        const reply = await ask(name, token);
        if (kind !== undefined && (auth === kind || auth === 'either')) {
          t.equal(reply.status, 200, `${name} takes ${what}`);
          continue;
        }
        t.equal(reply.status, 401, `${name} refuses ${what}`);
        t.equal(reply.json().code, code, `${name}: ${what}`);
        t.equal(reply.headers['www-authenticate'], 'Bearer');
        t.equal(asked.length, 0, 'nobody behind hears of it');
      }
    }
  },
);

t.test('a token in another place than its header is none', async (t) => {
  const access = await tokens.sign(account);
  for (const headers of [
    { Authorization: `bearer ${access}` },
    { Authorization: `Basic ${access}` },
    { Cookie: `access=${access}` },
    { 'X-Access-Token': access },
  ]) {
    const reply = await ask('account', undefined, headers);
    t.equal(reply.json().code, 'unauthenticated', JSON.stringify(headers).slice(0, 30));
  }
  const inPath = await edge.ask(`/v1/account?access_token=${access}`);
  t.equal(inPath.json().code, 'malformed');
});

t.test('numbers in a path are decimal digits', async (t) => {
  const headers = { Authorization: `Bearer ${await tokens.sign(account)}` };
  asked.length = 0;
  for (const after of ['', '-1', '1e3', '0x1', '01', '1.5', '9007199254740993', '%31%00', 'x']) {
    const reply = await edge.ask(`/v1/archive/${after}`, { headers, address: '198.51.100.9' });
    t.ok([400, 404].includes(reply.status), `${after}: ${reply.status}`);
    const lists = await edge.ask(`/v1/people/ann/lists/${after}`, {
      headers,
      address: '198.51.100.9',
    });
    t.ok([400, 404].includes(lists.status), `${after}: ${lists.status}`);
  }
  t.equal(asked.length, 0);
  await edge.ask('/v1/archive/9007199254740991', { headers });
  t.match(asked, [{ request: { after: 9_007_199_254_740_991 } }]);
});

t.test(
  'where a sign-in comes from is told as a keyed hash, and only where attempts are counted',
  async (t) => {
    const access = await tokens.sign(account);
    const counted: RouteName[] = [
      'register',
      'login',
      'beginJoining',
      'changePassword',
      'endAccount',
      'totpConfirm',
      'totpEnd',
    ];
    const originOf = async (name: RouteName, address: string) => {
      asked.length = 0;
      await edge.ask(routes[name].path, {
        method: 'POST',
        body: JSON.stringify(bodies[name]),
        headers: { Authorization: `Bearer ${access}` },
        address,
        agent,
      });
      const { origin } = asked[0]?.request ?? {};
      return origin instanceof Uint8Array ? Buffer.from(origin).toString('hex') : undefined;
    };
    const here = await originOf('login', '203.0.113.7');
    t.match(here, /^[0-9a-f]{32}$/);
    t.not(await originOf('login', '203.0.113.8'), here, 'another address');
    for (const name of counted) t.equal(await originOf(name, '203.0.113.7'), here, name);
    for (const name of Object.keys(bodies) as RouteName[]) {
      if (counted.includes(name) || routes[name].auth === 'joining') continue;
      t.equal(await originOf(name, '203.0.113.7'), undefined, `${name} tells nothing of it`);
    }
  },
);
