/**
 * Whether a post may count, by the log as this home has verified it. docs/protocol/channel.md §6, §7
 *
 * The island takes no post of an epoch that is over, so one that comes has been let through by an island that lies,
 * whoever made it.
 */
import type { ChannelBody } from '@island/protocol/crypto/channel-body.ts';
import type { ChannelKeyBody } from '@island/protocol/crypto/channel-key-body.ts';
import type { Post } from '@island/protocol/crypto/post.ts';
import { equal } from '@island/protocol/crypto/primitives.ts';
import type { ReceivedChain } from '@island/protocol/crypto/received-chain.ts';
import { may } from '@island/protocol/space/permissions.ts';
import { couldPost, keyEpochAt } from '@island/protocol/space/readers.ts';
import { hashAt, isSameIdentity, type SpaceState } from '@island/protocol/space/space-state.ts';
import type { AccountId, ChannelId, DeviceId, SpaceId } from '@island/protocol/wire/ids.ts';
import type { Sender } from '../receiving/senders.ts';
import { foldSpace } from '../spaces/space-rows.ts';
import type { Storage } from '../storage/storage.ts';

/** A post where the feed has it. */
export interface Placed {
  seq: number;
  accepted: number;
  author: AccountId;
  device: DeviceId;
  post: Post;
}

/** Why a post is refused, before it is opened. */
export function refusedBy(
  state: SpaceState,
  channel: ChannelId,
  { accepted, author, post }: Placed,
  chain: Pick<ReceivedChain, 'epoch'>,
): string | undefined {
  if (post.channel !== channel) return 'another_channel';
  if (post.logSeq > accepted) return 'log';
  const epoch = keyEpochAt(state, channel, accepted);
  if (post.logSeq < epoch || chain.epoch !== epoch) return 'stale_epoch';
  const could = [post.logSeq, accepted].every((seq) => couldPost(state, channel, author, seq));
  return could ? undefined : 'not_permitted';
}

/** The space as its log was after an entry. */
export type StateAt = (seq: number) => Promise<SpaceState | undefined>;

const mostKept = 8;

export function statesAt(storage: Storage, space: SpaceId, state: SpaceState): StateAt {
  const kept = new Map<number, SpaceState | undefined>();
  return async (seq) => {
    if (seq === state.seq) return state;
    if (!kept.has(seq)) {
      if (kept.size >= mostKept) kept.clear();
      kept.set(seq, await foldSpace(storage, space, seq));
    }
    return kept.get(seq);
  };
}

/** Whether the author had the right to this, beside that to post. */
export async function wasAllowed(
  at: StateAt,
  channel: ChannelId,
  { author, post }: Placed,
  body: ChannelBody,
): Promise<boolean> {
  const wanted =
    body.kind === 'pin'
      ? 'pin'
      : body.kind === 'reaction'
        ? 'react'
        : body.kind === 'text' && body.attachments
          ? 'attach'
          : undefined;
  return wanted === undefined || has(await at(post.logSeq), channel, author, wanted);
}

/** Whether the person is called by the post. */
export async function callsFor(
  at: StateAt,
  channel: ChannelId,
  { author, post }: Placed,
  body: ChannelBody,
  self: AccountId,
): Promise<boolean> {
  if (body.kind !== 'text' || author === self) return false;
  if (body.mentions?.some(({ account }) => account === self)) return true;
  return body.everyone === true && has(await at(post.logSeq), channel, author, 'mentionAll');
}

const has = (
  state: SpaceState | undefined,
  channel: ChannelId,
  account: AccountId,
  permission: Parameters<typeof may>[2],
): boolean => {
  const there = state?.channels.get(channel);
  return state !== undefined && there !== undefined && may(state, account, permission, there);
};

/** `later`: the log is not known as far as the offer needs it. */
export type Verdict = 'good' | 'later' | 'forked' | 'refused';

/** Whether a member may give a chain, by the log as it is known here. */
export function judgeOffer(
  state: SpaceState | undefined,
  { person, party }: Pick<Sender, 'person' | 'party'>,
  { channel, epoch, logSeq, logHash }: ChannelKeyBody,
): Verdict {
  if (state === undefined || state.seq < logSeq) return 'later';
  const own = hashAt(state, logSeq);
  if (own === undefined || !equal(own, logHash)) return 'forked';
  const member = state.members.get(party.account);
  if (member === undefined || !isSameIdentity(member, person.list)) return 'refused';
  const good =
    keyEpochAt(state, channel, epoch) === epoch && couldPost(state, channel, party.account, logSeq);
  return good ? 'good' : 'refused';
}
