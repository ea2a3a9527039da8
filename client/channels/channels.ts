/** The channels of servers for this home's person: what is said there, read there, and who reads it. docs/protocol/channel.md §5 to §9 */
import type { ChannelBody } from '@island/protocol/crypto/channel-body.ts';
import { encodePostPlaintext } from '@island/protocol/crypto/post-plaintext.ts';
import { randomBytes } from '@island/protocol/crypto/primitives.ts';
import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId, ChannelId, SpaceId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { hex } from '@island/protocol/wire/text.ts';
import type { Account } from '../account/account.ts';
import type { OwnPerson } from '../people/own-person.ts';
import type { People } from '../people/people.ts';
import { Problem } from '../problem.ts';
import { passing } from '../sending/outbox.ts';
import type { Session } from '../sign-in/session.ts';
import type { Spaces } from '../spaces/spaces.ts';
import { type Storage, untilCommitted } from '../storage/storage.ts';
import { readAnew } from './anew.ts';
import { type Difference, differencePlace, readDifference } from './differences.ts';
import { openDistribution } from './distribution.ts';
import { eraseAt } from './erasing.ts';
import { openFeeds } from './feed.ts';
import { type Hearing, openHearing } from './hearing.ts';
import { shareHistory } from './history.ts';
import { keepChannels } from './keeping.ts';
import { type ChannelLine, requestLine } from './line.ts';
import { ownPosts, postPlace, queuedPost } from './post-rows.ts';
import { runPosting } from './posting.ts';
import type { PostName } from './said.ts';
import {
  type ChannelUnread,
  markIn,
  markRow,
  type Notify,
  notifyOf,
  notifyRow,
  unreadIn,
} from './unread.ts';
import { type ChannelView, channelView, pinnedPosts, postOf, type ShownPost } from './view.ts';

export interface Channels {
  /** Queues a post; resolves with its id once it is on the disk. Throws `channel_unknown`, `message_empty`, `message_long`. */
  post(space: SpaceId, channel: ChannelId, body: ChannelBody): Promise<string>;
  /** Forgets an own post that failed; false for any other. */
  discard(channel: ChannelId, id: string): Promise<boolean>;
  /** Removes own posts from the island and here; `post` of a delete tells the others. */
  takeBack(channel: ChannelId, seqs: readonly number[], signal?: AbortSignal): Promise<void>;
  /** As this home has read it. */
  view(
    space: SpaceId,
    channel: ChannelId,
    range: { before?: number; limit: number },
  ): Promise<ChannelView>;
  one(space: SpaceId, channel: ChannelId, name: PostName): Promise<ShownPost | undefined>;
  pinned(space: SpaceId, channel: ChannelId): Promise<ShownPost[]>;
  /** Asks the island for what is new. Throws `channel_differs`, `channel_withheld`, and what following the space throws. */
  catchUp(space: SpaceId, channel: ChannelId, signal?: AbortSignal): Promise<void>;
  /** Asks for a page in front of what was read at `before`; false where there is none. Throws as `catchUp`. */
  older(space: SpaceId, channel: ChannelId, before: number, signal?: AbortSignal): Promise<boolean>;
  unread(channel: ChannelId): Promise<ChannelUnread>;
  /** Everything up to a place was read; the account's other devices hear of it. */
  read(channel: ChannelId, upTo: number): Promise<void>;
  notify(channel: ChannelId): Promise<Notify>;
  setNotify(channel: ChannelId, notify: Notify): Promise<void>;
  /** What the island shows here and elsewhere does not agree. */
  difference(channel: ChannelId): Promise<Difference | undefined>;
  /** The person has seen it: posting and reading go on from what the island shows now. */
  acknowledge(channel: ChannelId): Promise<void>;
  /** Passes on what was posted before; resolves with the number of chains. */
  share(
    space: SpaceId,
    channel: ChannelId,
    recipient: AccountId,
    signal?: AbortSignal,
  ): Promise<number>;
  /** For who opens envelopes. */
  hearing: Hearing;
  /** Posts what is queued, until aborted. */
  send(signal: AbortSignal): Promise<void>;
  /** Keeps up with all channels, until aborted. */
  keep(signal: AbortSignal): Promise<void>;
}

export interface ChannelsParts {
  account: Account;
  storage: Storage;
  session: Session;
  people: People;
  own: OwnPerson;
  spaces: Spaces;
  now: () => number;
  /** How posts go and come; by requests where nothing else is given. */
  line?: ChannelLine;
  onWaiting: (channel: ChannelId, error: Error) => void;
  onRefused: (channel: ChannelId | undefined, why: string) => void;
  onTrouble: (place: ChannelId | SpaceId, error: Error) => void;
}

export function openChannels(parts: ChannelsParts): Channels {
  const { account, storage, session, own, spaces, now, onRefused } = parts;
  const line = parts.line ?? requestLine(session);
  const distribution = openDistribution(parts);
  const feeds = openFeeds({ ...parts, line });
  const viewParts = async (space: SpaceId) => {
    return { storage, state: await spaces.known(space), self: account.account };
  };

  return {
    hearing: openHearing({ account, storage, spaces, now, onRefused }),
    send: (signal) => runPosting({ ...parts, line, distribution }, signal),
    keep: (signal) => keepChannels({ ...parts, line, feeds }, signal),
    catchUp: feeds.catchUp,
    older: feeds.older,

    async post(space, channel, body) {
      await session.present();
      const state = await spaces.known(space);
      if (state.channels.get(channel)?.kind !== 'text')
        throw new Problem('channel_unknown', { channel, title: state.title });
      check(body);
      const id = hex(randomBytes(16));
      await storage.commit({ append: [queuedPost({ space, channel, id, sentAt: now(), body })] });
      return id;
    },

    discard: (channel, id) =>
      untilCommitted(async () => {
        const failed = (await ownPosts(storage)).find(
          (post) => post.channel === channel && post.id === id && post.state === 'failed',
        );
        if (!failed) return false;
        const { key, version } = failed;
        await storage.commit({
          remove: [postPlace(key)],
          expect: [{ ...postPlace(key), version }],
        });
        return true;
      }),

    async takeBack(channel, seqs, signal) {
      await line.takeBack(channel, seqs, signal);
      await eraseAt(storage, channel, seqs);
    },

    view: async (space, channel, range) => channelView(await viewParts(space), channel, range),
    one: async (space, channel, name) => postOf(await viewParts(space), channel, name),
    pinned: async (space, channel) => pinnedPosts(await viewParts(space), channel),
    unread: (channel) => unreadIn(storage, channel),

    async read(channel, upTo) {
      if (upTo <= (await markIn(storage, channel))) return;
      const others = (await own.present()).list.devices.length > 1;
      const body = { kind: 'channel-marks', marks: [{ channel, readUpTo: upTo }] } as const;
      const told = passing(account.name, { id: randomBytes(16), sentAt: now(), body });
      await storage.commit({ put: [markRow(channel, upTo)], append: others ? [told] : [] });
    },

    notify: (channel) => notifyOf(storage, channel),
    async setNotify(channel, notify) {
      await storage.commit({ put: [notifyRow(channel, notify)] });
    },

    difference: (channel) => readDifference(storage, channel),
    async acknowledge(channel) {
      const difference = await readDifference(storage, channel);
      if (!difference) return;
      // What the island shows now follows from nothing that was read before.
      if (difference.why === 'feed') await readAnew(storage, channel);
      else await storage.commit({ remove: [differencePlace(channel)] });
    },

    share: (space, channel, recipient, signal) =>
      shareHistory({ account, storage, spaces, now }, space, channel, recipient, signal),
  };
}

/** Throws `message_empty`, `message_long`. */
function check(body: ChannelBody): void {
  const size = 'text' in body ? utf8Bytes(body.text).length : 0;
  const empty = body.kind === 'text' && size === 0 && !body.attachments;
  if (empty) throw new Problem('message_empty');
  const long = new Problem('message_long', { size, limit: limits.textBytes });
  if (size > limits.textBytes) throw long;
  const seen = { seq: 0, hash: new Uint8Array(32) };
  try {
    encodePostPlaintext({ id: new Uint8Array(16), sentAt: 0, seen, body });
  } catch (error) {
    throw error instanceof Fault && error.code === 'too_large' ? long : error;
  }
}
