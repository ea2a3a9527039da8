/** Routes about servers and their channels. docs/protocol/channel.md */
import * as v from 'valibot';
import { limits } from './limits.ts';
import { route } from './route.ts';
import * as s from './schema.ts';

const entry = s.text64UpTo(limits.entryBytes);
const post = s.text64UpTo(limits.postBytes);
const posted = { seq: s.count, accepted: s.count, author: s.account, device: s.device };
const item = v.union([
  v.strictObject({ ...posted, post }),
  v.strictObject({ ...posted, gone: s.text64(32) }),
]);
export const presences = ['online', 'away', 'off'] as const;
export type Presence = (typeof presences)[number];
const presence = v.picklist(presences);

export const spaceRoutes = {
  /** The first entry of a space. */
  createSpace: route({
    method: 'POST',
    path: '/v1/spaces',
    auth: 'token',
    request: v.strictObject({ entry }),
    answer: s.empty,
  }),
  /** The next entry of a space that the asker is in, or joins by it. */
  appendEntry: route({
    method: 'POST',
    path: '/v1/spaces/entries',
    auth: 'token',
    request: v.strictObject({ entry }),
    answer: v.strictObject({ seq: s.count }),
  }),
  /** Entries behind one, ascending. Whoever is no member shows an invite: its key, and the proof of a join. */
  spaceLog: route({
    method: 'POST',
    path: '/v1/spaces/log',
    auth: 'token',
    request: v.strictObject({
      space: s.space,
      after: s.count,
      invite: v.optional(
        v.strictObject({ key: s.text64(32), aik: s.text64(32), proof: s.text64(64) }),
      ),
    }),
    answer: v.strictObject({ seq: s.count, entries: v.array(entry) }),
  }),
  mySpaces: route({
    method: 'GET',
    path: '/v1/spaces',
    auth: 'token',
    request: s.empty,
    answer: v.strictObject({
      spaces: v.array(v.strictObject({ space: s.space, seq: s.count, lists: s.count })),
    }),
  }),
  /** Members whose devices changed. */
  spaceLists: route({
    method: 'POST',
    path: '/v1/spaces/lists',
    auth: 'token',
    request: v.strictObject({ space: s.space, after: s.count }),
    answer: v.strictObject({ lists: s.count, accounts: v.array(s.account) }),
  }),
  /** What the POST frame does, for who has no socket. */
  post: route({
    method: 'POST',
    path: '/v1/channels/post',
    auth: 'token',
    request: v.strictObject({ lists: s.count, post }),
    answer: v.strictObject({ seq: s.count }),
  }),
  /** The first posts behind `after`, or the last ones before `before`, ascending. */
  posts: route({
    method: 'POST',
    path: '/v1/channels/posts',
    auth: 'token',
    request: v.strictObject({
      channel: s.channel,
      after: v.optional(s.count),
      before: v.optional(s.count),
      count: v.pipe(s.count, v.minValue(1), v.maxValue(limits.postsPerAnswer)),
    }),
    answer: v.strictObject({ head: s.count, feed: s.text64(32), items: v.array(item) }),
  }),
  /** Of the asker's own posts. */
  takeBackPosts: route({
    method: 'POST',
    path: '/v1/channels/take-back',
    auth: 'token',
    request: v.strictObject({
      channel: s.channel,
      seqs: v.pipe(v.array(s.count), v.minLength(1), v.maxLength(64)),
    }),
    answer: s.empty,
  }),
  /** Sealed keys of a channel for the devices of one member, or for one's own other devices. */
  sendKeys: route({
    method: 'POST',
    path: '/v1/spaces/keys',
    auth: 'token',
    request: v.strictObject({
      space: s.space,
      to: s.account,
      epoch: s.count,
      envelopes: v.pipe(
        v.array(
          v.strictObject({
            device: s.device,
            id: s.envelope,
            body: s.text64UpTo(limits.envelopeBytes),
          }),
        ),
        v.minLength(1),
        v.maxLength(limits.devices),
      ),
    }),
    answer: s.empty,
  }),
  /** Members who are there or away. */
  present: route({
    method: 'POST',
    path: '/v1/spaces/present',
    auth: 'token',
    request: v.strictObject({ space: s.space }),
    answer: v.strictObject({
      members: v.array(v.strictObject({ account: s.account, state: presence })),
    }),
  }),
  report: route({
    method: 'POST',
    path: '/v1/spaces/report',
    auth: 'token',
    request: v.strictObject({
      space: s.space,
      /** 16 random bytes. */
      report: s.text64(16),
      sealed: s.text64UpTo(limits.reportBytes),
    }),
    answer: s.empty,
  }),
  /** Reports that nobody has closed, the oldest first. */
  reports: route({
    method: 'POST',
    path: '/v1/spaces/reports',
    auth: 'token',
    request: v.strictObject({ space: s.space, after: s.count }),
    answer: v.strictObject({
      reports: v.array(
        v.strictObject({
          number: s.count,
          report: s.text64(16),
          by: s.account,
          day: s.count,
          sealed: s.text64UpTo(limits.reportBytes),
        }),
      ),
    }),
  }),
} as const;
