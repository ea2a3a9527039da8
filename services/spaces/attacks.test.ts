/** What members, and people who are none, may try against others by way of the service. docs/protocol/channel.md §3 */
import { randomBytes } from 'node:crypto';
import { createDevice, signDeviceCert } from '@island/protocol/crypto/device.ts';
import { openDeviceList } from '@island/protocol/crypto/device-list.ts';
import { hashPost } from '@island/protocol/crypto/post.ts';
import { ed25519 } from '@island/protocol/crypto/primitives.ts';
import { signEntry } from '@island/protocol/space/entry.ts';
import type { SamplePerson } from '@island/protocol/space/testing/sample-space.ts';
import type { Fault } from '@island/protocol/wire/fault.ts';
import { deviceId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import t from 'tap';
import { testIsland } from '../kit/testing/kit.ts';
import { faultCode } from '../kit/testing/outcome.ts';
import { spaces } from './contract.ts';
import { spacesService } from './service.ts';
import { type Board, changeList, openBoard, testDirectory } from './testing/board.ts';
import { sealedReport } from './testing/reports.ts';

const island = await testIsland(['gateway', 'directory', 'spaces']);
t.teardown(() => island[Symbol.asyncDispose]());
const { bus } = await island.kit('gateway');
const { bus: lists } = await island.kit('directory');
testDirectory(lists);
await lists.settled();
await island.start(spacesService);
const device = deviceId(1);

const append = ({ account }: SamplePerson, entry: Uint8Array) =>
  bus.call(spaces, 'append', { account, device, entry });
const read = ({ account }: SamplePerson, channel: string) =>
  bus.call(spaces, 'posts', { account, channel, count: 100 } as never);

t.test('the id of a channel of another space ends nothing there', async (t) => {
  const [board, evil] = [await openBoard(bus, 'victim'), await openBoard(bus, 'evil')];
  const channel = await board.channel('lobby');
  const { owner } = board.isle;
  const post = board.sealed(owner, channel, 'still here');
  await board.send(owner, post);
  t.equal(await faultCode(evil.channel('mine', { channel })), 'space_invalid');
  const [only] = (await read(owner, channel)).items;
  t.same(only && 'post' in only && only.post, post);
});

t.test('no entry names a list that did not have its device', async (t) => {
  const board = await openBoard(bus, 'second device');
  const ann = await board.join('ann');
  const second = deviceId(2);
  const keys = createDevice({ account: ann.account, device: second, random: randomBytes });
  const cert = signDeviceCert(keys, ann.aik.public, 20_001);
  changeList(ann, { devices: [...openDeviceList(ann.list).devices, cert] }, ann.aik);
  const leave = (listEpoch: number) => {
    const { seq, hash: prev, space, time } = board.isle.state;
    const fields = { space, seq: seq + 1, prev, time, actor: ann.account, device: second };
    const entry = signEntry({ ...fields, listEpoch, op: { op: 'leave' } }, keys.dsk);
    return bus.call(spaces, 'append', { account: ann.account, device: second, entry });
  };
  t.equal(await faultCode(leave(1)), 'forbidden', 'clients would refuse it, and all behind it');
  t.equal(await faultCode(leave(3)), 'forbidden', 'no such list');
  await leave(2);
});

t.test('ghost member: whose account was reset acts for nobody', async (t) => {
  const board = await openBoard(bus, 'reset');
  const { isle } = board;
  const ann = await board.join('ann');
  const aik = ed25519.fromSeed(randomBytes(32));
  const keys = createDevice({ account: ann.account, device: deviceId(2), random: randomBytes });
  const again = (resets: number, key = aik.public) => ({
    ...({ op: 'readmit', account: ann.account, aik: key, resets } as const),
  });
  t.equal(await faultCode(board.act(isle.owner, again(7))), 'space_invalid', 'not what she is');
  const devices = [signDeviceCert(keys, aik.public, 20_001)];
  changeList(ann, { devices, replace: { aik: aik.public, how: 'reset' } }, aik);
  const by = (op: 'leave' | 'invite') => {
    const { seq, hash: prev, space, time } = isle.state;
    const fields = { space, seq: seq + 1, prev, time, actor: ann.account, device: deviceId(2) };
    const terms = { key: aik.public, expires: 0, uses: 0, role: 0 };
    const act = op === 'leave' ? ({ op } as const) : ({ op, ...terms } as const);
    const entry = signEntry({ ...fields, listEpoch: 2, op: act }, keys.dsk);
    return bus.call(spaces, 'append', { account: ann.account, device: deviceId(2), entry });
  };
  t.equal(await faultCode(by('invite')), 'not_permitted');
  t.equal(await faultCode(board.act(isle.owner, again(1, ann.aik.public))), 'space_invalid');
  await board.act(isle.owner, again(1));
});

async function invited(board: Board, terms: object) {
  const invite = ed25519.fromSeed(randomBytes(32));
  const op = { op: 'invite', key: invite.public, expires: 0, uses: 0, role: 0 } as const;
  await board.act(board.isle.owner, { ...op, ...terms });
  const log = (who: SamplePerson) => {
    const { aik, proof, invite: key } = joining(who);
    const { account } = who;
    const shown = { key, aik, proof };
    return bus.call(spaces, 'log', {
      ...{ account, space: board.isle.state.space, after: 0, invite: shown },
    });
  };
  const joining = (who: SamplePerson) => {
    const op = board.isle.joining(who, invite);
    if (op.op !== 'join') throw new Error('not a join');
    return op;
  };
  return { log, joining };
}

t.test(
  'an invite that is over, and one in the hands of who was banned, shows nothing',
  async (t) => {
    const board = await openBoard(bus, 'invites');
    const { owner, state } = board.isle;
    const [ann, bob, cleo] = ['ann', 'bob', 'cleo'].map((name) => board.person(name)) as [
      SamplePerson,
      SamplePerson,
      SamplePerson,
    ];
    const once = await invited(board, { uses: 1 });
    t.equal((await once.log(ann)).seq, state.seq);
    await board.act(ann, once.joining(ann));
    t.equal(await faultCode(once.log(bob)), 'space_invite_refused');
    const early = await invited(board, { expires: 1 });
    t.equal(await faultCode(early.log(bob)), 'space_invite_refused');
    const any = await invited(board, {});
    await board.act(owner, { op: 'ban', account: cleo.account, reason: '' });
    t.equal(await faultCode(any.log(cleo)), 'banned');
    t.equal((await any.log(bob)).seq, state.seq);
    await board.act(owner, { op: 'settings', title: 'Isle', joinLocked: true });
    t.equal(await faultCode(any.log(bob)), 'joining_locked');
  },
);

t.test('an entry whose answer was lost is the same entry, whatever came behind it', async (t) => {
  const board = await openBoard(bus, 'again');
  const { isle } = board;
  const ann = await board.join('ann');
  const { bytes, seq } = isle.entry(ann, { op: 'leave' });
  t.same(await append(ann, bytes), { seq });
  isle.act(ann, { op: 'leave' });
  await board.act(isle.owner, { op: 'settings', title: 'Else', joinLocked: false });
  t.same(await append(ann, bytes), { seq });
  t.equal(isle.state.seq, seq + 1);
});

t.test('nobody is told that posts of others were taken back', async (t) => {
  const board = await openBoard(bus, 'taken back');
  const channel = await board.channel('lobby');
  const { owner } = board.isle;
  const ann = await board.join('ann');
  const [hers, his] = [board.sealed(ann, channel, 'a'), board.sealed(owner, channel, 'b')];
  await board.send(ann, hers);
  await board.send(owner, his);
  const told: number[][] = [];
  const done = Promise.withResolvers<void>();
  const listening = bus.subscribe(spaces, 'removed', channel, ({ seqs }) => {
    told.push(seqs);
    if (told.length === 1) done.resolve();
  });
  await listening.ready;
  await bus.call(spaces, 'takeBack', { account: ann.account, channel, seqs: [1, 2] });
  await done.promise;
  listening[Symbol.dispose]();
  t.same(told, [[1]]);
  const { items } = await read(owner, channel);
  t.same(
    items.map((item) => ('gone' in item ? item.gone : item.post)),
    [hashPost(hers), his],
  );
});

t.test('whoever comes is given what was posted since, a page at a time', async (t) => {
  const board = await openBoard(bus, 'since');
  const channel = await board.channel('lobby');
  const { owner } = board.isle;
  for (let i = 0; i < 5; i++) await board.post(owner, channel, `${i}`);
  const ann = await board.join('ann');
  for (let i = 5; i < 9; i++) await board.post(owner, channel, `${i}`);
  const page = async (more: object) => {
    const asked = { account: ann.account, channel, count: 3, ...more };
    return (await bus.call(spaces, 'posts', asked as never)).items.map(({ seq }) => seq);
  };
  t.same(await page({}), [6, 7, 8]);
  t.same(await page({ after: 8 }), [9]);
  t.same(await page({ before: 9 }), [6, 7, 8]);
  t.same(await page({ before: 7 }), [6]);
  t.same(await page({ before: 6 }), []);
});

t.test('one member does not fill the place that reports have', async (t) => {
  const board = await openBoard(bus, 'reports');
  const { account } = await board.join('ann');
  const { space } = board.isle.state;
  const one = (sealed: Uint8Array) =>
    bus.call(spaces, 'report', { account, space, report: randomBytes(16), sealed });
  t.equal(await faultCode(one(new Uint8Array(400))), 'unknown_version');
  const sealed = sealedReport(space, account);
  for (let i = 0; i < limits.reportsEach; i++) await one(sealed);
  t.equal(await faultCode(one(sealed)), 'space_full');
});

t.test('entries of one account are so many an hour', async (t) => {
  const board = await openBoard(bus, 'many entries');
  const { owner, isle } = { owner: board.isle.owner, isle: board.isle };
  const { bytes } = isle.entries[0] ?? {};
  if (!bytes) return;
  const tries = Array.from({ length: limits.entriesPerHour + 1 }, () =>
    append(owner, bytes).catch((fault: Fault) => fault.code),
  );
  t.ok((await Promise.all(tries)).includes('rate_limited'));
});
