/**
 * The feed of a channel: fetched a page at a time, verified along its running hash, never changed where it was read.
 * docs/protocol/channel.md §7
 *
 * Invariant: what is kept follows from what was kept before it. An island that shows something else is found out,
 * which stays so over restarts (differences.ts). The newest page comes first where much is missing; gaps are filled
 * backwards when somebody looks there.
 */

import { CryptoFault } from '@island/protocol/crypto/crypto-fault.ts';
import { type FeedHead, nextFeedHead } from '@island/protocol/crypto/feed.ts';
import { decodePost, hashPost } from '@island/protocol/crypto/post.ts';
import { equal } from '@island/protocol/crypto/primitives.ts';
import { viewSince } from '@island/protocol/space/readers.ts';
import type { SpaceState } from '@island/protocol/space/space-state.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { ChannelId, SpaceId } from '@island/protocol/wire/ids.ts';
import { hex } from '@island/protocol/wire/text.ts';
import { Problem } from '../problem.ts';
import type { Spaces } from '../spaces/spaces.ts';
import { untilCommitted } from '../storage/storage.ts';
import { differenceRow, differs, mustAgree, readDifference } from './differences.ts';
import {
  changeFeed,
  type Feed,
  type FeedItemRow,
  type FeedRange,
  itemRow,
  readFeed,
  readItem,
  waitingRow,
} from './feed-rows.ts';
import type { Placed } from './judging.ts';
import { type ChannelLine, mostPosts, type PostPage } from './line.ts';
import { ownPosts, postPlace } from './post-rows.ts';
import { type ChannelReading, type Outcome, readPosts } from './reading.ts';
import { batchOf, noChanges, through } from './rows.ts';
import { checkClaims } from './seen.ts';

export interface FeedParts extends ChannelReading {
  line: Pick<ChannelLine, 'posts'>;
  spaces: Pick<Spaces, 'known' | 'follow'>;
  /** Unix milliseconds. */
  now: () => number;
}

export interface Feeds {
  /** Fetches what is new. Throws `channel_differs`, `channel_withheld`. */
  catchUp(space: SpaceId, channel: ChannelId, signal?: AbortSignal): Promise<void>;
  /** Fetches a page in front of the newest stretch that reaches down from `before`; false where there is no more. */
  older(space: SpaceId, channel: ChannelId, before: number, signal?: AbortSignal): Promise<boolean>;
}

/** Behind every post that there is. */
const end = Number.MAX_SAFE_INTEGER;
/** Posts that are fetched in order before the newest page is fetched instead. */
const mostInOrder = 4 * mostPosts;

type KnownFeed = Awaited<ReturnType<typeof readFeed>>;
type Item = PostPage['items'][number];
type Verified = Item & { feed: Uint8Array };

/** The items with the running hash behind each. Throws `channel_withheld` where they do not follow. */
function verified({ feed, items }: PostPage, accepted: number): Verified[] {
  let head: FeedHead = { seq: (items[0]?.seq ?? 1) - 1, hash: feed, accepted };
  return items.map((item) => {
    const { seq, author, device } = item;
    const leaf = 'post' in item ? hashPost(item.post) : item.gone;
    try {
      head = nextFeedHead(head, { seq, accepted: item.accepted, author, device, leaf });
    } catch (cause) {
      if (cause instanceof CryptoFault) throw new Problem('channel_withheld', {}, { cause });
      throw cause;
    }
    return { ...item, feed: head.hash };
  });
}

export function openFeeds(parts: FeedParts): Feeds {
  const { storage, line, spaces, account, now } = parts;
  const turns = new Map<ChannelId, Promise<unknown>>();

  const latched = async (channel: ChannelId, seq: number): Promise<Problem> => {
    await storage.commit({ put: [differenceRow(channel, { why: 'feed', seq })] });
    return differs();
  };

  /** The log as far as the newest of the items needs it. */
  async function stateFor(space: SpaceId, items: readonly Item[], signal?: AbortSignal) {
    const needed = Math.max(0, ...items.map(({ accepted }) => accepted));
    const known = await spaces.known(space);
    if (known.seq >= needed) return known;
    const state = await spaces.follow(space, signal);
    if (state.seq < needed) throw new Problem('channel_withheld');
    return state;
  }

  /** Whether posts behind `accepted` may be missing: they are from before this person came. */
  const mayMiss = (state: SpaceState, channel: ChannelId, accepted: number): boolean =>
    state.channels.get(channel)?.history !== true &&
    (viewSince(state, channel, account.account) ?? 0) > accepted;

  /** Keeps items, and what stretches there are then; nothing where another process has gone on from `known`. */
  const keep = (
    state: SpaceState,
    channel: ChannelId,
    items: readonly Verified[],
    known: KnownFeed,
    changed: Feed,
  ): Promise<void> =>
    untilCommitted(async () => {
      if ((await readFeed(storage, channel)).row?.version !== known.row?.version) return;
      const changes = noChanges();
      changeFeed(changes, channel, { ...changed, row: known.row });
      const feeds = new Map(items.map(({ seq, feed }) => [seq, feed]));
      const feedAt = async (seq: number) =>
        feeds.get(seq) ?? (await readItem(storage, channel, seq))?.feed;
      const posts = items.flatMap(placed);
      const outcomes = await readPosts(parts, state, channel, posts, changes, feedAt);
      for (const item of items) {
        const outcome = outcomes.get(item.seq) ?? notRead(item);
        const row: FeedItemRow = {
          ...{ accepted: item.accepted, author: item.author, device: item.device },
          ...{ feed: item.feed, ...outcome },
        };
        const waits = posts.find(({ seq }) => outcome.state === 'waiting' && seq === item.seq);
        if (waits) {
          const { author, device, seq, post } = waits;
          const chain = hex(post.chain);
          changes.put.push(waitingRow({ channel, seq, chain, author, device, since: now() }));
        }
        const post = waits && { post: waits.post.bytes };
        changes.put.push(itemRow(channel, item.seq, { ...row, ...post }));
      }
      const claimed = await checkClaims(through(storage, changes), changes, channel, items);
      if (claimed) changes.put.push(differenceRow(channel, claimed));
      const mine = new Set([...outcomes.values()].flatMap(({ id }) => id ?? []));
      for (const { key, channel: of, id, state: at } of await ownPosts(storage))
        if (of === channel && at === 'sent' && mine.has(id)) changes.remove.push(postPlace(key));
      await storage.commit(batchOf(changes));
    });

  async function catchUp(space: SpaceId, channel: ChannelId, signal?: AbortSignal): Promise<void> {
    const difference = await readDifference(storage, channel);
    if (difference?.why === 'feed') throw differs();
    for (;;) {
      const known = await readFeed(storage, channel);
      const { ranges } = known;
      const newest = ranges.at(-1);
      const asked = newest ? { after: newest.to } : { before: end };
      let page = await line.posts(channel, { ...asked, count: mostPosts }, signal);
      if (newest && page.head < newest.to) throw await latched(channel, page.head);
      if (newest && page.head - newest.to > mostInOrder)
        page = await line.posts(channel, { before: end, count: mostPosts }, signal);
      const [first] = page.items;
      const from = first?.seq ?? page.head + 1;
      const follows = newest !== undefined && from === newest.to + 1;
      if (follows && !equal(page.feed, newest.after)) throw await latched(channel, newest.to);
      if (newest && from <= newest.to) throw new Fault('malformed');
      const items = verified(page, follows ? newest.accepted : 0);
      const state = await stateFor(space, items, signal);
      if (
        newest &&
        !follows &&
        !isJump(page, from, newest) &&
        !mayMiss(state, channel, newest.accepted)
      )
        throw new Problem('channel_withheld');
      const last = items.at(-1);
      const stretch: FeedRange = {
        ...{ from, before: page.feed, to: last?.seq ?? from - 1, after: last?.feed ?? page.feed },
        accepted: last?.accepted ?? newest?.accepted ?? 0,
      };
      const { head } = page;
      if (!newest || items.length > 0 || !follows || head !== newest.to)
        await keep(state, channel, items, known, {
          head,
          ranges: follows
            ? [...ranges.slice(0, -1), joined(newest, stretch)]
            : [...ranges, stretch],
        });
      if (stretch.to >= head) return;
      // An island that has more and shows nothing would be asked for ever.
      if (items.length === 0) throw new Problem('channel_withheld');
    }
  }

  /** Whether the newest page was fetched instead of what comes next. */
  const isJump = (page: PostPage, from: number, newest: FeedRange): boolean =>
    page.head - newest.to > mostInOrder && from > newest.to + 1;

  async function older(
    space: SpaceId,
    channel: ChannelId,
    before: number,
    signal?: AbortSignal,
  ): Promise<boolean> {
    const known = await readFeed(storage, channel);
    const { ranges } = known;
    const at = ranges.findLastIndex(({ from }) => from <= before);
    const upper = ranges[at === -1 ? 0 : at];
    if (upper === undefined || upper.from <= 1) return false;
    const lower = ranges[ranges.indexOf(upper) - 1];
    const page = await line.posts(channel, { before: upper.from, count: mostPosts }, signal);
    const items = verified(page, 0);
    const last = items.at(-1);
    if (last === undefined) return false;
    if (last.seq !== upper.from - 1) throw new Problem('channel_withheld');
    if (!equal(last.feed, upper.before)) throw await latched(channel, last.seq);
    const meets = lower !== undefined && (items[0]?.seq ?? 0) <= lower.to + 1;
    const fresh = meets ? items.filter(({ seq }) => seq > lower.to) : items;
    const beneath = meets
      ? (items.find(({ seq }) => seq === lower.to)?.feed ?? page.feed)
      : page.feed;
    if (meets && !equal(beneath, lower.after)) throw await latched(channel, lower.to);
    const state = await stateFor(space, fresh, signal);
    const from = fresh[0]?.seq ?? upper.from;
    await keep(state, channel, fresh, known, {
      head: known.head,
      ranges: ranges.flatMap((each) => {
        if (each.from === upper.from) {
          const grown = { ...each, from, before: beneath };
          return [meets ? { ...grown, from: lower.from, before: lower.before } : grown];
        }
        return meets && each.from === lower.from ? [] : [each];
      }),
    });
    return true;
  }

  function inTurn<T>(channel: ChannelId, work: () => Promise<T>): Promise<T> {
    const turn = (turns.get(channel) ?? Promise.resolve()).then(work);
    const settled = turn.catch(() => undefined);
    turns.set(channel, settled);
    void settled.then(() => turns.get(channel) === settled && turns.delete(channel));
    return turn;
  }

  return {
    catchUp: (space, channel, signal) => inTurn(channel, () => catchUp(space, channel, signal)),
    older: (space, channel, before, signal) =>
      inTurn(channel, async () => {
        const difference = await readDifference(storage, channel);
        if (difference?.why === 'feed') await mustAgree(storage, channel);
        return older(space, channel, before, signal);
      }),
  };
}

const joined = (lower: FeedRange, upper: FeedRange): FeedRange => ({
  ...upper,
  from: lower.to < lower.from ? upper.from : lower.from,
  before: lower.before,
});

function placed(item: Item): Placed[] {
  if (!('post' in item)) return [];
  const { seq, accepted, author, device, post } = item;
  try {
    return [{ seq, accepted, author, device, post: decodePost(post) }];
  } catch (error) {
    if (error instanceof Fault) return [];
    throw error;
  }
}

/** The island has it no more, or has what is no post. */
const notRead = (item: Item): Outcome =>
  'post' in item ? { state: 'refused', why: 'malformed' } : { state: 'gone' };
