import t from 'tap';
import { deviceId } from '../wire/ids.ts';
import { emptyFeed, type FeedItem, feedHeadAfter, nextFeedHead } from './feed.ts';
import { hashPost } from './post.ts';
import { ann, annsFeed, mallory } from './testing/channel.ts';

const items = annsFeed(4);
const head = feedHeadAfter(emptyFeed, items);
const broken = { name: 'CryptoFault', code: 'feed_broken' };

t.test('the running hash goes on from any place, and over a post that is gone', async (t) => {
  const half = feedHeadAfter(emptyFeed, items.slice(0, 2));
  t.same(feedHeadAfter(half, items.slice(2)), head);
  t.match(head, { seq: 4, accepted: items[3]?.accepted });
  t.same(feedHeadAfter(head, []), head);
});

t.test('pitfall: a forked feed: everything that is said of a post is in the hash', async (t) => {
  const [first, second] = items as [FeedItem, FeedItem];
  const others: FeedItem[] = [
    { ...second, author: mallory },
    { ...second, device: deviceId(2) },
    { ...second, accepted: second.accepted + 1 },
    { ...second, leaf: hashPost(Uint8Array.of(1)) },
    { ...first, seq: 2 },
  ];
  const start = nextFeedHead(emptyFeed, first);
  const seen = new Set([Buffer.from(nextFeedHead(start, second).hash).toString('hex')]);
  for (const other of others)
    seen.add(Buffer.from(nextFeedHead(start, other).hash).toString('hex'));
  t.equal(seen.size, 6);
  const otherWay = nextFeedHead(emptyFeed, { ...second, seq: 1, accepted: first.accepted });
  const back = nextFeedHead(otherWay, { ...first, seq: 2, accepted: second.accepted });
  t.notSame(back.hash, nextFeedHead(start, second).hash, 'another order');
});

t.test('gaps, repetitions and a log that goes back are refused', async (t) => {
  const next = {
    seq: 5,
    accepted: head.accepted,
    author: ann,
    device: deviceId(1),
    leaf: head.hash,
  };
  t.doesNotThrow(() => nextFeedHead(head, next));
  t.throws(() => nextFeedHead(head, { ...next, seq: 6 }), broken);
  t.throws(() => nextFeedHead(head, { ...next, seq: 4 }), broken);
  t.throws(() => nextFeedHead(head, { ...next, accepted: head.accepted - 1 }), broken);
  t.throws(() => nextFeedHead(head, { ...next, leaf: head.hash.subarray(1) }), broken);
});
