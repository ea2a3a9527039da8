/**
 * Servers and their channels: the logs that members sign, and the posts that members seal. Knows who is in a space,
 * what they may do there and who posts when; nothing of what is posted. docs/protocol/channel.md
 */
import { limits } from '@island/protocol/wire/limits.ts';
import * as s from '@island/protocol/wire/schema.ts';
import * as v from 'valibot';
import { defineContract } from '../kit/contract.ts';

const entry = s.bytesUpTo(limits.entryBytes);
const post = s.bytesUpTo(limits.postBytes);
const by = { account: s.account, device: s.device };
const posted = {
  seq: s.count,
  /** The newest entry of the log when it was taken. */
  accepted: s.count,
  author: s.account,
  device: s.device,
};
/** A removed post leaves the hash of what it was. channel.md §7 */
const item = v.union([
  v.strictObject({ ...posted, post }),
  v.strictObject({ ...posted, gone: s.bytes(32) }),
]);
const presence = v.picklist(['online', 'away', 'off']);

/** Who may begin a space. */
export const beginners = ['everybody', 'listed', 'nobody'] as const;

export const spaces = defineContract({
  service: 'spaces',
  cache: true,
  calls: {
    /** The first entry of a space. `forbidden` for who may not begin any, `space_full` for one too many. */
    create: {
      request: v.strictObject({ ...by, entry }),
      answer: s.empty,
      callers: ['gateway'],
    },
    /**
     * The next entry. Answers after the commit; the newest one again changes nothing. `log_moved` { seq } and
     * whatever `checkPermitted` refuses it with; `forbidden` for an entry of another device than the asker's.
     */
    append: {
      request: v.strictObject({ ...by, entry }),
      answer: v.strictObject({ seq: s.count }),
      callers: ['gateway'],
    },
    /**
     * Entries behind `after`, ascending, as many as fit into one answer. For members, and for who shows an invite
     * (the proof of a join). `not_found` for everybody else, and where there is no such space.
     */
    log: {
      request: v.strictObject({
        account: s.account,
        space: s.space,
        after: s.count,
        invite: v.optional(
          v.strictObject({ key: s.bytes(32), aik: s.bytes(32), proof: s.bytes(64) }),
        ),
      }),
      answer: v.strictObject({ seq: s.count, entries: v.array(entry) }),
      callers: ['gateway'],
    },
    /** The spaces that an account is in. */
    mine: {
      request: v.strictObject({ account: s.account }),
      answer: v.strictObject({
        spaces: v.array(v.strictObject({ space: s.space, seq: s.count, lists: s.count })),
      }),
      callers: ['gateway'],
    },
    /** Members whose device lists changed behind `after`, and the present count of such changes. */
    lists: {
      request: v.strictObject({ account: s.account, space: s.space, after: s.count }),
      answer: v.strictObject({ lists: s.count, accounts: v.array(s.account) }),
      callers: ['gateway'],
    },
    /** Which of these channels the account may watch, the space of each, and its newest post. */
    watch: {
      request: v.strictObject({
        account: s.account,
        channels: v.pipe(v.array(s.channel), v.maxLength(64)),
      }),
      answer: v.strictObject({
        channels: v.array(v.strictObject({ channel: s.channel, space: s.space, head: s.count })),
      }),
      callers: ['gateway'],
    },
    /**
     * Answers after the commit. The same bytes again are the same post. `not_permitted`, `log_stale` { seq } for keys
     * of an epoch that is over, `lists_stale` { lists }, `slow_mode` { seconds }, `timed_out` { until }, `not_found`.
     */
    post: {
      request: v.strictObject({ ...by, lists: s.count, post }),
      answer: v.strictObject({ seq: s.count }),
      callers: ['gateway'],
    },
    /**
     * Posts of a channel, ascending: the first behind `after`, or the last before `before`. `feed` is the running
     * hash in front of the first of them. channel.md §7
     */
    posts: {
      request: v.strictObject({
        account: s.account,
        channel: s.channel,
        after: v.optional(s.count),
        before: v.optional(s.count),
        count: v.pipe(s.count, v.maxValue(limits.postsPerAnswer)),
      }),
      answer: v.strictObject({ head: s.count, feed: s.bytes(32), items: v.array(item) }),
      callers: ['gateway'],
    },
    /** What the asker posted is gone from the island, but for its hash. Those of others: an entry of the log. */
    takeBack: {
      request: v.strictObject({
        account: s.account,
        channel: s.channel,
        seqs: v.pipe(v.array(s.count), v.minLength(1), v.maxLength(64)),
      }),
      answer: s.empty,
      callers: ['gateway'],
    },
    /**
     * Envelopes with keys of a channel for the devices of another member, or one's own: into their mailboxes,
     * without a token. `not_found` unless both are members; and what `delivery.place` refuses.
     */
    keys: {
      request: v.strictObject({
        account: s.account,
        space: s.space,
        to: s.account,
        epoch: s.count,
        envelopes: v.pipe(
          v.array(
            v.strictObject({
              device: s.device,
              id: s.envelope,
              body: s.bytesUpTo(limits.envelopeBytes),
            }),
          ),
          v.minLength(1),
          v.maxLength(limits.sendEnvelopes),
        ),
      }),
      answer: s.empty,
      callers: ['gateway'],
    },
    /** Told to whoever watches the channel, and kept nowhere. */
    typing: {
      request: v.strictObject({ account: s.account, channel: s.channel, began: v.boolean() }),
      answer: s.empty,
      callers: ['gateway'],
    },
    /** What a device says of its person; forgotten after `presenceSeconds` unless it is said again. */
    setPresence: {
      request: v.strictObject({ ...by, state: presence }),
      answer: s.empty,
      callers: ['gateway'],
    },
    /** Members who are there or away; nobody else. */
    present: {
      request: v.strictObject({ account: s.account, space: s.space }),
      answer: v.strictObject({
        members: v.array(v.strictObject({ account: s.account, state: presence })),
      }),
      callers: ['gateway'],
    },
    /** A report, sealed to the devices of moderators. channel.md §9 */
    report: {
      request: v.strictObject({
        account: s.account,
        space: s.space,
        report: s.bytes(16),
        sealed: s.bytesUpTo(limits.reportBytes),
      }),
      answer: s.empty,
      callers: ['gateway'],
    },
    /** Reports that are not closed, the oldest first, for who may read them. */
    reports: {
      request: v.strictObject({ account: s.account, space: s.space, after: s.count }),
      answer: v.strictObject({
        reports: v.array(
          v.strictObject({
            number: s.count,
            report: s.bytes(16),
            by: s.account,
            day: s.count,
            sealed: s.bytesUpTo(limits.reportBytes),
          }),
        ),
      }),
      callers: ['gateway'],
    },
    /**
     * The account has ended: nothing leads from it to the spaces that it was in. Their logs, which its members have
     * signed, and what it posted stay as they are.
     */
    end: {
      request: v.strictObject({ account: s.account }),
      answer: s.empty,
      callers: ['accounts'],
    },
    /** Who may begin spaces, and the list where there is one. */
    policy: {
      request: s.empty,
      answer: v.strictObject({ beginners: v.picklist(beginners), listed: v.array(s.account) }),
      callers: ['control'],
    },
    setPolicy: {
      request: v.strictObject({
        beginners: v.picklist(beginners),
        listed: v.pipe(v.array(s.account), v.maxLength(10_000)),
      }),
      answer: s.empty,
      callers: ['control'],
    },
    /** All spaces, a page at a time, by id. */
    table: {
      request: v.strictObject({ after: v.optional(s.space) }),
      answer: v.strictObject({
        spaces: v.array(
          v.strictObject({
            space: s.space,
            title: v.string(),
            owner: s.account,
            members: s.count,
            channels: s.count,
            posts: s.count,
            /** Of posts and entries. */
            bytes: s.count,
            closed: v.boolean(),
          }),
        ),
      }),
      callers: ['control'],
    },
    /** The operator ends a space: nothing more is taken, and in time it is deleted. */
    shutDown: {
      request: v.strictObject({ space: s.space }),
      answer: s.empty,
      callers: ['control'],
    },
  },
  events: {
    /** key: ChannelId. A post was committed; who misses one sees the gap in `seq` and asks `posts`. */
    posted: { payload: v.strictObject({ ...posted, post }), listeners: ['gateway'] },
    /** key: ChannelId. Their content is gone. */
    removed: { payload: v.strictObject({ seqs: v.array(s.count) }), listeners: ['gateway'] },
    /** key: SpaceId. The log, or a member's devices, changed. */
    moved: {
      payload: v.strictObject({ seq: s.count, lists: s.count }),
      listeners: ['gateway'],
    },
    /** key: ChannelId. These accounts may read it no more. */
    shut: { payload: v.strictObject({ accounts: v.array(s.account) }), listeners: ['gateway'] },
    /** key: ChannelId. */
    typing: {
      payload: v.strictObject({ account: s.account, began: v.boolean() }),
      listeners: ['gateway'],
    },
    /** key: SpaceId. */
    presence: {
      payload: v.strictObject({ account: s.account, state: presence }),
      listeners: ['gateway'],
    },
    /** key: `all`. The service or its bus came back: events may be missing. */
    resumed: { payload: s.empty, listeners: ['gateway'] },
  },
});
