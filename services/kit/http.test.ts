/** Requests to mounted routes, good and hostile, over real sockets. docs/protocol/http.md */
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { type Agent, type RequestOptions, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Fault } from '@island/protocol/wire/fault.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import * as s from '@island/protocol/wire/schema.ts';
import t from 'tap';
import * as v from 'valibot';
import { asText, mountRoutes, type RouteTable } from './http.ts';
import { serveUnix } from './http-server.ts';
import { eventually } from './testing/outcome.ts';
import { testLog } from './testing/pki.ts';

const any = v.strictObject({ value: v.number(), bytes: v.optional(s.text64UpTo(100)) });
const table = {
  read: { method: 'GET', path: '/v1/read', auth: 'none', request: s.empty, answer: any },
  write: { method: 'POST', path: '/v1/write', auth: 'none', request: any, answer: any },
  mine: {
    method: 'GET',
    path: '/v1/people/:name',
    auth: 'token',
    request: s.empty,
    answer: v.strictObject({ who: v.string(), name: v.string() }),
  },
  joiners: {
    method: 'GET',
    path: '/v1/joiners',
    auth: 'joining',
    request: s.empty,
    answer: v.strictObject({ who: v.string() }),
  },
  both: {
    method: 'GET',
    path: '/v1/both',
    auth: 'either',
    request: s.empty,
    answer: v.strictObject({ who: v.string() }),
  },
  replace: { method: 'POST', path: '/v1/read', auth: 'none', request: any, answer: any },
  elsewhere: { method: 'GET', path: '/v1/elsewhere', auth: 'none', request: s.empty, answer: any },
} as const satisfies RouteTable;

/** `good` is the token of a device, `new` that of somebody who joins. */
const holder = async <T>(known: Record<string, T>, token: string): Promise<T> => {
  const who = known[token];
  if (who === undefined) throw new Fault('token_expired');
  return who;
};
const log = testLog();
let seen = 0;
let write: (given: {
  value: number;
  bytes?: Uint8Array | undefined;
}) => Promise<{ value: number }> = async ({ value }) => ({ value });
const listener = mountRoutes<typeof table, { token: 'ann'; joining: 'newcomer' }>(
  table,
  {
    read: async () => ({ value: 1 }),
    write(given) {
      seen += 1;
      return write(given);
    },
    replace: async ({ value }) => ({ value: value + 1 }),
    mine: async (_request, { who, params }) => ({ who, name: params['name'] ?? '' }),
    joiners: async (_request, { who }) => ({ who }),
    both: async (_request, { who }) => ({ who }),
  },
  {
    log,
    authenticate: {
      token: (token) => holder({ good: 'ann' } as const, token),
      joining: (token) => holder({ new: 'newcomer' } as const, token),
      either: (token) => holder({ good: 'ann', new: 'newcomer' } as const, token),
    },
    pages: [
      {
        path: '/v1/page',
        async answer(query) {
          if (query === 'fault') throw new Fault('unavailable');
          if (query === 'bug') throw new Error('the text of an error');
          return { status: 200, title: `<b>${query}</b>`, text: 'A & "B"' };
        },
      },
    ],
    raw: [
      {
        path: '/v1/raw',
        limit: 1000,
        answer: async (body) => {
          if (body.length === 3) throw new Fault('stale_devices', { missing: [1], epoch: 4 });
          return 202;
        },
      },
    ],
  },
);
const dir = await mkdtemp(join(tmpdir(), 'pi-http-'));
const path = join(dir, 'http.sock');
await writeFile(path, 'left over by a killed process');
const server = await serveUnix({ listener, path });
t.teardown(async () => {
  await server[Symbol.asyncDispose]();
  await rm(dir, { recursive: true });
});

interface Answer {
  status: number | undefined;
  headers: Record<string, string | string[] | undefined>;
  text: string;
}

/** One request; `body` in the pieces given, chunked when there are several. */
function ask(
  method: string,
  url: string,
  body: (string | Uint8Array)[] = [],
  options: RequestOptions = {},
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const [only] = body;
  const length =
    body.length === 1 && only !== undefined ? { 'content-length': Buffer.byteLength(only) } : {};
  const json = body.length > 0 ? { 'content-type': 'application/json' } : {};
  const asked = request({
    socketPath: path,
    method,
    path: url,
    agent: false as unknown as Agent,
    ...options,
    headers: { ...json, ...length, ...options.headers },
  });
  asked.once('error', reject);
  asked.once('response', (response) => {
    let text = '';
    response.setEncoding('utf8');
    response.on('data', (piece: string) => {
      text += piece;
    });
    response.once('error', reject);
    response.once('end', () =>
      resolve({ status: response.statusCode, headers: response.headers, text }),
    );
  });
  for (const piece of body) asked.write(piece);
  asked.end();
  return promise;
}

const codeOf = ({ status, text }: Answer): [number | undefined, unknown] => [
  status,
  JSON.parse(text).code,
];

t.test(
  'a route decodes its request and answers JSON, with headers that give nothing away',
  async (t) => {
    let got: unknown;
    write = async (given) => {
      got = given;
      return { value: 2 };
    };
    const { status, headers, text } = await ask('POST', '/v1/write', [
      '{"value":1,"bytes":"AAEC"}',
    ]);
    t.equal(status, 200);
    t.equal(text, '{"value":2}');
    t.strictSame(got, { value: 1, bytes: new Uint8Array([0, 1, 2]) });
    t.match(headers, {
      'content-type': /^application\/json/,
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
    t.notOk(
      headers['server'] ??
        headers['x-powered-by'] ??
        headers['set-cookie'] ??
        headers['access-control-allow-origin'],
    );
  },
);

t.test('bytes become base64url at any depth', (t) => {
  const bytes = new Uint8Array([255, 254]);
  t.strictSame(
    asText({ a: bytes, b: [{ c: bytes }], d: 1, e: undefined, f: null, g: Buffer.from('x') }),
    {
      a: '__4',
      b: [{ c: '__4' }],
      d: 1,
      e: undefined,
      f: null,
      g: 'eA',
    },
  );
  t.end();
});

t.test('unknown addresses, methods and queries get their stated refusal', async (t) => {
  t.strictSame(codeOf(await ask('GET', '/')), [404, 'not_found']);
  t.strictSame(
    codeOf(await ask('GET', '/v1/elsewhere')),
    [404, 'not_found'],
    'a route that this process does not answer',
  );
  t.strictSame(codeOf(await ask('GET', '/v1/read/')), [404, 'not_found']);
  t.strictSame(codeOf(await ask('GET', '/v1/read?x=1')), [400, 'malformed']);
  t.strictSame(codeOf(await ask('GET', 'http://elsewhere/v1/read')), [404, 'not_found']);
  const refused = await ask('DELETE', '/v1/read');
  t.strictSame(codeOf(refused), [405, 'method_not_allowed']);
  t.equal(refused.headers['allow'], 'GET, HEAD, POST, OPTIONS');
  const options = await ask('OPTIONS', '/v1/write');
  t.match(options, { status: 204, text: '', headers: { allow: 'POST, OPTIONS' } });
  t.match(await ask('HEAD', '/v1/read'), { status: 200, text: '' });
  t.equal(
    (await ask('POST', '/v1/read', ['{"value":1}'])).text,
    '{"value":2}',
    'two methods of one address',
  );
});

t.test('a token route needs a good token before its body is looked at', async (t) => {
  const none = await ask('GET', '/v1/people/bob');
  t.strictSame(codeOf(none), [401, 'unauthenticated']);
  t.equal(none.headers['www-authenticate'], 'Bearer');
  for (const authorization of ['Bearer', 'Bearer ', 'Basic good', 'Bearer a b', 'bearer good']) {
    t.strictSame(codeOf(await ask('GET', '/v1/people/bob', [], { headers: { authorization } })), [
      401,
      'unauthenticated',
    ]);
  }
  const headers = { authorization: 'Bearer bad' };
  t.strictSame(codeOf(await ask('GET', '/v1/people/bob', [], { headers })), [401, 'token_expired']);
  const good = { headers: { authorization: 'Bearer good' } };
  t.equal((await ask('GET', '/v1/people/b%2Fb', [], good)).text, '{"who":"ann","name":"b/b"}');
  t.strictSame(codeOf(await ask('GET', '/v1/people/%ff', [], good)), [400, 'malformed']);
});

t.test('each kind of token opens its own routes, and those for either', async (t) => {
  const opened = async (url: string, token: string) => {
    const { status, text } = await ask('GET', url, [], {
      headers: { authorization: `Bearer ${token}` },
    });
    return status === 200 ? JSON.parse(text).who : JSON.parse(text).code;
  };
  t.strictSame(
    [
      await opened('/v1/people/bob', 'good'),
      await opened('/v1/people/bob', 'new'),
      await opened('/v1/joiners', 'good'),
      await opened('/v1/joiners', 'new'),
      await opened('/v1/both', 'good'),
      await opened('/v1/both', 'new'),
      await opened('/v1/both', 'bad'),
    ],
    ['ann', 'token_expired', 'token_expired', 'newcomer', 'ann', 'newcomer', 'token_expired'],
  );
  t.strictSame(codeOf(await ask('GET', '/v1/both')), [401, 'unauthenticated']);
});

t.test('a page is HTML that can neither load nor run anything; so are its refusals', async (t) => {
  const page = await ask('GET', '/v1/page?code=a&state=<script>');
  t.match(page, {
    status: 200,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'content-security-policy':
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    },
  });
  t.match(page.text, '<h1>&lt;b&gt;code=a&amp;state=&lt;script&gt;&lt;/b&gt;</h1>');
  t.match(page.text, '<p>A &amp; &quot;B&quot;</p>');
  t.notMatch(page.text, /<script|style=|src=|href=/);
  t.match(await ask('GET', '/v1/page'), { status: 200, text: /<h1>&lt;b&gt;&lt;\/b&gt;<\/h1>/ });

  const fault = await ask('GET', '/v1/page?fault');
  t.match(fault, { status: 503, text: /^<!doctype html>/ });
  t.match(fault.text, 'Try again in a moment');
  const bug = await ask('GET', '/v1/page?bug');
  t.match(bug, { status: 500, text: /^<!doctype html>/ });
  t.notMatch(bug.text, /the text of an error/);

  t.equal((await ask('HEAD', '/v1/page?code=a')).status, 405, 'who looks ahead uses nothing up');
  const posted = await ask('POST', '/v1/page?code=a', ['{}']);
  t.strictSame(codeOf(posted), [405, 'method_not_allowed']);
  t.equal(posted.headers['allow'], 'GET, OPTIONS');
  t.equal((await ask('GET', '/v1/page', ['{}'])).status, 413, 'a GET has no body');
  t.strictSame(codeOf(await ask('GET', '/v1/paged?x')), [400, 'malformed']);
});

t.test(
  'a fault becomes its status, its code, its remedy and its details; rate limits say when',
  async (t) => {
    write = async () => {
      throw new Fault('rate_limited', { seconds: 12.2 });
    };
    const limited = await ask('POST', '/v1/write', ['{"value":1}']);
    t.strictSame(codeOf(limited), [429, 'rate_limited']);
    t.equal(limited.headers['retry-after'], '13');
    t.match(JSON.parse(limited.text), { text: /Wait/, details: { seconds: 12.2 } });
    write = async () => {
      throw new Fault('unavailable');
    };
    t.equal((await ask('POST', '/v1/write', ['{"value":1}'])).headers['retry-after'], '1');
  },
);

t.test('an unknown error is `internal`; its text is neither sent nor logged', async (t) => {
  write = async () => {
    throw new Error('the text of a message');
  };
  const failed = await ask('POST', '/v1/write', ['{"value":1}']);
  t.strictSame(codeOf(failed), [500, 'internal']);
  t.notMatch(failed.text, /text of a message|at /);
  t.notMatch(log.lines.join(''), /text of a message/);
  t.match(log.lines.join(''), /"request_failed"/);
  write = async () => ({ value: 1, secret: 'row' }) as { value: number };
  t.strictSame(
    codeOf(await ask('POST', '/v1/write', ['{"value":1}'])),
    [500, 'internal'],
    'an answer with a field too many does not leave',
  );
});

t.test(
  'bodies that are too large are refused, announced or not, before a handler sees them',
  async (t) => {
    const before = seen;
    const large = 'x'.repeat(limits.jsonBytes + 1);
    t.strictSame(codeOf(await ask('POST', '/v1/write', [large])), [413, 'too_large']);
    const halves = [large.slice(0, 200_000), large.slice(200_000)];
    const chunked = await ask('POST', '/v1/write', halves);
    t.strictSame(codeOf(chunked), [413, 'too_large']);
    t.equal(chunked.headers['connection'], 'close');
    t.strictSame(
      codeOf(await ask('GET', '/v1/read', ['{}'])),
      [413, 'too_large'],
      'a GET has no body',
    );
    t.equal(seen, before);
  },
);

t.test('what is not strict JSON of the schema is `malformed`', async (t) => {
  const before = seen;
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
  for (const body of [
    '',
    '{',
    'null',
    '[]',
    '{"value":"1"}',
    '{"value":1,"more":2}',
    '{"value":1}x',
    '\ufeff{"value":1}',
    '{"value":NaN}',
    '{"__proto__":{"value":1}}',
    '{"value":1,"bytes":"AA=="}',
    deep,
    `{"value":${deep}}`,
    // 30 ms to parse a quarter of a megabyte of these, before a schema could refuse them.
    `{"value":1,"more":[${'{},'.repeat(2000)}{}]}`,
  ]) {
    t.strictSame(
      codeOf(await ask('POST', '/v1/write', [body])),
      [400, 'malformed'],
      body.slice(0, 30),
    );
  }
  t.strictSame(
    codeOf(await ask('POST', '/v1/write', [new Uint8Array([0x22, 0xff, 0x22])])),
    [400, 'malformed'],
    'not UTF-8',
  );
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonx']) {
    t.strictSame(
      codeOf(
        await ask('POST', '/v1/write', ['{"value":1}'], { headers: { 'content-type': type } }),
      ),
      [400, 'malformed'],
    );
  }
  const packed = { headers: { 'content-encoding': 'gzip' } };
  t.strictSame(codeOf(await ask('POST', '/v1/write', ['{"value":1}'], packed)), [400, 'malformed']);
  t.equal(seen, before);
  write = async ({ value }) => ({ value });
  const charset = { headers: { 'content-type': 'application/JSON; charset=utf-8' } };
  t.equal((await ask('POST', '/v1/write', ['{"value":', '1}'], charset)).status, 200);
});

t.test(
  'the raw route takes bytes, answers without a body, and refuses like the others',
  async (t) => {
    const binary = { headers: { 'content-type': 'application/octet-stream' } };
    t.match(await ask('POST', '/v1/raw', [new Uint8Array([1, 2])], binary), {
      status: 202,
      text: '',
    });
    t.match(JSON.parse((await ask('POST', '/v1/raw', ['abc'], binary)).text), {
      code: 'stale_devices',
      details: { missing: [1], epoch: 4 },
    });
    t.strictSame(codeOf(await ask('POST', '/v1/raw', [new Uint8Array(1001)], binary)), [
      413,
      'too_large',
    ]);
    t.strictSame(
      codeOf(await ask('POST', '/v1/raw', ['{}'])),
      [400, 'malformed'],
      'JSON is not bytes',
    );
  },
);

t.test('a body that ends too early changes nothing and ends nothing', async (t) => {
  const before = seen;
  const socket = connect(path);
  socket.write(
    'POST /v1/write HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"value":',
  );
  await eventually(() => socket.bytesWritten > 0);
  socket.destroy();
  t.equal((await ask('GET', '/v1/read')).status, 200);
  t.equal(seen, before);
});

/** What comes back for raw bytes, until the server closes or falls silent. */
async function raw(bytes: Uint8Array | string): Promise<string> {
  const socket: Socket = connect(path);
  let text = '';
  socket.on('data', (data) => {
    text += data.toString('latin1');
  });
  socket.on('error', () => undefined);
  socket.end(bytes);
  await new Promise((resolve) => socket.once('close', resolve));
  return text;
}

t.test('what is not HTTP, or has too much in its headers, gets a stated refusal', async (t) => {
  t.match(await raw('hello\r\n\r\n'), /^HTTP\/1.1 400 .*"code":"malformed"/s);
  t.match(
    await raw(`GET / HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(9000)}\r\n\r\n`),
    /^HTTP\/1.1 413 .*"code":"too_large"/s,
  );
  const smuggled =
    'POST /v1/write HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /v1/read HTTP/1.1\r\n\r\n';
  t.match(await raw(smuggled), /^HTTP\/1.1 400 /);
  t.notMatch(await raw(smuggled), /"value"/);
});

t.test('random bytes never end the server', async (t) => {
  const seed = Date.now() >>> 0;
  let state = seed;
  const random = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state % below;
  };
  const start =
    'POST /v1/write HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 30\r\n\r\n';
  for (let round = 0; round < 100; round++) {
    const noise = Uint8Array.from({ length: random(200) }, () => random(256));
    await raw(
      round % 2 === 0
        ? noise
        : Buffer.concat([Buffer.from(start.slice(0, random(start.length))), noise]),
    );
  }
  t.equal((await ask('GET', '/v1/read')).status, 200, `seed ${seed}`);
});

t.test(
  'the socket of operators is theirs alone, and closing waits for answers under way',
  async (t) => {
    t.equal((await stat(path)).mode & 0o777, 0o600);
    const gate = Promise.withResolvers<void>();
    const other = join(dir, 'other.sock');
    const closing = await serveUnix({ listener, path: other });
    const started = seen;
    write = async () => {
      await gate.promise;
      return { value: 9 };
    };
    const answer = ask('POST', '/v1/write', ['{"value":1}'], { socketPath: other });
    await eventually(() => seen > started);
    const closed = closing[Symbol.asyncDispose]();
    gate.resolve();
    t.equal((await answer).text, '{"value":9}');
    await closed;
  },
);
