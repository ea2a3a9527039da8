/**
 * Channels over the socket: posts go as frames and come as frames, as long as this process holds the connection; by
 * requests else, and for whatever a frame does not bring. docs/protocol/socket.md §6
 *
 * Nothing here is believed: what comes by frames is put into pages as the island would answer them, and checked as
 * those are. A post that is not answered is in good hands or not; the same bytes are sent again.
 */
import { type FeedHead, nextFeedHead } from '@island/protocol/crypto/feed.ts';
import { decodePost, hashPost } from '@island/protocol/crypto/post.ts';
import {
  type ChannelServerFrame,
  mostAtOnce,
  type PostItem,
} from '@island/protocol/wire/channel-frames.ts';
import { Fault, type FaultCode } from '@island/protocol/wire/fault.ts';
import type { ClientFrame } from '@island/protocol/wire/frames.ts';
import type { AccountId, ChannelId, SpaceId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import type { Presence } from '@island/protocol/wire/space-routes.ts';
import { Problem } from '../problem.ts';
import type { ChannelLine, News, PostPage } from './line.ts';

/** What the island tells and nobody keeps. */
export type ChannelSign =
  | { type: 'typing'; channel: ChannelId; account: AccountId; began: boolean }
  | { type: 'presence'; space: SpaceId; account: AccountId; state: Presence };

export interface SocketLine extends ChannelLine {
  /** A connection on which frames can be said; it has not been told anything yet. */
  connected(say: (frame: ClientFrame) => void): void;
  lost(): void;
  heard(frame: ChannelServerFrame): void;
  /** Says so where there is a connection. */
  typing(channel: ChannelId, began: boolean): void;
  /** The state is said again on every connection to come; `undefined`: nothing is. */
  present(state: Presence | undefined): void;
}

/** Milliseconds that an answer to a post may take. */
const patience = 10_000;
/** Posts a second by frames: T6 leaves room for everything else. */
const mostPosts = 15;
/** Milliseconds between two looks at everything, for what no frame told of. */
const look = 60_000;
/** Items of a channel that wait to be read. */
const mostKept = 256;

interface Coming {
  /** Where the pages end that were answered last. */
  head: FeedHead | undefined;
  items: PostItem[];
}

/** What the number of a refusal is. docs/protocol/faults.md §3 */
const detailOf: Partial<Record<FaultCode, string>> = {
  log_stale: 'seq',
  lists_stale: 'lists',
  slow_mode: 'seconds',
  timed_out: 'until',
};

const elsewhere = new Set<FaultCode>(['unavailable', 'rate_limited']);

export function socketLine(
  requests: ChannelLine,
  { address, on }: { address: string; on: (sign: ChannelSign) => void },
): SocketLine {
  let say: ((frame: ClientFrame) => void) | undefined;
  let watched: readonly ChannelId[] = [];
  let state: Presence | undefined;
  /** Whether the gateway has said on this connection that it tells of channels. */
  let told = false;
  let request = 0;
  const asked = new Map<number, { resolve(seq: number): void; reject(error: Error): void }>();
  const coming = new Map<ChannelId, Coming>();
  const listeners = new Set<(news: News) => void>();
  const sent: number[] = [];

  const tell = (news: News): void => {
    for (const heard of listeners) heard(news);
  };
  const lostOne = () => new Problem('unreachable', { address });

  function watch(channels: readonly ChannelId[], type: 'watch' | 'unwatch'): void {
    for (let at = 0; at < channels.length; at += mostAtOnce)
      say?.({ type, channels: channels.slice(at, at + mostAtOnce) });
  }

  /** Whether one more goes as a frame now. */
  function mayFrame(): boolean {
    const second = performance.now() - 1000;
    while (sent.length > 0 && (sent[0] ?? 0) < second) sent.shift();
    return say !== undefined && asked.size < limits.postsUnanswered && sent.length < mostPosts;
  }

  function settle(
    id: number,
    work: (one: { resolve(n: number): void; reject(e: Error): void }) => void,
  ) {
    const one = asked.get(id);
    asked.delete(id);
    if (one) work(one);
  }

  function arrived(channel: ChannelId, item: PostItem): void {
    const there = coming.get(channel) ?? { head: undefined, items: [] };
    coming.set(channel, there);
    const last = there.items.at(-1)?.seq ?? there.head?.seq;
    // What does not follow is asked for.
    if (last === undefined || item.seq !== last + 1 || there.items.length >= mostKept)
      there.items = [];
    else there.items.push(item);
    tell({ channel });
  }

  /** Pages are remembered by where they end: what comes behind is answered without asking. */
  function remember(channel: ChannelId, page: PostPage): PostPage {
    const first = page.items[0]?.seq ?? page.head + 1;
    let head: FeedHead | undefined = { seq: first - 1, hash: page.feed, accepted: 0 };
    try {
      for (const item of page.items) head = nextFeedHead(head, leafOf(item));
    } catch {
      head = undefined;
    }
    if (head?.seq !== page.head) return page;
    const items = (coming.get(channel)?.items ?? []).filter(({ seq }) => seq > page.head);
    coming.set(channel, { head, items: items[0]?.seq === page.head + 1 ? items : [] });
    return page;
  }

  /** The items that came behind a place, as a page; nothing where they are not known to follow it. */
  function pageBehind(channel: ChannelId, after: number): PostPage | undefined {
    const there = coming.get(channel);
    if (say === undefined || there?.head?.seq !== after || there.items.length === 0)
      return undefined;
    const { head, items } = there;
    try {
      const next = items.reduce((at, item) => nextFeedHead(at, leafOf(item)), head);
      coming.set(channel, { head: next, items: [] });
      return { head: next.seq, feed: head.hash, items };
    } catch {
      coming.delete(channel);
      return undefined;
    }
  }

  return {
    async post(lists, post, signal) {
      if (!mayFrame()) return requests.post(lists, post, signal);
      signal.throwIfAborted();
      const { promise, resolve, reject } = Promise.withResolvers<number>();
      request = (request % 0xffff_ffff) + 1;
      const id = request;
      asked.set(id, { resolve, reject });
      sent.push(performance.now());
      say?.({ type: 'post', request: id, channel: decodePost(post).channel, lists, post });
      const late = setTimeout(() => settle(id, (one) => one.reject(lostOne())), patience);
      const ended = () => settle(id, (one) => one.reject(lostOne()));
      signal.addEventListener('abort', ended, { once: true });
      try {
        return await promise;
      } catch (error) {
        // What the socket has no room for may have another way.
        if (!(error instanceof Fault) || !elsewhere.has(error.code)) throw error;
        return await requests.post(lists, post, signal);
      } finally {
        clearTimeout(late);
        signal.removeEventListener('abort', ended);
      }
    },

    async posts(channel, wanted, signal) {
      const { after } = wanted;
      const known = after === undefined ? undefined : pageBehind(channel, after);
      if (known) return known;
      const page = await requests.posts(channel, wanted, signal);
      return wanted.before === undefined || page.items.at(-1)?.seq === page.head
        ? remember(channel, page)
        : page;
    },

    takeBack: (channel, seqs, signal) => requests.takeBack(channel, seqs, signal),

    watch(channels) {
      const before = new Set(watched);
      const now = new Set(channels);
      watched = channels.slice(0, limits.watchedChannels);
      watch(
        watched.filter((each) => !before.has(each)),
        'watch',
      );
      watch(
        [...before].filter((each) => !now.has(each)),
        'unwatch',
      );
    },

    listen(heard) {
      listeners.add(heard);
      // Where the gateway tells nothing, whatever asks by requests does.
      const asking = requests.listen((news) => {
        if (say === undefined || (watched.length > 0 && !told)) heard(news);
      });
      const timer = setInterval(() => heard('everywhere'), look);
      return {
        [Symbol.dispose]() {
          listeners.delete(heard);
          asking[Symbol.dispose]();
          clearInterval(timer);
        },
      };
    },

    connected(frames) {
      say = frames;
      told = false;
      coming.clear();
      watch(watched, 'watch');
      if (state) say({ type: 'presence', state });
      tell('everywhere');
    },

    lost() {
      say = undefined;
      coming.clear();
      for (const id of [...asked.keys()]) settle(id, (one) => one.reject(lostOne()));
    },

    heard(frame) {
      switch (frame.type) {
        case 'posted':
          return settle(frame.request, (one) => one.resolve(frame.seq));
        case 'refused': {
          const { request: id, code, number, channel } = frame;
          const detail = detailOf[code];
          const fault = new Fault(code, detail ? { [detail]: number } : undefined);
          if (id === 0) return tell({ channel });
          return settle(id, (one) => one.reject(fault));
        }
        case 'post':
          return arrived(frame.channel, frame.item);
        case 'space':
          return tell({ space: frame.space });
        case 'behind':
        case 'removed':
          coming.delete(frame.channel);
          return tell({ channel: frame.channel });
        case 'watching':
          told = true;
          return tell({ channel: frame.channel });
        case 'typing':
        case 'presence':
          return on(frame);
      }
    },

    typing: (channel, began) => say?.({ type: 'typing', channel, began }),
    present(now) {
      state = now;
      if (now) say?.({ type: 'presence', state: now });
    },
  };
}

const leafOf = (item: PostItem) => ({
  seq: item.seq,
  accepted: item.accepted,
  author: item.author,
  device: item.device,
  leaf: 'post' in item ? hashPost(item.post) : item.gone,
});
