/** A client's connection: HELLO, mail in order, acknowledgement, its end. Real bus, store and sockets. */
import { limits } from '@island/protocol/wire/limits.ts';
import t from 'tap';
import { eventually } from '../kit/testing/outcome.ts';
import { gatewayIsland } from './testing/island.ts';

const test = await gatewayIsland();
t.teardown(() => test[Symbol.asyncDispose]());
const { edge, lists, tokens, mail, waiting } = test;

const upTo = (last: number, first = 1) =>
  Array.from({ length: last - first + 1 }, (_, at) => first + at);

t.test('HELLO with a good token is answered READY with account, device and head', async (t) => {
  const account = lists.person(1);
  await mail(account, 3);
  using socket = await edge.hello(await tokens.sign(account));
  t.strictSame(socket.frames[0], { type: 'ready', account, device: 1, head: 3 });
});

t.test('what waited comes first, then what is new, in order of seq', async (t) => {
  const account = lists.person(1);
  await mail(account, 5);
  using socket = await edge.hello(await tokens.sign(account));
  await mail(account, 5);
  await eventually(() => socket.seqs().length === 10);
  t.strictSame(socket.seqs(), upTo(10));
});

t.test('mail that is put while the connection opens is neither lost nor doubled', async (t) => {
  const account = lists.person(1);
  const putting = mail(account, 60);
  using socket = await edge.hello(await tokens.sign(account));
  await putting;
  await eventually(() => socket.seqs().length >= 60);
  t.strictSame(socket.seqs(), upTo(60));
});

t.test('what is acknowledged is forgotten; what is not comes again', async (t) => {
  const account = lists.person(1);
  await mail(account, 4);
  using first = await edge.hello(await tokens.sign(account));
  await eventually(() => first.seqs().length === 4);
  first.send({ type: 'ack', seq: 3 });
  while ((await waiting(account)).length > 1);
  first.raw.close();
  await first.end();
  using second = await edge.hello(await tokens.sign(account));
  await eventually(() => second.seqs().length === 1);
  t.strictSame(second.seqs(), [4]);
});

t.test(
  'a slow consumer gets a window of envelopes and no more until it acknowledges',
  async (t) => {
    const account = lists.person(1);
    const window = limits.socketWindow;
    await mail(account, window + 40);
    using socket = await edge.hello(await tokens.sign(account));
    await eventually(() => socket.seqs().length === window);
    // New mail does not get past the window either, and a PING is answered behind what was sent.
    await mail(account, 3);
    socket.send({ type: 'ping', nonce: 1 });
    await eventually(() => socket.frames.at(-1)?.type === 'pong');
    t.strictSame(socket.seqs(), upTo(window));
    socket.send({ type: 'ack', seq: 10 });
    await eventually(() => socket.seqs().length === window + 10);
    socket.send({ type: 'ack', seq: window + 10 });
    await eventually(() => socket.seqs().length === window + 43);
    t.strictSame(socket.seqs(), upTo(window + 43));
    socket.send({ type: 'ack', seq: window + 43 });
    while ((await waiting(account)).length > 0);
  },
);

t.test('a window of the largest envelopes is fetched in several pages', async (t) => {
  const account = lists.person(1);
  await mail(account, 100, limits.envelopeBytes);
  using socket = await edge.hello(await tokens.sign(account));
  await eventually(() => socket.seqs().length === 100);
  t.strictSame(socket.seqs(), upTo(100));
});

t.test('acknowledging what was not sent is malformed', async (t) => {
  const account = lists.person(1);
  await mail(account, 2);
  using socket = await edge.hello(await tokens.sign(account));
  await eventually(() => socket.seqs().length === 2);
  socket.send({ type: 'ack', seq: 3 });
  t.equal(await socket.end(), 4400);
  t.strictSame(socket.faults(), ['malformed']);
  t.strictSame(await waiting(account), [1, 2]);
});

t.test('acknowledging again, or less than before, changes nothing', async (t) => {
  const account = lists.person(1);
  await mail(account, 3);
  using socket = await edge.hello(await tokens.sign(account));
  await eventually(() => socket.seqs().length === 3);
  for (const seq of [2, 2, 1, 0]) socket.send({ type: 'ack', seq });
  socket.send({ type: 'ping', nonce: 9 });
  await eventually(() => socket.frames.at(-1)?.type === 'pong');
  while ((await waiting(account)).length !== 1);
  t.strictSame(await waiting(account), [3]);
});

t.test('a second connection of a device replaces the first; other devices stay', async (t) => {
  const account = lists.person(1, 2);
  using first = await edge.hello(await tokens.sign(account, 1));
  using other = await edge.hello(await tokens.sign(account, 2));
  using second = await edge.hello(await tokens.sign(account, 1));
  t.equal(await first.end(), 4410);
  t.strictSame(first.faults(), ['replaced']);
  t.equal(other.closed, undefined);
  second.send({ type: 'ping', nonce: 5 });
  await eventually(() => second.frames.some(({ type }) => type === 'pong'));
});

t.test('no HELLO within its time ends the socket', { timeout: 20_000 }, async (t) => {
  using socket = await edge.socket();
  const start = performance.now();
  t.equal(await socket.end(), 4408);
  const seconds = (performance.now() - start) / 1000;
  t.ok(seconds > limits.helloSeconds - 1 && seconds < limits.helloSeconds + 2, `${seconds} s`);
});

t.test('tokens that are not good end the socket with the reason', async (t) => {
  const account = lists.person(1);
  const bad: [string, string][] = [
    ['not a token', 'unauthenticated'],
    [await tokens.sign(account, 1, { seconds: -10 }), 'token_expired'],
    [await tokens.sign(account, 1, { issuer: 'somebody' }), 'unauthenticated'],
    [await tokens.sign(account, 1, { audience: 'somebody' }), 'unauthenticated'],
    [await tokens.sign(account, 1, { kid: 'nobody' }), 'unauthenticated'],
    [`${(await tokens.sign(account)).slice(0, -4)}AAAA`, 'unauthenticated'],
    [await tokens.sign(account, 0), 'unauthenticated'],
    [await tokens.join(account), 'unauthenticated'],
  ];
  for (const [access, code] of bad) {
    using socket = await edge.socket();
    socket.send({ type: 'hello', access });
    t.equal(await socket.end(), 4401);
    t.strictSame(socket.faults(), [code]);
  }
});

t.test('A5: the sockets of an ended session close within two seconds', async (t) => {
  const account = lists.person(1, 2);
  using ended = await edge.hello(await tokens.sign(account, 1, { session: 'to-end' }));
  using other = await edge.hello(await tokens.sign(account, 2, { session: 'to-stay' }));
  const start = performance.now();
  tokens.end(account, 'to-end');
  t.equal(await ended.end(), 4401);
  t.ok(performance.now() - start < 2000);
  t.strictSame(ended.faults(), ['session_revoked']);
  t.equal(other.closed, undefined);
});

t.test(
  'A5: keys rotate: a new kid is fetched when it first shows, the former stays good',
  async (t) => {
    const account = lists.person(1);
    const former = await tokens.sign(account);
    await tokens.rotate();
    const fresh = await tokens.sign(account);
    using one = await edge.hello(fresh);
    t.equal(one.frames[0]?.type, 'ready');
    using other = await edge.hello(former);
    t.equal(other.frames[0]?.type, 'ready');
  },
);

t.test('a token is verified once and then known by its hash', async (t) => {
  const account = lists.person(1);
  const access = await tokens.sign(account);
  (await edge.hello(access))[Symbol.dispose]();
  const asked = tokens.asked;
  for (let i = 0; i < 5; i++) (await edge.hello(access))[Symbol.dispose]();
  t.equal(tokens.asked, asked);
});
