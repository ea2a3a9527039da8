/** What one socket can cost: posts at once, channels watched, a reader that stands still, frames that nobody should send. Real bus, store and sockets. */
import { randomBytes } from 'node:crypto';
import { Fault } from '@island/protocol/wire/fault.ts';
import { encodeClientFrame } from '@island/protocol/wire/frames.ts';
import { type AccountId, type ChannelId, channelId, deviceId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import t from 'tap';
import { testIsland } from '../kit/testing/kit.ts';
import { eventually } from '../kit/testing/outcome.ts';
import { spaces } from '../spaces/contract.ts';
import { openChannels } from './channels.ts';
import { channelIsland, of, places } from './testing/channel-island.ts';
import { Watches } from './watches.ts';

const test = await channelIsland();
t.teardown(() => test[Symbol.asyncDispose]());
const { bus, spacesBus, island, at, watching } = test;

t.test('posts of a socket are taken in the order in which they came', async (t) => {
  const board = await test.board('order');
  const channel = await board.channel('lobby');
  const { owner, state } = board.isle;
  const { account } = owner;
  using socket = await watching(owner, channel);
  const asked = { account, space: state.space, after: 0 };
  const { lists } = await bus.call(spaces, 'lists', asked);
  const posts = Array.from({ length: 8 }, (_, i) => board.sealed(owner, channel, `${i}`));
  for (const [i, post] of posts.entries())
    socket.send({ type: 'post', request: i + 1, channel, lists, post });
  await eventually(() => of(socket, 'posted').length === 8 && places(socket).length === 8);
  t.same(
    of(socket, 'posted').map(({ request, seq }) => [request, seq]),
    posts.map((_, i) => [i + 1, i + 1]),
  );
  t.same(
    of(socket, 'post').map(({ item }) => 'post' in item && item.post),
    posts,
  );
  // The same bytes again, as after a connection that ended too early.
  socket.send({ type: 'post', request: 9, channel, lists, post: posts[0] ?? new Uint8Array() });
  await eventually(() => of(socket, 'posted').length === 9);
  t.equal(of(socket, 'posted').at(-1)?.seq, 1);
});

t.test('a post that is refused says why, with the number that helps', async (t) => {
  const board = await test.board('refused');
  const channel = await board.channel('lobby');
  const other = await board.channel('other');
  const { owner } = board.isle;
  const stranger = board.person('stranger');
  using socket = await at(owner);
  using outside = await at(stranger);
  const post = board.sealed(owner, channel, 'hello');
  socket.send({ type: 'post', request: 1, channel, lists: 99, post });
  socket.send({ type: 'post', request: 2, channel: other, lists: 0, post });
  outside.send({ type: 'post', request: 3, channel, lists: 0, post });
  await eventually(() => of(socket, 'refused').length === 2 && of(outside, 'refused').length === 1);
  const { lists } = await bus.call(spaces, 'lists', {
    account: owner.account,
    space: board.isle.state.space,
    after: 0,
  });
  const by = new Map(of(socket, 'refused').map((frame) => [frame.request, frame]));
  t.match(by.get(1), { channel, code: 'lists_stale', number: lists });
  t.match(by.get(2), { channel: other, code: 'malformed' });
  t.match(of(outside, 'refused'), [{ request: 3, code: 'not_found' }]);
});

t.test('more posts at once than may wait are refused, the others are taken', async (t) => {
  const board = await test.board('many');
  const channel = await board.channel('lobby');
  const { owner, state } = board.isle;
  const { account } = owner;
  using socket = await at(owner);
  const { lists } = await bus.call(spaces, 'lists', { account, space: state.space, after: 0 });
  const posts = Array.from({ length: 12 }, (_, i) => board.sealed(owner, channel, `${i}`));
  const all = posts.map((post, i) =>
    encodeClientFrame({ type: 'post', request: i + 1, channel, lists, post }),
  );
  for (const frame of all) socket.bytes(frame);
  await eventually(() => of(socket, 'posted').length + of(socket, 'refused').length === 12);
  t.ok(of(socket, 'posted').length >= limits.postsUnanswered);
  t.ok(of(socket, 'refused').every(({ code }) => code === 'rate_limited'));
  const seqs = of(socket, 'posted').map(({ seq }) => seq);
  t.same(
    seqs,
    seqs.toSorted((a, b) => a - b),
  );
});

t.test('a socket watches 512 channels and not one more', async (t) => {
  const board = await test.board('512');
  const { owner } = board.isle;
  const real = await board.channel('lobby');
  using socket = await at(owner);
  const all = Array.from({ length: limits.watchedChannels - 1 }, () =>
    channelId(randomBytes(16).toString('hex')),
  );
  // What is asked for counts, also while it waits for its answer.
  const channels = [real, ...all];
  for (let from = 0; from < channels.length; from += 64)
    socket.send({ type: 'watch', channels: channels.slice(from, from + 64) });
  const last = channelId(randomBytes(16).toString('hex'));
  socket.send({ type: 'watch', channels: [last] });
  await eventually(() => of(socket, 'refused').length === 512);
  t.same(of(socket, 'watching'), [{ type: 'watching', channel: real, head: 0 }]);
  const full = of(socket, 'refused').filter(({ code }) => code === 'too_large');
  t.match(full, [{ channel: last, number: 512 }]);
});

t.test('one that reads nothing is left out and told so once; the others go on', async (t) => {
  const board = await test.board('slow');
  const channel = await board.channel('lobby');
  const { owner } = board.isle;
  const [ann, bob] = [await board.join('ann'), await board.join('bob')];
  using slow = await watching(ann, channel);
  using quick = await watching(bob, channel);
  slow.raw.pause();
  const before = process.memoryUsage.rss();
  const by = { accepted: 1, author: owner.account, device: deviceId(1) };
  const count = 6000;
  const post = randomBytes(limits.postBytes);
  for (let seq = 1; seq <= count; seq++) {
    spacesBus.publish(spaces, 'posted', channel, { ...by, seq, post });
    // The one that reads is never left behind by more than a little.
    if (seq % 20 === 0) await eventually(() => places(quick).at(-1) === seq);
  }
  t.equal(of(quick, 'post').length, count, 'the other one has them all');
  const grown = process.memoryUsage.rss() - before;
  // What `quick` keeps in this test is 50 MB by itself.
  t.ok(grown < 200e6, `${Math.round(grown / 1e6)} MB`);
  slow.raw.resume();
  await eventually(() => of(slow, 'behind').length === 1);
  const got = places(slow);
  t.ok(got.length < count / 2, `${got.length} of ${count} were sent`);
  t.same(
    of(slow, 'behind'),
    [{ type: 'behind', channel, seq: got.length }],
    'the newest it was sent',
  );
  t.strictSame(
    got,
    got.map((_, i) => i + 1),
    'without a hole',
  );
  spacesBus.publish(spaces, 'posted', channel, { ...by, seq: count + 1, post });
  await eventually(() => places(slow).at(-1) === count + 1);
  t.equal(slow.closed, undefined);
});

t.test(
  'a lost right that nobody heard of ends when it is asked about anew, or can’t be',
  async (t) => {
    await using alone = await testIsland(['gateway', 'spaces']);
    const { bus: asking } = await alone.kit('gateway');
    const { bus: answering } = await alone.kit('spaces');
    const [id, other] = [channelId('0'.repeat(32)), channelId('1'.repeat(32))];
    let allowed: ChannelId[] | Fault = [id, other];
    answering.handle(spaces, 'watch', async ({ channels }) => {
      if (allowed instanceof Fault) throw allowed;
      const may = allowed;
      const found = channels.filter((one) => may.includes(one));
      return {
        channels: found.map((channel) => ({ channel, space: '2'.repeat(32) as never, head: 4 })),
      };
    });
    await answering.settled();
    using channels = openChannels(asking);
    const sent: Uint8Array[] = [];
    let pushed = 0;
    const line = {
      send: (frame: Uint8Array) => void sent.push(frame),
      push: () => void pushed++,
      buffered: 0,
    };
    using watches = new Watches({
      ...{ account: '3'.repeat(32) as AccountId, line: line as never, bus: asking, channels },
      ...{ log: alone.log, ticks: () => 0 },
    });
    watches.watch([id, other]);
    await eventually(() => sent.length === 2);
    await watches.recheck();
    t.equal(sent.length, 2, 'nothing is said of what stands');
    allowed = [other];
    await watches.recheck();
    t.equal(sent.length, 3);
    allowed = new Fault('unavailable');
    await watches.recheck();
    t.equal(sent.length, 4);
    answering.publish(spaces, 'posted', id, {
      ...{ seq: 5, accepted: 1, author: '3'.repeat(32) as AccountId, device: deviceId(1) },
      post: new Uint8Array(1),
    });
    await answering.settled();
    await asking.settled();
    t.equal(pushed, 0);
  },
);

t.test('hostile frames about channels end their own session at most', async (t) => {
  const board = await test.board('hostile');
  const channel = await board.channel('lobby');
  const { owner } = board.isle;
  const ann = await board.join('ann');
  using olga = await watching(owner, channel);
  const nobody = channelId(randomBytes(16).toString('hex'));
  const post = randomBytes(90);
  const good = [
    { type: 'post', request: 1, channel: nobody, lists: 2 ** 50, post },
    { type: 'post', request: 2, channel, lists: 0, post: new Uint8Array() },
    { type: 'watch', channels: Array.from({ length: 64 }, () => nobody) },
    { type: 'unwatch', channels: [nobody] },
    { type: 'typing', channel: nobody, began: true },
    { type: 'typing', channel, began: true },
    { type: 'presence', state: 'off' },
  ] as const;
  for (let round = 0; round < 30; round++) {
    using socket = await at(ann);
    for (const frame of good) {
      const bytes = encodeClientFrame(frame as never);
      const cut = randomBytes(2);
      if (round % 3 === 1) bytes[2 + ((cut[0] ?? 0) % (bytes.length - 2))] = cut[1] ?? 0;
      socket.bytes(round % 3 === 2 ? bytes.subarray(0, (cut[0] ?? 0) % bytes.length) : bytes);
    }
    socket.send({ type: 'ping', nonce: 1 });
    await eventually(() => of(socket, 'pong').length > 0 || socket.closed !== undefined);
  }
  await board.post(owner, channel, 'still here');
  await eventually(() => places(olga).length === 1);
  t.notOk(
    island.log.lines.some((line) => /"level":"error"/.test(line)),
    'no bug was found',
  );
});
