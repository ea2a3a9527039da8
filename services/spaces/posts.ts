/**
 * Posts: admitted by the log, numbered, stored in groups, then told to whoever listens. One ciphertext a post, however
 * many read it (M3). docs/protocol/channel.md §7
 *
 * Invariant: `accepted` is the newest entry of the log in the transaction that stores the post, so that it never falls
 * from one post of a channel to the next, and nothing is stored of somebody who was just removed.
 */
import { nextFeedHead } from '@island/protocol/crypto/feed.ts';
import { decodePost, type Post } from '@island/protocol/crypto/post.ts';
import { equal } from '@island/protocol/crypto/primitives.ts';
import { may } from '@island/protocol/space/permissions.ts';
import { keyEpochAt } from '@island/protocol/space/readers.ts';
import type { Channel, SpaceState } from '@island/protocol/space/space-state.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId, SpaceId } from '@island/protocol/wire/ids.ts';
import type { Bus } from '../kit/bus.ts';
import { type Clock, unixSeconds } from '../kit/clock.ts';
import { groupCommit, type Outcome } from '../kit/group-commit.ts';
import type { Statements } from '../kit/store-handle.ts';
import type { Channels } from './channels.ts';
import { spaces } from './contract.ts';
import { idBytes, type SpacesStore } from './database.ts';
import { removePosts } from './entry-effects.ts';
import { openPace } from './pace.ts';
import type * as schema from './schema.ts';
import type { Seal, SealedRows } from './sealed-rows.ts';
import type { Actor, SpaceLogs } from './space-logs.ts';

export interface Posts {
  /** Resolves after the commit, with the place of the post. */
  post(by: Actor, lists: number, bytes: Uint8Array): Promise<number>;
  /** What the account posted itself is gone, but for its place and hash. */
  takeBack(account: AccountId, channel: Channel, seqs: readonly number[]): Promise<void>;
}

interface Item {
  by: Actor;
  space: SpaceId;
  /** The entry that it was admitted under. */
  under: number;
  bytes: Uint8Array;
  post: Post;
}

interface Placed {
  seq: number;
  accepted: number;
  /** Whether it was there already. */
  again: boolean;
}

interface Head {
  seq: number;
  hash: Uint8Array;
  accepted: number;
}

export function openPosts(parts: {
  store: SpacesStore;
  bus: Bus;
  clock: Clock;
  rows: SealedRows;
  logs: SpaceLogs;
  channels: Channels;
}): Posts {
  const { store, bus, clock, rows, logs, channels } = parts;
  const pace = openPace(clock);
  let seal: Seal | undefined;

  async function place(
    sql: Statements,
    heads: Map<string, Head>,
    item: Item,
  ): Promise<Outcome<Placed | 'overtaken'>> {
    const { by, space, under, bytes, post } = item;
    const channel = idBytes(post.channel);
    const author = idBytes(by.account);
    const leaf = post.hash;
    const same = await placeOf(sql, by, post);
    if (same !== undefined) {
      const { seq, accepted } = same;
      if (!equal(same.leaf, leaf)) return { fault: new Fault('malformed') };
      return { result: { seq, accepted, again: true } };
    }
    const [log] = await sql.rows<{ seq: number; ended: number | null }>(
      'SELECT seq, ended FROM spaces WHERE space = ?',
      [idBytes(space)],
    );
    if (log === undefined || log.ended !== null) return { fault: new Fault('space_closed') };
    if (log.seq !== under) return { result: 'overtaken' };
    const before = heads.get(post.channel) ?? (await headOf(sql, channel));
    const fields = { seq: before.seq + 1, accepted: under, author: by.account, device: by.device };
    const head = nextFeedHead(before, { ...fields, leaf });
    if (seal === undefined) throw new TypeError('a group of posts without a key');
    await sql.run(
      'INSERT INTO posts (channel, seq, accepted, author, device, chain, iteration, leaf, feed, post) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
      [
        ...[channel, head.seq, under, author, by.device, post.chain, post.iteration, leaf],
        ...[head.hash, seal(channel, head.seq, bytes)],
      ],
    );
    heads.set(post.channel, head);
    return { result: { seq: head.seq, accepted: under, again: false } };
  }

  const writes = groupCommit<typeof schema, Item, Placed | 'overtaken'>(store, {
    async prepare() {
      seal = await rows.sealer();
    },
    async apply(group, _db, sql) {
      const heads = new Map<string, Head>();
      const outcomes: Outcome<Placed | 'overtaken'>[] = [];
      const bytes = new Map<SpaceId, number>();
      for (const item of group) {
        const outcome = await place(sql, heads, item);
        outcomes.push(outcome);
        if ('result' in outcome && outcome.result !== 'overtaken' && !outcome.result.again)
          bytes.set(item.space, (bytes.get(item.space) ?? 0) + item.bytes.length);
      }
      for (const [channel, { seq, hash }] of heads)
        await sql.run('UPDATE channels SET head = ?, feed = ? WHERE channel = ?', [
          ...[seq, hash, idBytes(channel)],
        ]);
      for (const [space, more] of bytes)
        await sql.run('UPDATE spaces SET bytes = bytes + ? WHERE space = ?', [
          ...[more, idBytes(space)],
        ]);
      return outcomes;
    },
    mostWaiting: 4096,
  });

  return {
    async post(by, lists, bytes) {
      const post = decodePost(bytes);
      const { space, channel } = await channels.of(post.channel);
      for (;;) {
        const state = await logs.stateOf(space);
        try {
          admit(state, { by, post, clock });
          const present = await channels.listsOf(space);
          if (lists !== present) throw new Fault('lists_stale', { lists: present });
        } catch (error) {
          // What is repeated after a lost answer was right when it was taken.
          const same = await placeOf(store, by, post);
          if (same && equal(same.leaf, post.hash)) return same.seq;
          throw error;
        }
        const there = state.channels.get(channel);
        const slow = there && !may(state, by.account, 'managePosts', there) ? there.slowSeconds : 0;
        using turn = pace.take(post.channel, by.account, slow);
        const placed = await writes.add({ by, space, under: state.seq, bytes, post });
        if (placed === 'overtaken') continue;
        turn.keep();
        const { seq, accepted, again } = placed;
        const { account: author, device } = by;
        if (!again)
          bus.publish(spaces, 'posted', post.channel, {
            ...{ seq, accepted, author, device, post: bytes },
          });
        return seq;
      }
    },

    async takeBack(account, { channel }, seqs) {
      const removed = await store.write(async (_db, sql) =>
        removePosts(sql, idBytes(channel), seqs, idBytes(account)),
      );
      if (removed.length > 0) bus.publish(spaces, 'removed', channel, { seqs: removed });
    },
  };
}

/** Where the post of that place in that chain is. */
async function placeOf(sql: Pick<Statements, 'rows'>, by: Actor, post: Post) {
  const [same] = await sql.rows<{ seq: number; accepted: number; leaf: Buffer }>(
    'SELECT seq, accepted, leaf FROM posts WHERE channel = ? AND author = ? AND device = ? AND chain = ? AND iteration = ?',
    [idBytes(post.channel), idBytes(by.account), by.device, post.chain, post.iteration],
  );
  return same;
}

async function headOf(sql: Pick<Statements, 'rows'>, channel: Buffer): Promise<Head> {
  const [head] = await sql.rows<{ head: number; feed: Buffer }>(
    'SELECT head, feed FROM channels WHERE channel = ?',
    [channel],
  );
  if (head === undefined) throw new Fault('not_found');
  const [last] = await sql.rows<{ accepted: number }>(
    'SELECT accepted FROM posts WHERE channel = ? AND seq = ?',
    [channel, head.head],
  );
  return { seq: head.head, hash: head.feed, accepted: last?.accepted ?? 0 };
}

/** By the log as it is now. */
function admit(
  state: SpaceState,
  { by, post, clock }: { by: Actor; post: Post; clock: Clock },
): void {
  const { account } = by;
  const channel = state.channels.get(post.channel);
  const member = state.members.get(account);
  // Who may not see a channel is not told that there is one.
  if (!channel || !member || !may(state, account, 'view', channel)) throw new Fault('not_found');
  if (channel.kind !== 'text' || !may(state, account, 'post', channel))
    throw new Fault('not_permitted');
  if (member.timeoutUntil > unixSeconds(clock))
    throw new Fault('timed_out', { until: member.timeoutUntil });
  const epoch = keyEpochAt(state, post.channel, state.seq);
  const current = post.logSeq <= state.seq && post.logSeq >= epoch;
  if (!current) throw new Fault('log_stale', { seq: state.seq });
}
