/** What an island, a member and somebody who was a member can try in a channel. docs/protocol/channel.md §5 to §8 */

import { emptyFeed, type FeedItem, feedHeadAfter } from '@island/protocol/crypto/feed.ts';
import { decodePost, hashPost } from '@island/protocol/crypto/post.ts';
import { randomBytes } from '@island/protocol/crypto/primitives.ts';
import { sealPost } from '@island/protocol/crypto/sender-chain.ts';
import { concat } from '@island/protocol/wire/bytes.ts';
import { base64url, fromBase64url } from '@island/protocol/wire/text.ts';
import t from 'tap';
import { revokeDevice } from '../account/own-devices.ts';
import { pause } from '../backoff.ts';
import { keysRow } from '../sending/outbox.ts';
import { home, opened } from '../testing/member-home.ts';
import { type RealIsland, realIsland } from '../testing/real-island.ts';
import { channelPlaintext, keyFrom } from './distribution.ts';
import { presentChain } from './own-chains.ts';
import { chainsOf } from './received-chains.ts';
import { linked, type Member, member, type Place, together } from './testing/members.ts';

t.setTimeout(240_000);

type Item = { seq: number; accepted: number; author: string; device: number; post: string };
type Page = { head: number; feed: string; items: Item[] };

const island = await realIsland();
// What is twisted here are answers to requests.
island.line.requestsOnly = true;
t.teardown(() => island[Symbol.asyncDispose]());
let place: Place;
const here = () => place;
const [ann, bob, cleo] = [
  await member(island, 'ann', here),
  await member(island, 'bob', here),
  await member(island, 'cleo', here),
];
for (const each of [ann, bob, cleo]) {
  each.works();
  t.teardown(() => each[Symbol.asyncDispose]());
}

/** Answers of the posts of the channel to one member are what `twist` makes of them. */
async function shownTo(who: Member, twist: (page: Page, after: number) => Page): Promise<void> {
  const token = await who.islander.session.token();
  island.line.answer = (exchange, answer) =>
    exchange.path === '/v1/channels/posts' && exchange.token === token
      ? (twist(structuredClone(answer) as Page, Number(exchange.body['after'] ?? 0)) as never)
      : answer;
}

const honest = (of: RealIsland): void => {
  of.line.answer = (_, answer) => answer;
};

const reads = (who: Member, ...said: string[]) =>
  who.untilShown((shown) => said.every((text) => shown.some((each) => each.endsWith(`: ${text}`))));

const refusals = (who: Member): string[] =>
  who.events.flatMap((event) => (event.type === 'post-refused' ? [event.why] : []));

/** A post of a member's chain as the island would be given it, whatever is in it. */
async function crafted(who: Member, plaintext: Uint8Array): Promise<Uint8Array> {
  const own = await presentChain(who.storage, place.channel);
  const state = await who.islander.spaces.known(place.space);
  if (!own) throw new Error('no chain');
  const { account: author, device } = who.islander.account;
  const log = { logSeq: state.seq, logHash: state.hash };
  return sealPost(own.chain, { author, device, ...log }, plaintext).post;
}

t.test(
  'pitfall: stale-epoch message after kick: refused, whatever the island says of it',
  async (t) => {
    honest(island);
    place = await together(ann, bob, cleo);
    await bob.says('while I was here');
    await reads(ann, 'while I was here');
    await reads(cleo, 'while I was here');
    const plaintext = new Uint8Array(0);
    const late = await crafted(bob, plaintext);
    const { spaces, account } = bob.islander;
    const seq = await ann.islander.spaces.act(place.space, {
      ...{ op: 'kick', account: account.account, reason: 'noise' },
    });
    await shownTo(cleo, (page) => {
      const item = {
        seq: page.head + 1,
        accepted: seq,
        author: account.account,
        device: account.device,
      };
      const items = [...page.items, { ...item, post: base64url(late) }];
      return { ...page, head: page.head + 1, items };
    });
    await cleo.untilShown((shown) => shown.some((each) => each.includes('<refused stale_epoch>')));
    t.ok(refusals(cleo).includes('stale_epoch'), 'and counted');
    honest(island);
    t.comment('what is sent after the kick');
    await ann.says('without bob');
    await reads(ann, 'without bob');
    const { items } = await ann.islander.session.call('posts', {
      ...{ channel: place.channel, before: 1_000, count: 10 },
    });
    const newest = items.at(-1);
    const post = newest && 'post' in newest && decodePost(newest.post);
    t.ok(post);
    const had = await chainsOf(bob.storage, place.channel);
    t.ok(had.length >= 1, 'who was kicked has chains of before');
    t.notOk(
      had.some(({ id }) => post && Buffer.compare(id, post.chain) === 0),
      'and not this one',
    );
    t.same(
      await spaces.refresh().then((all) => all.some(({ space }) => space === place.space)),
      false,
    );
  },
);

t.test(
  'A4, M3: a device that was removed is given no chain, and its chains are not posted in',
  async (t) => {
    honest(island);
    place = await together(ann, bob);
    const second = await linked(island, bob, here);
    second.works();
    await ann.says('to both');
    await reads(second, 'to both');
    const before = await presentChain(ann.storage, place.channel);
    const quietly = await opened(island, home(island, bob.storage));
    await revokeDevice(quietly.keeping, second.islander.account.device, bob.islander.archive);
    await ann.says('to one');
    await reads(bob, 'to one');
    const after = await presentChain(ann.storage, place.channel);
    t.not(
      Buffer.compare(before?.chain.id ?? randomBytes(16), after?.chain.id ?? randomBytes(16)),
      0,
      'another chain',
    );
    t.notOk(
      (await chainsOf(second.storage, place.channel)).some(
        ({ id }) => Buffer.compare(id, after?.chain.id ?? id) === 0,
      ),
    );
    await second[Symbol.asyncDispose]();
  },
);

t.test(
  'pitfall: ghost device: keys go to proved devices alone, in as many envelopes',
  async (t) => {
    honest(island);
    place = await together(ann, bob);
    const from = island.requests.length;
    island.line.answer = ({ path }, answer) =>
      path === '/v1/spaces/lists'
        ? { lists: Number(answer['lists']), accounts: [bob.islander.account.account] }
        : answer;
    await ann.says('no ghost reads this');
    await reads(bob, 'no ghost reads this');
    const sent = island.requests.slice(from).filter(({ path }) => path === '/v1/spaces/keys');
    t.ok(sent.length > 0);
    const devices = sent.map(({ body }) =>
      (body['envelopes'] as { device: number }[]).map(({ device }) => device),
    );
    t.ok(
      devices.every((each) => each.length === 1 && each[0] === 1),
      JSON.stringify(devices),
    );
  },
);

t.test(
  'pitfall: chain-id collision: another’s chain under the same id is in nobody’s way',
  async (t) => {
    honest(island);
    place = await together(ann, bob, cleo);
    await ann.says('one');
    await cleo.says('two');
    await reads(bob, 'one', 'two');
    const anns = await presentChain(ann.storage, place.channel);
    const own = await presentChain(cleo.storage, place.channel);
    const state = await cleo.islander.spaces.known(place.space);
    if (!anns || !own) throw new Error('no chain');
    const body = { ...keyFrom(own, own.chain.keys.next, state), chain: anns.chain.id };
    const to = {
      space: place.space,
      channel: place.channel,
      account: bob.islander.account.account,
    };
    await cleo.storage.commit({ append: [keysRow('bob', to, channelPlaintext(body, Date.now()))] });
    const ofThatId = async () =>
      (await chainsOf(bob.storage, place.channel))
        .filter(({ id }) => Buffer.compare(id, anns.chain.id) === 0)
        .map(({ author }) => author);
    while ((await ofThatId()).length < 2) await pause(20);
    await ann.says('three');
    await reads(bob, 'three');
    const both = [ann, cleo].map(({ islander }) => islander.account.account);
    t.same((await ofThatId()).sort(), both.sort());
  },
);

t.test('pitfall: SKDM over sender key: a key inside a post is none', async (t) => {
  honest(island);
  place = await together(ann, bob);
  await ann.says('first');
  await reads(bob, 'first');
  const head = concat(Uint8Array.of(1, 0xa2), randomBytes(16), new Uint8Array(8 + 8 + 32));
  const post = await crafted(ann, concat(head, Uint8Array.of(0x0f), randomBytes(200)));
  const lists = await ann.islander.spaces.lists(place.space);
  await ann.islander.session.call('post', { lists, post: base64url(post) });
  await bob.untilShown((shown) => shown.some((each) => each.includes('<refused unknown_type>')));
  t.equal((await chainsOf(bob.storage, place.channel)).length, 1, 'nothing was taken from it');
});

t.test(
  'a post that the island leaves out is missed: by its place, or by who has seen it',
  async (t) => {
    honest(island);
    place = await together(ann, bob, cleo);
    const { space, channel } = place;
    await ann.says('one');
    await reads(bob, 'one');
    await reads(cleo, 'one');
    await shownTo(bob, (page) => ({ ...page, items: page.items.filter(({ seq }) => seq !== 2) }));
    await ann.says('two');
    await reads(cleo, 'two');
    const troubles = () =>
      bob.events.flatMap((event) => (event.type === 'channel-trouble' ? [event.error] : []));
    await ann.says('three');
    await reads(cleo, 'three');
    while (troubles().length === 0) await pause(20);
    t.match(troubles(), [{ code: 'channel_withheld' }]);
    // The island numbers what is left anew, with running hashes that fit: nothing is missing any more.
    const all = new Map<number, Item>();
    const first = await ann.islander.session.call('posts', { channel, after: 0, count: 1 });
    const [one] = first.items;
    if (one && 'post' in one) all.set(1, { ...one, post: base64url(one.post) });
    await shownTo(bob, (page, after) => {
      for (const item of page.items) all.set(item.seq, item);
      const left = [...all.values()].sort((x, y) => x.seq - y.seq).filter(({ seq }) => seq !== 2);
      const items = left.map((item, i) => ({ ...item, seq: i + 1 }));
      const before = items.slice(0, after).map(({ post, ...item }) => {
        return { ...item, leaf: hashPost(fromBase64url(post)) } as FeedItem;
      });
      const feed = base64url(feedHeadAfter(emptyFeed, before).hash);
      return { head: items.length, feed, items: items.slice(after) };
    });
    await reads(bob, 'three');
    await cleo.says('four, and I have seen three');
    await reads(bob, 'four, and I have seen three');
    const differs = await bob.islander.channels.difference(channel);
    t.match(differs, { why: 'seen' });
    await bob.says('can I say so?');
    await bob.untilShown((shown) => shown.includes('bob: can I say so? (failed)'));
    honest(island);
    await t.rejects(
      (async () => {
        await bob.islander.channels.catchUp(space, channel);
        await bob.islander.channels.catchUp(space, channel);
      })(),
      { code: 'channel_differs' },
      'and what it had shown is not what it shows now',
    );
    await bob.islander.channels.acknowledge(channel);
    await reads(bob, 'two', 'three');
  },
);

t.test('posts of one device in another order than it made them are noticed', async (t) => {
  honest(island);
  place = await together(ann, bob);
  await ann.says('zero');
  await reads(bob, 'zero');
  await shownTo(bob, (page) => {
    const posts = new Map(page.items.map(({ seq, post }) => [seq, post]));
    const swapped = page.items.map((item) => {
      const other = item.seq === 2 ? 3 : item.seq === 3 ? 2 : item.seq;
      return { ...item, post: posts.get(other) ?? item.post };
    });
    // Nothing is shown before both can be exchanged.
    const both = page.head >= 3;
    return both
      ? { ...page, items: swapped }
      : { ...page, head: Math.min(page.head, 1), items: page.items.filter(({ seq }) => seq < 2) };
  });
  await ann.says('one');
  await ann.says('two');
  await reads(bob, 'one', 'two');
  t.match(await bob.islander.channels.difference(place.channel), { why: 'order' });
});
