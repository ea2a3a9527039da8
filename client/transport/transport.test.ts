/** Whom a client trusts, what it sends to whom, and what it makes of answers. */
import { createHash, X509Certificate } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { Fault } from '@island/protocol/wire/fault.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import t from 'tap';
import { WebSocketServer } from 'ws';
import { makeChain, serveEdge } from '../testing/edge.ts';
import { fetchRoot } from './first-contact.ts';
import { nodeTransport } from './node.ts';
import { call, retryAfter, sendSealed } from './transport.ts';

const chain = await makeChain(['localhost', '127.0.0.1']);
const stranger = await makeChain(['localhost', '127.0.0.1']);
const challenge = { challenge: 'A'.repeat(43) };

const json =
  (status: number, body: unknown, headers: Record<string, string> = {}): RequestListener =>
  (request, response) => {
    request.resume();
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };

t.test(
  'first contact takes the root that hashes to the fingerprint, and sends nothing',
  async (t) => {
    let requests = 0;
    await using edge = await serveEdge(chain, () => {
      requests += 1;
    });
    const root = await fetchRoot(edge.address, chain.fingerprint);
    t.equal(root.trim(), chain.root.trim());
    t.equal(requests, 0);
    // The client is gone before the server has finished its side, or right after.
    t.ok(edge.connections.every((each) => each.received === 0));
  },
);

t.test('first contact refuses an island whose root is another one', async (t) => {
  await using edge = await serveEdge(stranger, json(200, challenge));
  await t.rejects(fetchRoot(edge.address, chain.fingerprint), { code: 'wrong_island' });
  const leaf = createHash('sha256').update(new X509Certificate(stranger.certificates).raw).digest();
  await t.rejects(fetchRoot(edge.address, leaf), { code: 'wrong_island' }, 'a leaf is no root');
});

t.test(
  'a server that shows the right root without being vouched for by it gets no request',
  async (t) => {
    let requests = 0;
    const [leaf = ''] = stranger.certificates.split(/(?<=-----END CERTIFICATE-----\n)/);
    const [, edgeCa = '', root = ''] = chain.certificates.split(/(?<=-----END CERTIFICATE-----\n)/);
    const forged = { ...stranger, certificates: leaf + edgeCa + root };
    await using edge = await serveEdge(forged, () => {
      requests += 1;
    });
    const pinned = await fetchRoot(edge.address, chain.fingerprint).catch(
      (error: unknown) => error,
    );
    if (typeof pinned === 'string') {
      await using transport = nodeTransport({ address: edge.address, root: pinned });
      await t.rejects(call(transport, 'challenge', {}), { code: 'untrusted' });
    } else t.match(pinned, { code: 'wrong_island' });
    t.equal(requests, 0);
  },
);

t.test('an address where nobody listens is unreachable', async (t) => {
  const edge = await serveEdge(chain, () => {});
  await edge[Symbol.asyncDispose]();
  await t.rejects(fetchRoot(edge.address, chain.fingerprint), { code: 'unreachable' });
  await using transport = nodeTransport({ address: edge.address, root: chain.root });
  await t.rejects(call(transport, 'challenge', {}), { code: 'unreachable' });
  await t.rejects(transport.socket('/v1/socket'), { code: 'unreachable' });
});

t.test('only the pinned root is trusted, for requests, sends and sockets', async (t) => {
  await using edge = await serveEdge(stranger, json(200, challenge));
  await using transport = nodeTransport({ address: edge.address, root: chain.root });
  await t.rejects(call(transport, 'challenge', {}), { code: 'untrusted' });
  await t.rejects(sendSealed(transport, new Uint8Array(10)), { code: 'untrusted' });
  await t.rejects(transport.socket('/v1/socket'), { code: 'untrusted' });
  t.equal(
    edge.connections.reduce((sum, each) => sum + each.received, 0),
    0,
  );
});

t.test('a certificate for another host is refused', async (t) => {
  const elsewhere = await makeChain(['island.example']);
  await using edge = await serveEdge(elsewhere, json(200, challenge));
  await using transport = nodeTransport({ address: edge.address, root: elsewhere.root });
  await t.rejects(call(transport, 'challenge', {}), { code: 'untrusted' });
});

t.test('an expired certificate is refused', async (t) => {
  const old = await makeChain(['localhost'], -60_000);
  await using edge = await serveEdge(old, json(200, challenge));
  await using transport = nodeTransport({ address: edge.address, root: old.root });
  await t.rejects(call(transport, 'challenge', {}), { code: 'untrusted' });
});

t.test('an address that is a number works like a name', async (t) => {
  await using edge = await serveEdge(chain, json(200, challenge), '127.0.0.1');
  await using transport = nodeTransport({
    address: edge.address,
    root: await fetchRoot(edge.address, chain.fingerprint),
  });
  t.equal((await call(transport, 'challenge', {})).challenge.length, 32);
});

t.test(
  'M2: sealed sends share no connection, cookie, token or TLS session with requests',
  async (t) => {
    const seen: {
      path: string | undefined;
      port: number | undefined;
      cookie: string | undefined;
      authorization: string | undefined;
      body: number;
    }[] = [];
    await using edge = await serveEdge(chain, (request, response) => {
      const { authorization, cookie } = request.headers;
      let body = 0;
      request.on('data', (part: Uint8Array) => {
        body += part.length;
      });
      request.on('end', () => {
        seen.push({
          path: request.url,
          port: request.socket.remotePort,
          cookie,
          authorization,
          body,
        });
        const status = request.url === '/v1/send' ? 202 : 200;
        response.writeHead(status, { 'set-cookie': `who=${request.socket.remotePort}` });
        response.end(status === 200 ? JSON.stringify(challenge) : '');
      });
    });
    await using transport = nodeTransport({ address: edge.address, root: chain.root });
    await call(transport, 'challenge', {}, { token: 'secret' });
    await sendSealed(transport, new Uint8Array(10));
    await call(transport, 'challenge', {}, { token: 'secret' });
    await sendSealed(transport, new Uint8Array(10));
    const requests = seen.filter((each) => each.path !== '/v1/send');
    const sends = seen.filter((each) => each.path === '/v1/send');
    t.same(
      requests.map((each) => each.authorization),
      ['Bearer secret', 'Bearer secret'],
    );
    t.same(
      sends.map(({ cookie, authorization, body }) => ({ cookie, authorization, body })),
      Array(2).fill({ cookie: undefined, authorization: undefined, body: 10 }),
    );
    const ports = new Set(requests.map((each) => each.port));
    t.notOk(sends.some((each) => ports.has(each.port)));
    t.notOk(edge.connections.some((each) => each.socket.isSessionReused()));
  },
);

t.test('an island’s refusal arrives with its code, details and the time to wait', async (t) => {
  await using edge = await serveEdge(
    chain,
    json(
      409,
      { code: 'stale_devices', text: 'x', details: { missing: [2], extra: [], epoch: 7 } },
      { 'retry-after': '3' },
    ),
  );
  await using transport = nodeTransport({ address: edge.address, root: chain.root });
  const error = await sendSealed(transport, new Uint8Array(1)).catch((thrown: unknown) => thrown);
  t.match(error, { code: 'stale_devices', details: { missing: [2], extra: [], epoch: 7 } });
  t.equal(retryAfter(error), 3000);
});

for (const [what, listener, code] of [
  ['an edge without its gateway', json(502, ''), 'unavailable'],
  ['an unknown code', json(400, { code: 'no_such_code', text: 'x' }), 'not_an_island'],
  ['a page of a web server', json(200, '<html>'), 'not_an_island'],
  ['an answer of another form', json(200, { challenge: 'AAAA' }), 'not_an_island'],
  ['an answer with a field too many', json(200, { ...challenge, more: 1 }), 'not_an_island'],
  ['a redirect', json(302, '', { location: 'https://localhost/' }), 'not_an_island'],
  [
    'an endless answer',
    ((_, response) => {
      response.writeHead(200);
      const more = () => {
        while (response.write('x'.repeat(65_536)));
      };
      response.on('drain', more);
      more();
    }) as RequestListener,
    'unreachable',
  ],
  [
    'an answer that breaks off',
    ((_, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('{', () => response.destroy());
    }) as RequestListener,
    'unreachable',
  ],
] as const) {
  t.test(`${what} is ${code}`, async (t) => {
    await using edge = await serveEdge(chain, listener);
    await using transport = nodeTransport({ address: edge.address, root: chain.root });
    const error = await call(transport, 'challenge', {}).catch((thrown: unknown) => thrown);
    t.match(error, { code });
    t.equal(error instanceof Fault, code === 'unavailable');
  });
}

t.test('T6: a socket that sends more than anybody reads is cut', async (t) => {
  await using edge = await serveEdge(chain, json(200, challenge));
  const sockets = new WebSocketServer({ server: edge.server });
  t.teardown(() => sockets.close());
  const window = limits.socketWindow;
  sockets.on('connection', (socket) => {
    for (let i = 0; i < window * 8; i++) socket.send(Buffer.alloc(1_000, i));
  });
  await using transport = nodeTransport({ address: edge.address, root: chain.root });
  const cutOff = new Promise<void>((resolve) => {
    sockets.on('connection', (socket) => socket.on('close', () => resolve()));
  });
  const socket = await transport.socket('/v1/socket');
  await cutOff;
  let read = 0;
  for await (const _frame of socket.frames) read++;
  t.equal(read, window * 4, 'what had come before can be read');

  await t.test('and one that is read goes on', async (t) => {
    const socket = await transport.socket('/v1/socket');
    let read = 0;
    for await (const _frame of socket.frames) if (++read === window * 8) socket.cut();
    t.equal(read, window * 8);
  });
});
