/** Spaces over the bus: entries, posts and pages. Real SQLite, NATS and Redis. docs/protocol/channel.md */
import { randomBytes } from 'node:crypto';
import { emptyFeed, feedHeadAfter } from '@island/protocol/crypto/feed.ts';
import { hashPost } from '@island/protocol/crypto/post.ts';
import { permissions } from '@island/protocol/space/permissions.ts';
import type { Fault } from '@island/protocol/wire/fault.ts';
import { deviceId, envelopeId } from '@island/protocol/wire/ids.ts';
import t from 'tap';
import { delivery } from '../delivery/contract.ts';
import { directory } from '../directory/contract.ts';
import { testIsland } from '../kit/testing/kit.ts';
import { faultCode } from '../kit/testing/outcome.ts';
import { spaces } from './contract.ts';
import { spacesService } from './service.ts';
import { openBoard, testDirectory } from './testing/board.ts';
import { sealedReport } from './testing/reports.ts';

const island = await testIsland(['gateway', 'directory', 'delivery', 'spaces', 'control']);
t.teardown(() => island[Symbol.asyncDispose]());
const { bus } = await island.kit('gateway');
const { bus: lists } = await island.kit('directory');
testDirectory(lists);
await lists.settled();
await island.start(spacesService);
const device = deviceId(1);

const posts = (account: string, channel: string, more: object = {}) =>
  bus.call(spaces, 'posts', { account, channel, count: 100, ...more } as never);

t.test('M3: one ciphertext a post, however many members read it', async (t) => {
  const board = await openBoard(bus, 'one ciphertext');
  const channel = await board.channel('lobby');
  const { owner } = board.isle;
  const members = [await board.join('ann'), await board.join('bob'), await board.join('cleo')];
  const sealed = board.sealed(owner, channel, 'Hello, everybody');
  t.equal(await board.send(owner, sealed), 1);
  t.equal(await board.send(owner, sealed), 1, 'the same again is the same post');
  for (const { account } of members) t.equal((await posts(account, channel)).items.length, 1);
  const late = await board.join('late');
  const shown = (await posts(late.account, channel)).items;
  t.same(shown, [], 'what was said before they came is not theirs');
  const next = board.sealed(members[0] ?? owner, channel, 'Hello');
  t.equal(await board.send(members[0] ?? owner, next), 2);
  const page = await posts(owner.account, channel);
  t.same(
    page.items.map((item) => 'post' in item && item.post),
    [sealed, next],
  );
  const items = page.items.map(({ seq, accepted, author, device }, at) => {
    return { seq, accepted, author, device, leaf: hashPost(at === 0 ? sealed : next) };
  });
  t.same(page.feed, emptyFeed.hash);
  const after = feedHeadAfter(emptyFeed, items);
  t.same((await posts(owner.account, channel, { after: 2 })).feed, after.hash, 'the running hash');
});

t.test('ghost member: an entry that nobody signed is in no log', async (t) => {
  const board = await openBoard(bus, 'ghost');
  const { isle } = board;
  const ghost = board.person('ghost');
  const refused = async (entry: Uint8Array, by = isle.owner, code = 'bad_signature') =>
    t.equal(
      await faultCode(bus.call(spaces, 'append', { account: by.account, device, entry })),
      code,
    );
  const joining = isle.entry(ghost, isle.joining(ghost, ghost.aik));
  await refused(joining.bytes, ghost, 'space_invite_refused');
  await refused(joining.bytes, isle.owner, 'forbidden');
  const forged = Buffer.from(isle.entry(isle.owner, { op: 'unban', account: ghost.account }).bytes);
  forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1;
  await refused(forged);
  const { bytes } = isle.entry(ghost, { op: 'leave' });
  await refused(bytes, ghost, 'not_found');
});

t.test(
  'stale epoch after a kick: who was kicked posts nothing, others post under the new one',
  async (t) => {
    const board = await openBoard(bus, 'kick');
    const channel = await board.channel('lobby');
    const { owner } = board.isle;
    const [ann, bob] = [await board.join('ann'), await board.join('bob')];
    const early = [
      board.sealed(ann, channel, 'early'),
      board.sealed(bob, channel, 'early'),
    ] as const;
    await board.act(owner, { op: 'kick', account: ann.account, reason: '' });
    t.equal(await faultCode(board.send(ann, early[0])), 'not_found');
    t.equal(await faultCode(board.send(bob, early[1])), 'log_stale');
    t.equal(await board.post(bob, channel, 'late'), 1);
    t.equal(await faultCode(posts(ann.account, channel)), 'not_found');
  },
);

t.test('a device list that changed is looked up before the next post', async (t) => {
  const board = await openBoard(bus, 'lists');
  const channel = await board.channel('lobby');
  const { owner, state } = board.isle;
  const ann = await board.join('ann');
  await lists.settled();
  const asked = (after: number) =>
    bus.call(spaces, 'lists', { account: owner.account, space: state.space, after });
  const before = (await asked(0)).lists;
  const moved = Promise.withResolvers<number>();
  const listening = bus.subscribe(spaces, 'moved', state.space, (now) => moved.resolve(now.lists));
  await listening.ready;
  lists.publish(directory, 'changed', ann.account, { epoch: 2 });
  t.equal(await moved.promise, before + 1);
  listening[Symbol.dispose]();
  t.same(await asked(before), { lists: before + 1, accounts: [ann.account] });
  const post = board.sealed(owner, channel, 'to whom?');
  const by = { account: owner.account, device };
  const refused = bus.call(spaces, 'post', { ...by, lists: before, post });
  t.same(await refused.catch((fault: Fault) => [fault.code, fault.details]), [
    'lists_stale',
    { lists: before + 1 },
  ]);
  t.equal(await board.send(owner, post), 1);
});

t.test('slow mode, timeouts and channels to read only hold posts back', async (t) => {
  const board = await openBoard(bus, 'slow');
  const { owner, state } = board.isle;
  const ann = await board.join('ann');
  const slow = await board.channel('slow', { slowSeconds: 60 });
  const quiet = await board.channel('quiet', {
    overrides: [{ role: 0, allow: 0, deny: permissions.post }],
  });
  t.equal(await board.post(ann, slow, 'one'), 1);
  t.equal(await faultCode(board.post(ann, slow, 'two')), 'slow_mode');
  t.equal(await board.post(owner, slow, 'who keeps order is not slow'), 2);
  t.equal(await board.post(owner, slow, 'at all'), 3);
  t.equal(await faultCode(board.post(ann, quiet, 'psst')), 'not_permitted');
  const until = state.time + 3600;
  await board.act(owner, { op: 'timeout', account: ann.account, until, reason: '' });
  t.equal(await faultCode(board.post(ann, slow, 'three')), 'timed_out');
});

t.test('what is removed leaves its hash, so that the feed goes on over it', async (t) => {
  const board = await openBoard(bus, 'removed');
  const channel = await board.channel('lobby');
  const { owner } = board.isle;
  const ann = await board.join('ann');
  const [first, second] = [board.sealed(ann, channel, 'a'), board.sealed(owner, channel, 'b')];
  await board.send(ann, first);
  await board.send(owner, second);
  await bus.call(spaces, 'takeBack', { account: ann.account, channel, seqs: [1, 2] });
  const { items } = await posts(owner.account, channel);
  t.same('gone' in (items[0] ?? {}) && items[0], { ...items[0], gone: hashPost(first) });
  t.ok('post' in (items[1] ?? {}), 'nobody takes back what others said');
  await board.act(owner, { op: 'removePosts', channel, seqs: [2] });
  t.ok('gone' in ((await posts(owner.account, channel)).items[1] ?? {}));
});

t.test('a page is what was asked for, from either side, in order', async (t) => {
  const board = await openBoard(bus, 'pages');
  const channel = await board.channel('lobby');
  const { owner } = board.isle;
  for (let i = 0; i < 12; i++) await board.post(owner, channel, `${i}`);
  const seqs = async (more: object) =>
    (await posts(owner.account, channel, more)).items.map(({ seq }) => seq);
  t.same(await seqs({ after: 9 }), [10, 11, 12]);
  t.same(await seqs({ before: 5, count: 3 }), [2, 3, 4]);
  t.same(await seqs({ count: 2 }), [1, 2]);
  t.same(await seqs({ before: 1 }), []);
});

t.test(
  'M3: concurrent posts and a kick: each is before it or after it, none in between',
  async (t) => {
    const board = await openBoard(bus, 'race');
    const channel = await board.channel('lobby');
    const { owner, state } = board.isle;
    const crew = [await board.join('ann'), await board.join('bob'), await board.join('cleo')];
    const [ann] = crew;
    if (!ann) return;
    const sealed = crew.map((who) => [who, board.sealed(who, channel, 'now')] as const);
    const kick = board.act(owner, { op: 'kick', account: ann.account, reason: '' });
    await Promise.allSettled([...sealed.map(([who, post]) => board.send(who, post)), kick]);
    const { items } = await posts(owner.account, channel);
    t.ok(items.every(({ accepted }, at) => accepted >= (items[at - 1]?.accepted ?? 0)));
    t.notOk(items.some(({ author, accepted }) => author === ann.account && accepted >= state.seq));
  },
);

t.test('keys go to members only, into their mailboxes, without tokens', async (t) => {
  const board = await openBoard(bus, 'keys');
  const { owner, state } = board.isle;
  const ann = await board.join('ann');
  const { bus: mail } = await island.kit('delivery');
  const placed: unknown[] = [];
  mail.handle(delivery, 'place', async (put) => {
    placed.push(put);
    return {};
  });
  await mail.settled();
  const envelopes = [
    { device, id: envelopeId(randomBytes(16).toString('hex')), body: randomBytes(300) },
  ];
  const asked = { account: owner.account, space: state.space, epoch: 1, envelopes };
  await bus.call(spaces, 'keys', { ...asked, to: ann.account });
  t.equal(placed.length, 1);
  const stranger = board.person('stranger');
  const refused = (by: string, to: string) =>
    faultCode(bus.call(spaces, 'keys', { ...asked, account: by, to } as never));
  t.equal(await refused(owner.account, stranger.account), 'not_found');
  t.equal(await refused(stranger.account, ann.account), 'not_found');
});

t.test('a report is for moderators, and gone when one of them closes it', async (t) => {
  const board = await openBoard(bus, 'reports');
  const { owner, state } = board.isle;
  const ann = await board.join('ann');
  const [report, sealed] = [randomBytes(16), sealedReport(state.space, owner.account)];
  await bus.call(spaces, 'report', { account: ann.account, space: state.space, report, sealed });
  const read = (account: string) =>
    bus.call(spaces, 'reports', { account, space: state.space, after: 0 } as never);
  t.equal(await faultCode(read(ann.account)), 'not_permitted');
  t.match((await read(owner.account)).reports, [{ number: 1, by: ann.account, sealed }]);
  await board.act(owner, { op: 'reportClosed', report, acted: true });
  t.same((await read(owner.account)).reports, []);
});

t.test('who may begin a server is the operator’s to say', async (t) => {
  const { bus: control } = await island.kit('control');
  await control.call(spaces, 'setPolicy', { beginners: 'nobody', listed: [] });
  t.equal(await faultCode(openBoard(bus, 'nobody')), 'forbidden');
  await control.call(spaces, 'setPolicy', { beginners: 'everybody', listed: [] });
  const board = await openBoard(bus, 'everybody');
  const { space } = board.isle.state;
  await control.call(spaces, 'shutDown', { space });
  t.equal(await faultCode(board.channel('late')), 'space_closed');
});
