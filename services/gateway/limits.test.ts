/** T6 and bad input on real sockets: what is refused, how, and that nobody else notices. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';
import { encodeClientFrame } from '@island/protocol/wire/frames.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { socketPath } from '@island/protocol/wire/routes.ts';
import t from 'tap';
import { serveTls } from '../kit/http-server.ts';
import { eventually } from '../kit/testing/outcome.ts';
import { openAccess } from './access.ts';
import { openSockets } from './sockets.ts';
import { testEdge } from './testing/edge.ts';
import { gatewayIsland } from './testing/island.ts';

const test = await gatewayIsland();
t.teardown(() => test[Symbol.asyncDispose]());
const { edge, lists, tokens, island, port } = test;

const pongs = (socket: { frames: { type: string }[] }) =>
  socket.frames.filter(({ type }) => type === 'pong').length;
const errors = () => island.log.lines.filter((line) => line.includes('"level":"error"'));
const ready = async (device = 1) => edge.hello(await tokens.sign(lists.person(device), device));

t.test(
  'T6: the 31st message within a second is refused and not processed; later ones are',
  async (t) => {
    using socket = await ready();
    await new Promise((resolve) => setTimeout(resolve, 1050));
    for (let nonce = 1; nonce <= 31; nonce++) socket.send({ type: 'ping', nonce });
    await eventually(() => socket.frames.length === 32);
    t.equal(pongs(socket), 30);
    t.strictSame(socket.faults(), ['rate_limited']);
    t.equal(socket.frames.at(-1)?.type, 'fault', 'the last, not one of the first thirty');
    await new Promise((resolve) => setTimeout(resolve, 1050));
    socket.send({ type: 'ping', nonce: 99 });
    await eventually(() => pongs(socket) === 31);
    t.equal(socket.closed, undefined);
  },
);

t.test('T6: ten refused messages within ten seconds end the socket with 4429', async (t) => {
  using socket = await ready();
  for (let nonce = 1; nonce <= 200; nonce++) socket.send({ type: 'ping', nonce });
  t.equal(await socket.end(), 4429);
  t.equal(socket.faults().length, limits.refusedFrames);
  t.ok(pongs(socket) <= limits.framesPerSecond);
});

t.test('T6: WebSocket pings count like messages', async (t) => {
  using socket = await ready();
  for (let i = 0; i < 200; i++) socket.raw.ping();
  t.equal(await socket.end(), 4429);
});

t.test(
  'T6: a message of 16,384 bytes is read, one of 16,385 ends the socket with 1009',
  async (t) => {
    using fits = await ready();
    fits.bytes(new Uint8Array(limits.frameBytes));
    t.equal(await fits.end(), 4400, 'read, and of a version that nobody speaks');
    t.strictSame(fits.faults(), ['unknown_version']);
    using over = await ready();
    over.bytes(new Uint8Array(limits.frameBytes + 1));
    t.equal(await over.end(), 1009);
  },
);

t.test('T6: while one connection floods, another is answered as before', async (t) => {
  using quiet = await ready();
  const flood = Promise.all(
    Array.from({ length: 5 }, async () => {
      using loud = await ready();
      const frame = encodeClientFrame({ type: 'ping', nonce: 1 });
      for (let i = 0; i < 5000; i++) loud.bytes(frame);
      return await loud.end();
    }),
  );
  const waits: number[] = [];
  for (let nonce = 1; nonce <= 20; nonce++) {
    const start = performance.now();
    quiet.send({ type: 'ping', nonce });
    await eventually(() => pongs(quiet) === nonce);
    waits.push(performance.now() - start);
  }
  t.strictSame(await flood, [4429, 4429, 4429, 4429, 4429]);
  t.strictSame(quiet.faults(), []);
  t.ok(Math.max(...waits) < 1000, `slowest answer ${Math.round(Math.max(...waits))} ms`);
});

t.test(
  'a text message, another HELLO, and a first message that is no HELLO are malformed',
  async (t) => {
    using text = await ready();
    text.bytes('a text');
    t.equal(await text.end(), 4400);
    t.strictSame(text.faults(), ['malformed']);
    const access = await tokens.sign(lists.person(1));
    using twice = await edge.hello(access);
    twice.send({ type: 'hello', access });
    t.equal(await twice.end(), 4400);
    using early = await edge.socket();
    early.send({ type: 'ack', seq: 0 });
    t.equal(await early.end(), 4400);
  },
);

t.test('what comes between HELLO and READY waits for READY', async (t) => {
  using socket = await edge.socket();
  socket.send({ type: 'hello', access: await tokens.sign(lists.person(1)) });
  socket.send({ type: 'ping', nonce: 7 });
  await eventually(() => socket.frames.length === 2);
  t.strictSame(
    socket.frames.map(({ type }) => type),
    ['ready', 'pong'],
  );
});

t.test('frames of any content end their own socket at most', { timeout: 60_000 }, async (t) => {
  const seed = randomBytes(4).readUInt32BE();
  t.comment(`seed ${seed}`);
  let state = seed || 1;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const good = [
    encodeClientFrame({ type: 'hello', access: 'x'.repeat(200) }),
    encodeClientFrame({ type: 'ack', seq: 1 }),
    encodeClientFrame({ type: 'ping', nonce: 2 }),
  ];
  const mutated = (): Uint8Array => {
    const frame = Uint8Array.from(good[random(good.length)] ?? []);
    for (let i = random(4); i >= 0; i--) frame[random(frame.length)] = random(256);
    if (random(3) === 0) return frame.subarray(0, random(frame.length));
    return random(3) === 0 ? Buffer.concat([frame, randomBytes(random(100))]) : frame;
  };
  using witness = await ready();
  for (let round = 0; round < 60; round++) {
    using socket = random(2) === 0 ? await ready() : await edge.socket();
    for (let i = 0; i < 10; i++) {
      socket.bytes(random(4) === 0 ? randomBytes(random(2000)) : mutated());
    }
    socket.raw.close();
    await socket.end();
  }
  witness.send({ type: 'ping', nonce: 1 });
  await eventually(() => pongs(witness) === 1);
  t.strictSame(errors(), [], `seed ${seed}`);
});

/** A connection that has been upgraded, for bytes that no WebSocket library would send. */
async function upgraded(): Promise<TLSSocket> {
  const socket = connect(edge.tls());
  socket.on('error', () => undefined);
  await once(socket, 'secureConnect');
  socket.write(
    `GET ${socketPath} HTTP/1.1\r\nHost: gateway\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  );
  await once(socket, 'data');
  return socket;
}

t.test('an unmasked close frame, as Caddy sends at a reload, ends that socket only', async (t) => {
  using witness = await ready();
  const frames: [string, number[]][] = [
    ['unmasked close', [0x88, 0x02, 0x03, 0xe9]],
    ['reserved opcode', [0x83, 0x80, 0, 0, 0, 0]],
    ['reserved bits', [0xf2, 0x80, 0, 0, 0, 0]],
    ['continuation of nothing', [0x80, 0x80, 0, 0, 0, 0]],
    ['control frame of 126 bytes', [0x89, 0xfe, 0, 126, 0, 0, 0, 0]],
    ['length of 2^63', [0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
    ['close code 1', [0x88, 0x82, 0, 0, 0, 0, 0, 1]],
  ];
  for (const [name, bytes] of frames) {
    const socket = await upgraded();
    const closed = once(socket, 'close');
    socket.resume().write(Uint8Array.from(bytes));
    await closed;
    t.pass(name);
  }
  const half = await upgraded();
  half.write(Uint8Array.from([0x82, 0xfe, 0x10, 0x00, 1, 2, 3]));
  half.destroy();
  witness.send({ type: 'ping', nonce: 1 });
  await eventually(() => pongs(witness) === 1);
  t.strictSame(errors(), []);
});

t.test('a message in thousands of pieces ends the socket that sends it', async (t) => {
  const socket = await upgraded();
  const closed = once(socket, 'close');
  socket.resume().write(Uint8Array.from([0x02, 0x81, 0, 0, 0, 0, 7]));
  for (let i = 0; i < 100; i++) socket.write(Uint8Array.from([0x00, 0x81, 0, 0, 0, 0, 7]));
  await closed;
  t.pass('closed');
});

t.test('only /v1/socket becomes a socket, and only with a WebSocket handshake', async (t) => {
  const headers = { Connection: 'Upgrade', 'Sec-WebSocket-Version': '13' };
  const cases: [string, Record<string, string>, number][] = [
    ['/v1/other', { ...headers, Upgrade: 'websocket' }, 404],
    [`${socketPath}?a=b`, { ...headers, Upgrade: 'websocket' }, 404],
    [socketPath, { ...headers, Upgrade: 'h2c' }, 400],
    [socketPath, { ...headers, Upgrade: 'websocket' }, 400],
  ];
  for (const [path, given, status] of cases) {
    const reply = await edge.ask(path, { headers: given });
    t.equal(reply.status, status, `${path} ${given['Upgrade']}`);
    t.ok(reply.json().code);
  }
});

t.test('T2: nobody but the edge is let in, whatever service they are', async (t) => {
  for (const name of ['delivery', 'accounts', 'nats', 'gateway'] as const) {
    await using identity = await island.pki.identity(name);
    const other = testEdge(identity, port);
    await t.rejects(other.ask('/.well-known/island'), name);
    await t.rejects(other.socket(), name);
  }
});

t.test('sockets are bounded, and those that have not said who they are more so', async (t) => {
  await using identity = await island.pki.identity('gateway');
  const { bus, cache, clock, log } = await island.kit('gateway');
  if (cache === undefined) throw new Error('no cache');
  using access = openAccess({ bus, cache, clock });
  const listener = () => undefined;
  await using http = await serveTls({ listener, identity, accept: ['edge'], port: 0, log });
  const bounds = { most: 4, mostSilent: 2 };
  await using _sockets = openSockets({ server: http.server, access, bus, clock, log, ...bounds });
  await using edgeIdentity = await island.pki.identity('edge');
  const small = testEdge(edgeIdentity, http.port);
  using _a = await small.hello(await tokens.sign(lists.person(1)));
  using _b = await small.hello(await tokens.sign(lists.person(1)));
  using _silent = await small.socket();
  using other = await small.socket();
  await t.rejects(small.socket(), /503/, 'as many as may be');
  other.raw.close();
  await other.end();
  using _third = await small.socket();
  t.pass('room again');
});

t.test('silent sockets of one address leave room for those of another', async (t) => {
  const { bus, cache, clock, log, identity } = await island.kit('gateway');
  if (cache === undefined) throw new Error('no cache');
  using access = openAccess({ bus, cache, clock });
  const listener = () => undefined;
  await using http = await serveTls({ listener, identity, accept: ['edge'], port: 0, log });
  const bounds = { mostSilent: 10, mostSilentEach: 2 };
  await using _sockets = openSockets({ server: http.server, access, bus, clock, log, ...bounds });
  await using edgeIdentity = await island.pki.identity('edge');
  const small = testEdge(edgeIdentity, http.port);
  using _a = await small.socket('2001:db8::1');
  using b = await small.socket('2001:db8::2');
  await t.rejects(small.socket('2001:db8::3'), /429/, 'the same network');
  using _other = await small.socket('192.0.2.9');
  b.send({ type: 'hello', access: await tokens.sign(lists.person(1)) });
  await eventually(() => b.frames.length > 0);
  using _third = await small.socket('2001:db8::3');
  t.pass('whoever was admitted does not count');
});
