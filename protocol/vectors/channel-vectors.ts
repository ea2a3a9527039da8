/** Vectors of posts, the feed, keys that are given, history bundles and reports. docs/protocol/channel.md §5 to §9 */
import { type Body, decodeBody, encodeBody } from '../crypto/body.ts';
import { admitChain } from '../crypto/chain-admission.ts';
import { messageKeyAt } from '../crypto/chain-keys.ts';
import { type ChannelBody, decodeChannelBody, encodeChannelBody } from '../crypto/channel-body.ts';
import { emptyFeed, type FeedItem, nextFeedHead } from '../crypto/feed.ts';
import { openBundle, readBundle, signBundle } from '../crypto/history-bundle.ts';
import { decodePost } from '../crypto/post.ts';
import { decodePostPlaintext, encodePostPlaintext } from '../crypto/post-plaintext.ts';
import { ed25519, type Random, x25519 } from '../crypto/primitives.ts';
import { openPost } from '../crypto/received-chain.ts';
import { decodeReport, encodeReport, type Report } from '../crypto/report.ts';
import { openReport, readSealedReport, sealReport } from '../crypto/sealed-report.ts';
import { channelKeyFrom, channelKeyOf, makeChain, sealPost } from '../crypto/sender-chain.ts';
import { accountId, channelId, deviceId, spaceId } from '../wire/ids.ts';
import { hex } from '../wire/text.ts';
import { seededRandom } from './seeded.ts';
import { changed, refused, refusedForms, type VectorFile } from './vector-file.ts';

/** 2026-11-20, ms. */
const now = 1_795_132_800_000;

function sample(random: Random) {
  const account = () => accountId(hex(random(16)));
  const [space, channel] = [spaceId(hex(random(16))), channelId(hex(random(16)))];
  const [author, sharer, newcomer] = [account(), account(), account()];
  return { space, channel, author, sharer, newcomer, device: deviceId(3) };
}

export const vectors: VectorFile = {
  name: 'channel',
  document: 'docs/protocol/channel.md §5, §6, §7, §8, §9',
  make() {
    const random = seededRandom('channel');
    const { space, channel, author, sharer, newcomer, device } = sample(random);
    const log = { logSeq: 12, logHash: random(32) };
    const first = makeChain({ space, channel, epoch: 9 }, now, random);
    const origin = { author, device };
    const target = { author: sharer, id: random(16) };
    const bodies: ChannelBody[] = [
      { kind: 'text', text: 'Grüße von der Insel 🏝' },
      {
        ...{ kind: 'text', text: '@ann ja', reply: target, everyone: true },
        mentions: [{ account: sharer, start: 0, length: 4 }],
        attachments: [random(40)],
      },
      { kind: 'edit', id: random(16), revision: 2, text: 'doch' },
      { kind: 'delete', id: random(16) },
      { kind: 'reaction', target, put: true, emoji: '👍🏽' },
      { kind: 'pin', target, put: false },
    ];
    let chain = first;
    let feed = emptyFeed;
    const posts = bodies.slice(0, 3).map((body, i) => {
      const { seq, hash } = feed;
      const plaintext = encodePostPlaintext({
        id: random(16),
        sentAt: now,
        seen: { seq, hash },
        body,
      });
      const sealed = sealPost(chain, { author, device, ...log }, plaintext, random);
      const messageKey = messageKeyAt(chain.keys, i);
      chain = sealed.chain;
      const item: FeedItem = { seq: seq + 1, accepted: 12 + i, author, device, leaf: sealed.hash };
      feed = nextFeedHead(feed, item);
      return { plaintext, messageKey, post: sealed.post, hash: sealed.hash, item, feed: feed.hash };
    });
    const post = posts[1]?.post ?? new Uint8Array(0);
    const reader = admitChain([], channelKeyOf(first, log), origin).chain;
    const context = { author, device, logHash: log.logHash };
    const open = (bytes: Uint8Array) => openPost(reader, decodePost(bytes), context);
    const late = admitChain(
      [],
      channelKeyFrom(chain, 2, posts[1]?.hash ?? post, log),
      origin,
    ).chain;
    const readTwice = () => openPost(open(post).chain, decodePost(post), context);
    const asAnother = { ...context, author: sharer };

    const given: Body[] = [
      channelKeyOf(chain, log),
      { kind: 'channel-key-wanted', space, channel, chain: first.id },
    ];
    const [keyBytes] = given.map(encodeBody) as [Uint8Array];
    const dsk = ed25519.generate(random);
    const { epoch, chain: id, iteration, chainKey, signing, prev } = channelKeyOf(first, log);
    const shared = { author, device, epoch, chain: id, iteration, chainKey, signing, prev };
    const meant = { sharer, device, recipient: newcomer };
    const bundle = { space, channel, ...meant, chains: [shared] };
    const bundleBytes = signBundle(bundle, dsk);
    const openIt = (bytes: Uint8Array) => openBundle(bytes, dsk.public, meant);

    const dik = x25519.generate(random);
    const report: Report = {
      space,
      channel,
      posts: posts.slice(0, 2).map(({ item, messageKey }) => ({ seq: item.seq, messageKey })),
      reason: 'harassment',
      comment: 'Twice now.',
    };
    const reportBytes = encodeReport(report);
    const sealed = sealReport(report, [{ account: sharer, device, dik: dik.public }], random);
    const openSealed = (bytes: Uint8Array) => openReport(bytes, { account: sharer, device, dik });
    return {
      bodies: bodies.map((body) => ({ body, bytes: encodeChannelBody(body) })),
      refusedBodies: [
        refused('a channel key', keyBytes, decodeChannelBody),
        refused('an unknown part', Uint8Array.of(1, 16, 0, 1, 0x78), decodeChannelBody),
      ],
      author,
      device,
      ...log,
      chain: { ...channelKeyOf(first, log), signingSeed: first.signing.private },
      posts,
      refusedPosts: [
        ...refusedForms(post, open),
        refused('of the first entry before any', changed(post, 25, 0), open),
        refused('a damaged commitment', changed(post, 94, (post[94] ?? 0) ^ 1), open),
        refused('a damaged body', changed(post, -1, (post.at(-1) ?? 0) ^ 1), open),
        refused('opened before', post, readTwice),
        refused('from before the place that was given', post, (bytes) =>
          openPost(late, decodePost(bytes), context),
        ),
        refused('as somebody else’s', post, (bytes) =>
          openPost(reader, decodePost(bytes), asAnother),
        ),
      ],
      refusedPlaintexts: refusedForms(posts[0]?.plaintext ?? post, decodePostPlaintext),
      given: given.map((body) => ({ body, bytes: encodeBody(body) })),
      refusedKeys: [
        refused('of no epoch', changed(keyBytes, 40, 0), decodeBody),
        refused(
          'a signing key of small order',
          changed(keyBytes, 133, 1, ...new Array<number>(31).fill(0)),
          decodeBody,
        ),
      ],
      dsk: { seed: dsk.private, public: dsk.public },
      bundle,
      bundleBytes,
      refusedBundles: [
        ...refusedForms(bundleBytes, readBundle),
        refused(
          'a damaged signature',
          changed(bundleBytes, -1, (bundleBytes.at(-1) ?? 0) ^ 1),
          openIt,
        ),
        refused('for somebody else', bundleBytes, (bytes) =>
          openBundle(bytes, dsk.public, { ...meant, recipient: author }),
        ),
      ],
      report,
      reportBytes,
      refusedReports: refusedForms(reportBytes, decodeReport),
      dik: { private: dik.private, public: dik.public },
      reader: sharer,
      sealed,
      refusedSealed: [
        ...refusedForms(sealed, readSealedReport),
        refused('a damaged slot', changed(sealed, -1, (sealed.at(-1) ?? 0) ^ 1), openSealed),
        refused('a damaged commitment', changed(sealed, 26, (sealed[26] ?? 0) ^ 1), openSealed),
      ],
    };
  },
};
