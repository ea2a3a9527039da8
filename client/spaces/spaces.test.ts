/** Servers as their members' devices see them: real services, and an island that lies. docs/protocol/channel.md §3 */
import { base64url, fromBase64url } from '@island/protocol/wire/text.ts';
import t from 'tap';
import { openIslander } from '../islander.ts';
import { register } from '../joining/registration.ts';
import { memoryStorage } from '../storage/memory.ts';
import type { Storage } from '../storage/storage.ts';
import { type RealIsland, realIsland } from '../testing/real-island.ts';

t.setTimeout(120_000);

async function member(island: RealIsland, name: string, storage: Storage = memoryStorage()) {
  const platform = island.platform();
  const { now } = island.clock;
  await register({ storage, platform, now }, await island.link(), name, { password: 'password' });
  return openIslander({ storage, platform, now, on: () => undefined });
}

const problem = (code: string) => ({ code });

t.test('M3: begun, joined by a link, changed, left: each member verifies it all', async (t) => {
  await using island = await realIsland();
  await using ann = await member(island, 'ann');
  await using bob = await member(island, 'bob');
  await using cleo = await member(island, 'cleo');
  const { space, channels } = await ann.spaces.create('Isle');
  t.same(
    [...channels.values()].map(({ name }) => name),
    ['general'],
  );
  const link = await ann.spaces.invite(space, { expires: 0, uses: 2, role: 0 });
  const joined = await bob.spaces.join(link);
  t.same(
    [...joined.members.values()].map(({ name }) => name),
    ['ann', 'bob'],
  );
  await cleo.spaces.join(link);
  t.equal((await cleo.spaces.find('Isle')).members.size, 3);
  t.same((await bob.spaces.reader(space, ann.account.account))?.name, 'ann');
  t.equal((await ann.spaces.follow(space)).members.size, 3);
  await ann.spaces.act(space, { op: 'kick', account: cleo.account.account, reason: 'noise' });
  t.equal((await bob.spaces.follow(space)).members.size, 2);
  t.same(await cleo.spaces.refresh(), [], 'who was kicked is not in it any more');
  await t.rejects(cleo.spaces.join(link), problem('space_invite_refused'), 'two uses were two');
  await bob.spaces.act(space, { op: 'leave' });
  t.same(await bob.spaces.refresh(), []);
  await t.rejects(bob.spaces.join('island://elsewhere/space?ca=x'), problem('bad_space_link'));
});

t.test('concurrent changes: whoever comes second repeats theirs on top', async (t) => {
  await using island = await realIsland();
  await using ann = await member(island, 'ann');
  await using bob = await member(island, 'bob');
  const { space } = await ann.spaces.create('Isle');
  await bob.spaces.join(await ann.spaces.invite(space, { expires: 0, uses: 1, role: 0 }));
  const settings = (title: string) => ({ op: 'settings', title, joinLocked: false }) as const;
  const invite = (who: typeof bob) => who.spaces.invite(space, { expires: 0, uses: 1, role: 0 });
  await Promise.all([ann.spaces.act(space, settings('One')), invite(bob), invite(ann)]);
  const [hers, his] = [await ann.spaces.follow(space), await bob.spaces.follow(space)];
  t.same(hers.hash, his.hash);
  t.equal(hers.title, 'One');
  await t.rejects(bob.spaces.act(space, settings('Mine')), problem('not_permitted'));
});

t.test('concurrent joins: who comes by the same link at the same time comes in', async (t) => {
  await using island = await realIsland();
  await using ann = await member(island, 'ann');
  const { space } = await ann.spaces.create('Isle');
  const link = await ann.spaces.invite(space, { expires: 0, uses: 0, role: 0 });
  await using crew = new AsyncDisposableStack();
  const others = await Promise.all(['bob', 'cleo', 'dan'].map((name) => member(island, name)));
  for (const one of others) crew.use(one);
  await Promise.all(others.map(({ spaces }) => spaces.join(link)));
  t.equal((await ann.spaces.follow(space)).members.size, 4);
});

t.test(
  'M3: an island that forges, forks or rolls back a log is refused, also after a restart',
  async (t) => {
    await using island = await realIsland();
    await using ann = await member(island, 'ann');
    const storage = memoryStorage();
    const bob = await member(island, 'bob', storage);
    const { space } = await ann.spaces.create('Isle');
    const other = await ann.spaces.create('Other');
    await bob.spaces.join(await ann.spaces.invite(space, { expires: 0, uses: 1, role: 0 }));
    const before = await bob.spaces.known(space);
    const twist = (change: (entries: Uint8Array[]) => unknown[]) => {
      island.line.answer = ({ path }, answer) => {
        if (path !== '/v1/spaces/log') return answer;
        const entries = (answer['entries'] as string[]).map(fromBase64url);
        const said = change(entries).map((each) => base64url(each as Uint8Array));
        return { ...answer, entries: said };
      };
    };
    await ann.spaces.act(space, { op: 'settings', title: 'New', joinLocked: false });
    twist((entries) =>
      entries.map((entry) => {
        const bent = Uint8Array.from(entry);
        bent[bent.length - 1] = (bent.at(-1) ?? 0) ^ 1;
        return bent;
      }),
    );
    await t.rejects(bob.spaces.follow(space), problem('space_forged'), 'nobody signed it');
    t.same((await bob.spaces.known(space)).hash, before.hash, 'nothing was taken');
    twist(() => []);
    t.same(
      (await bob.spaces.follow(space)).hash,
      before.hash,
      'what is held back is not there yet',
    );
    island.line.answer = ({ path }, answer) =>
      path === '/v1/spaces/log' ? { ...answer, seq: 1, entries: [] } : answer;
    await t.rejects(bob.spaces.follow(space), problem('space_forked'), 'rolled back');
    delete island.line.answer;
    await t.rejects(bob.spaces.follow(space), problem('space_forked'), 'for good');
    await bob[Symbol.asyncDispose]();
    const { now } = island.clock;
    await using again = await openIslander({
      ...{ storage, platform: island.platform(), now, on: () => undefined },
    });
    await t.rejects(again.spaces.follow(space), problem('space_forked'), 'after a restart');
    t.notSame(other.space, space);
  },
);

t.test('ghost member: who was begun anew by the island is given no keys', async (t) => {
  await using island = await realIsland();
  await using ann = await member(island, 'ann');
  await using bob = await member(island, 'bob');
  const { space } = await ann.spaces.create('Isle');
  await bob.spaces.join(await ann.spaces.invite(space, { expires: 0, uses: 1, role: 0 }));
  await ann.spaces.follow(space);
  const { account } = bob.account;
  const readers = await ann.spaces.reader(space, account);
  t.equal(readers?.account, account);
  const stranger = await member(island, 'stranger');
  t.equal(await ann.spaces.reader(space, stranger.account.account), undefined);
  await stranger[Symbol.asyncDispose]();
  const lists = await ann.spaces.lists(space);
  t.equal(await ann.spaces.lists(space), lists, 'looked up once');
});
