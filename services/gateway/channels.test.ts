/** Channels over sockets: watching, posts to everybody, rights that end, events that are lost. Real bus, store and sockets. */
import { permissions } from '@island/protocol/space/permissions.ts';
import { deviceId } from '@island/protocol/wire/ids.ts';
import t from 'tap';
import { eventually } from '../kit/testing/outcome.ts';
import { spaces } from '../spaces/contract.ts';
import { spacesService } from '../spaces/service.ts';
import { channelIsland, of, places } from './testing/channel-island.ts';

const test = await channelIsland();
t.teardown(() => test[Symbol.asyncDispose]());
const { island, spacesBus, at, watching } = test;

t.test('M3: a post comes to everybody who watches, once, in order of its place', async (t) => {
  const board = await test.board('everybody');
  const channel = await board.channel('lobby');
  const { owner } = board.isle;
  const [ann, bob] = [await board.join('ann'), await board.join('bob')];
  const sockets = await Promise.all([owner, ann, bob].map((who) => watching(who, channel)));
  const posts = Array.from({ length: 12 }, (_, i) => board.sealed(ann, channel, `${i}`));
  for (const post of posts) await board.send(ann, post);
  for (const socket of sockets) {
    await eventually(() => places(socket).length === 12);
    t.strictSame(places(socket), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    const items = of(socket, 'post').map(({ item }) => item);
    t.same(
      items.map((item) => 'post' in item && item.post),
      posts,
    );
    t.ok(items.every(({ author, device }) => author === ann.account && device === 1));
  }
  using late = await watching(owner, channel);
  t.same(of(late, 'watching'), [{ type: 'watching', channel, head: 12 }]);
  await board.act(owner, { op: 'removePosts', channel, seqs: [3] });
  await eventually(() => of(late, 'removed').length > 0 && of(late, 'space').length > 0);
  t.same(of(late, 'removed'), [{ type: 'removed', channel, seqs: [3] }]);
  t.match(of(late, 'space').at(-1), { space: board.isle.state.space, seq: board.isle.state.seq });
  for (const socket of sockets) socket[Symbol.dispose]();
});

t.test('a channel that one may not see is as one that there is not', async (t) => {
  const board = await test.board('hidden');
  const deny = permissions.view;
  const hidden = await board.channel('staff', { overrides: [{ role: 0, allow: 0, deny }] });
  const open = await board.channel('open');
  const { owner } = board.isle;
  const ann = await board.join('ann');
  using socket = await at(ann);
  const none = `${'0'.repeat(31)}1` as typeof open;
  socket.send({ type: 'watch', channels: [hidden, none, open] });
  await eventually(() => of(socket, 'watching').length + of(socket, 'refused').length === 3);
  t.same(of(socket, 'watching'), [{ type: 'watching', channel: open, head: 0 }]);
  const refused = { type: 'refused', request: 0, code: 'not_found', number: 0 } as const;
  const expected = [hidden, none].map((channel) => ({ ...refused, channel }));
  t.same(
    of(socket, 'refused').toSorted((a, b) => (a.channel === hidden ? -1 : 1) || b),
    expected,
  );
  // Also when others watch it here.
  using olga = await watching(owner, hidden, open);
  socket.send({ type: 'watch', channels: [hidden] });
  await eventually(() => of(socket, 'refused').length === 3);
  await board.post(owner, hidden, 'psst');
  await board.post(owner, open, 'hello');
  await eventually(() => places(olga).length === 2 && places(socket).length === 1);
  t.same(
    of(socket, 'post').map(({ channel }) => channel),
    [open],
  );
});

t.test('who is kicked hears nothing more, at once, and no one else is disturbed', async (t) => {
  const board = await test.board('kicked');
  const channel = await board.channel('lobby');
  const { owner } = board.isle;
  const [ann, bob] = [await board.join('ann'), await board.join('bob')];
  using left = await watching(ann, channel);
  using stays = await watching(bob, channel);
  await board.post(bob, channel, 'before');
  await board.act(owner, { op: 'kick', account: ann.account, reason: '' });
  await board.post(bob, channel, 'after');
  await eventually(() => places(stays).length === 2 && of(left, 'refused').length === 1);
  t.match(of(left, 'refused'), [{ request: 0, channel, code: 'not_found' }]);
  left.send({ type: 'watch', channels: [channel] });
  await eventually(() => of(left, 'refused').length === 2);
  t.strictSame(places(left), [1]);
  t.equal(left.closed, undefined, 'the socket itself goes on');
  await board.act(owner, { op: 'channelGone', channel });
  await eventually(() => of(stays, 'refused').length === 1);
});

t.test('a right that is lost while the question is on its way is not granted', async (t) => {
  const board = await test.board('overtaken');
  const channel = await board.channel('lobby');
  const { owner } = board.isle;
  const ann = await board.join('ann');
  using olga = await watching(owner, channel);
  using socket = await at(ann);
  for (let round = 0; round < 5; round++) socket.send({ type: 'watch', channels: [channel] });
  await board.act(owner, { op: 'kick', account: ann.account, reason: '' });
  await board.post(owner, channel, 'without ann');
  await eventually(() => places(olga).length === 1 && of(socket, 'refused').length > 0);
  socket.send({ type: 'ping', nonce: 1 });
  await eventually(() => of(socket, 'pong').length === 1);
  t.strictSame(places(socket), []);
});

t.test('UNWATCH ends it; nothing is subscribed to any more when nobody watches', async (t) => {
  const board = await test.board('unwatch');
  const channel = await board.channel('lobby');
  const { owner } = board.isle;
  const ann = await board.join('ann');
  using socket = await watching(ann, channel);
  using olga = await watching(owner, channel);
  socket.send({ type: 'unwatch', channels: [channel] });
  socket.send({ type: 'ping', nonce: 1 });
  await eventually(() => of(socket, 'pong').length === 1);
  await board.post(owner, channel, 'quiet');
  await eventually(() => places(olga).length === 1);
  t.strictSame(places(socket), []);
  socket.send({ type: 'watch', channels: [channel] });
  await eventually(() => of(socket, 'watching').length === 2);
  t.equal(of(socket, 'watching').at(-1)?.head, 1);
});

t.test('an event that is lost is told as BEHIND, with the place before it', async (t) => {
  const board = await test.board('lost');
  const channel = await board.channel('lobby');
  const { owner } = board.isle;
  using socket = await watching(owner, channel);
  await board.post(owner, channel, 'one');
  await eventually(() => places(socket).length === 1);
  const post = board.sealed(owner, channel, 'three');
  const by = { accepted: 2, author: owner.account, device: deviceId(1) };
  spacesBus.publish(spaces, 'posted', channel, { ...by, seq: 3, post });
  await eventually(() => places(socket).length === 2);
  t.same(of(socket, 'behind'), [{ type: 'behind', channel, seq: 1 }]);
  spacesBus.publish(spaces, 'posted', channel, { ...by, seq: 2, post });
  spacesBus.publish(spaces, 'posted', channel, { ...by, seq: 4, post });
  await eventually(() => places(socket).at(-1) === 4);
  t.strictSame(places(socket), [1, 3, 4], 'what comes too late is fetched, not doubled');
  t.equal(of(socket, 'behind').length, 1);
});

t.test(
  'after spaces were away, or the bus, every watcher is BEHIND and asked about anew',
  async (t) => {
    const board = await test.board('away');
    const channel = await board.channel('lobby');
    const { owner } = board.isle;
    const ann = await board.join('ann');
    using socket = await watching(owner, channel);
    using left = await watching(ann, channel);
    await board.post(owner, channel, 'one');
    await eventually(() => places(socket).length === 1);
    const kit = await island.restart(spacesService);
    await eventually(() => of(socket, 'behind').length === 1);
    t.same(of(socket, 'behind'), [{ type: 'behind', channel, seq: 1 }]);
    await board.post(owner, channel, 'two');
    await eventually(() => places(socket).at(-1) === 2);
    t.equal(of(left, 'refused').length, 0);
    await island.nats.end();
    await island.nats.start();
    await kit.bus.settled();
    await eventually(() => of(socket, 'behind').length >= 2);
    await eventually(() =>
      board.post(owner, channel, 'three').then(
        (seq) => seq > 2,
        () => false,
      ),
    );
    await eventually(() => places(socket).at(-1) === 3);
    t.equal(socket.closed, undefined);
  },
);

t.test('typing is told to whoever watches, at most once in a while', async (t) => {
  const board = await test.board('typing');
  const channel = await board.channel('lobby');
  const { owner } = board.isle;
  const ann = await board.join('ann');
  using socket = await watching(ann, channel);
  using olga = await watching(owner, channel);
  for (let i = 0; i < 4; i++) socket.send({ type: 'typing', channel, began: true });
  socket.send({ type: 'typing', channel, began: false });
  socket.send({ type: 'typing', channel, began: true });
  await eventually(() => of(olga, 'typing').length === 2);
  await board.post(ann, channel, 'done');
  await eventually(() => places(olga).length === 1);
  const told = { type: 'typing', channel, account: ann.account } as const;
  t.same(of(olga, 'typing'), [
    { ...told, began: true },
    { ...told, began: false },
  ]);
});

t.test(
  'presence is told of those who say it: one state of all devices, off when they go',
  async (t) => {
    const board = await test.board('presence');
    const channel = await board.channel('lobby');
    const { owner } = board.isle;
    const ann = await board.join('ann');
    using olga = await watching(owner, channel);
    const states = () => of(olga, 'presence').map(({ account, state }) => [account, state]);
    const phone = await at(ann, 1);
    const desk = await at(ann, 2);
    phone.send({ type: 'presence', state: 'away' });
    await eventually(() => states().length === 1);
    desk.send({ type: 'presence', state: 'online' });
    await eventually(() => states().length === 2);
    phone.raw.close();
    desk.raw.close();
    await eventually(() => states().length >= 3 && states().at(-1)?.[1] === 'off');
    t.same(
      new Set(states().map(([account]) => account)),
      new Set([ann.account]),
      'olga said nothing, and nothing is told of her',
    );
    t.same(states()[0]?.[1], 'away');
    t.same(states()[1]?.[1], 'online');
  },
);
