/** Who gets which keys of a channel, and what is lost on the way. docs/protocol/channel.md §5, §8, §9 */
import t from 'tap';
import { pause } from '../backoff.ts';
import { setVerified } from '../conversation/verification.ts';
import { outbox } from '../sending/outbox.ts';
import { memoryStorage } from '../storage/memory.ts';
import { copiedStorage } from '../testing/copied-storage.ts';
import { dying } from '../testing/mortal.ts';
import { realIsland } from '../testing/real-island.ts';
import { presentChain } from './own-chains.ts';
import { allChains } from './received-chains.ts';
import { linked, type Member, member, type Place, reopened, together } from './testing/members.ts';

t.setTimeout(240_000);

const island = await realIsland();
t.teardown(() => island[Symbol.asyncDispose]());
let place: Place;
const here = () => place;
const ann = await member(island, 'ann', here);
const bob = await member(island, 'bob', here);
for (const each of [ann, bob]) {
  each.works();
  t.teardown(() => each[Symbol.asyncDispose]());
}

const reads = (who: Member, ...said: string[]) =>
  who.untilShown((shown) => said.every((text) => shown.some((each) => each.endsWith(`: ${text}`))));

t.test(
  'a chain that was lost is asked for, and given from where the asker could read',
  async (t) => {
    place = await together(ann, bob);
    await ann.says('one');
    await reads(bob, 'one');
    for (const { row } of await allChains(bob.storage, place.channel))
      await bob.storage.commit({
        remove: [{ namespace: `chains ${place.channel}`, key: row.key }],
      });
    for (const { key } of await bob.storage.list('chain-ids'))
      await bob.storage.commit({ remove: [{ namespace: 'chain-ids', key }] });
    await ann.says('two');
    await bob.untilShown((shown) => shown.includes('ann: <waiting >'));
    await reads(bob, 'two');
    const cleo = await member(island, 'cleo', here);
    t.teardown(() => cleo[Symbol.asyncDispose]());
    const link = await ann.islander.spaces.invite(place.space, { expires: 0, uses: 1, role: 0 });
    await cleo.islander.spaces.join(link);
    cleo.works();
    await ann.says('three');
    await reads(cleo, 'three');
    const [chain] = await allChains(cleo.storage, place.channel);
    t.equal(chain?.chain.keys.origin, 2, 'who comes is given the chain from the next post on');
    t.same(await cleo.shows(), ['ann: three']);
  },
);

t.test(
  'history is passed on to who was verified, where the channel allows it, and is shown as such',
  async (t) => {
    place = await together(ann, bob);
    const { space, channel } = place;
    await ann.says('before');
    await bob.says('long ago');
    await reads(ann, 'before', 'long ago');
    const dora = await member(island, 'dora', here);
    t.teardown(() => dora[Symbol.asyncDispose]());
    const link = await ann.islander.spaces.invite(space, { expires: 0, uses: 1, role: 0 });
    await dora.islander.spaces.join(link);
    dora.works();
    const to = dora.islander.account.account;
    const { channels, spaces, people } = ann.islander;
    await t.rejects(channels.share(space, channel, to), { code: 'history_closed' });
    const there = (await spaces.known(space)).channels.get(channel);
    if (!there) throw new Error('no channel');
    const { created: _, ...settings } = there;
    await spaces.act(space, { op: 'channel', ...settings, history: true });
    await t.rejects(channels.share(space, channel, to), { code: 'not_verified' });
    await setVerified(ann.storage, await people.find('dora'), true, Date.now());
    t.equal(await channels.share(space, channel, to), 2);
    await ann.says('now');
    await reads(dora, 'now');
    while (await dora.islander.channels.older(space, channel, 3));
    await reads(dora, 'before', 'long ago');
    const shared = (await dora.posts()).map((post) => 'hidden' in post || post.sharedBy);
    t.ok(shared.includes(ann.islander.account.account), 'bob did not give it himself');
  },
);

t.test('edits, deletes, reactions, pins, replies and mentions are folded', async (t) => {
  place = await together(ann, bob);
  const { space, channel } = place;
  const author = ann.islander.account.account;
  const id = await ann.says('frist');
  await reads(bob, 'frist');
  const target = { author, id: Buffer.from(id, 'hex') };
  const say = (who: Member, body: Parameters<typeof ann.islander.channels.post>[2]) =>
    who.islander.channels.post(space, channel, body);
  await say(ann, { kind: 'edit', id: target.id, revision: 1, text: 'first' });
  await say(bob, { kind: 'edit', id: target.id, revision: 9, text: 'not yours' });
  await say(bob, { kind: 'reaction', target, put: true, emoji: '👍' });
  await say(bob, { kind: 'pin', target, put: true });
  await say(bob, {
    ...{ kind: 'text', text: '@ann yes', reply: target },
    mentions: [{ account: author, start: 0, length: 4 }],
  });
  await reads(ann, '@ann yes');
  const shown = await ann.untilShown((all) => all[0] === 'ann: first');
  t.same(shown, ['ann: first', 'bob: <refused not_permitted>', 'bob: @ann yes']);
  const [first, , reply] = await ann.posts();
  t.match(first, {
    edited: true,
    pinned: false,
    reactions: new Map([['👍', [bob.islander.account.account]]]),
  });
  t.match(reply, { calls: true, reply: { text: 'first', authorName: 'ann' } });
  const { channels } = ann.islander;
  t.match(await channels.unread(channel), { calls: 1 });
  const seq = reply?.seq;
  await channels.read(channel, seq ?? 0);
  t.same(await channels.unread(channel), { posts: 0, calls: 0 });
  await say(ann, { kind: 'pin', target, put: true });
  await say(ann, { kind: 'delete', id: target.id });
  await bob.untilShown((all) => all[0] === 'ann: <deleted>');
  t.same(await bob.islander.channels.pinned(space, channel), [], 'what was deleted is not pinned');
});

t.test('M6: what was read is told to the other devices of the account', async (t) => {
  place = await together(ann, bob);
  const second = await linked(island, bob, here);
  t.teardown(() => second[Symbol.asyncDispose]());
  second.works();
  await ann.says('read me');
  await reads(bob, 'read me');
  await reads(second, 'read me');
  t.equal((await second.islander.channels.unread(place.channel)).posts, 1);
  await bob.islander.channels.read(place.channel, 1);
  for (; (await second.islander.channels.unread(place.channel)).posts > 0; ) {
    const changed = Promise.withResolvers<void>();
    using _watch = second.storage.watch(changed.resolve);
    if ((await second.islander.channels.unread(place.channel)).posts > 0) await changed.promise;
  }
  t.pass();
});

t.test('a home that was put back from a copy goes on in another chain', async (t) => {
  const storage = copiedStorage();
  const first = await member(island, 'emil', here, { storage });
  place = await together(ann, first);
  first.works();
  await first.says('one');
  await reads(ann, 'one');
  const copy = await storage.copy();
  await first.says('two');
  await reads(ann, 'two');
  const before = await presentChain(storage, place.channel);
  await first[Symbol.asyncDispose]();
  const back = await reopened(island, 'emil', here, { storage: await copy() });
  t.teardown(() => back[Symbol.asyncDispose]());
  back.works();
  await back.says('three');
  await reads(ann, 'one', 'two', 'three');
  const after = await presentChain(back.storage, place.channel);
  t.notSame(after?.chain.id, before?.chain.id);
  t.notOk(await ann.islander.channels.difference(place.channel));
});

t.test(
  'pitfall: kill -9 between the commit of keys and the post: said once, read once',
  async (t) => {
    const storage = memoryStorage();
    const platform = island.platform();
    const first = await member(island, 'fritz', here, { storage, platform });
    place = await together(ann, first);
    await first[Symbol.asyncDispose]();
    const said: string[] = [];
    for (let steps = 3; steps < 45; steps += 4) {
      const joining = { storage, platform, now: island.clock.now };
      const life = dying({ storage, platform, joining }, Number.POSITIVE_INFINITY);
      const program = await reopened(island, 'fritz', here, {
        ...{ storage: life.home.storage, platform: life.home.platform },
      });
      program.islander.failed.catch(() => undefined);
      const text = `post ${steps}`;
      await program.says(text);
      said.push(text);
      life.at = life.steps.length + steps;
      program.islander.startSending();
      // It dies, or has nothing left to send.
      for (;;) {
        const changed = Promise.withResolvers<void>();
        using _watch = storage.watch(changed.resolve);
        if (life.dead || !(await storage.list('channel-outbox')).some(isQueued)) break;
        await Promise.race([changed.promise, pause(50)]);
      }
      life.end();
      await Promise.resolve(program[Symbol.asyncDispose]()).catch(() => undefined);
    }
    const last = await reopened(island, 'fritz', here, { storage });
    t.teardown(() => last[Symbol.asyncDispose]());
    last.works();
    await reads(ann, ...said);
    const heard = (await ann.shows()).filter((text) => text.startsWith('fritz: '));
    t.same(
      heard,
      said.map((text) => `fritz: ${text}`),
      'in the order in which they were said',
    );
    t.notOk(await ann.islander.channels.difference(place.channel));
    t.same(
      (await storage.list(outbox)).filter(({ bytes }) => Buffer.from(bytes).includes('keys')),
      [],
    );
  },
);

const isQueued = ({ bytes }: { bytes: Uint8Array }): boolean =>
  Buffer.from(bytes).toString().includes('"queued"');
