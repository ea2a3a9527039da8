/**
 * What this device posts, until it stands in the feed that it has read. docs/protocol/channel.md §6
 *
 *     channel-outbox    ascending    { space, channel, id, sentAt, body, sealed, state, … }
 */
import {
  type ChannelBody,
  decodeChannelBody,
  encodeChannelBody,
} from '@island/protocol/crypto/channel-body.ts';
import type { ChannelId, SpaceId } from '@island/protocol/wire/ids.ts';
import * as s from '@island/protocol/wire/schema.ts';
import * as v from 'valibot';
import { bytes64, decodeRecord, encodeRecord } from '../storage/record.ts';
import type { Append, Place, Put, Row, Storage } from '../storage/storage.ts';

const record = v.strictObject({
  space: s.space,
  channel: s.channel,
  /** In hex. */
  id: v.string(),
  sentAt: v.number(),
  body: bytes64,
  state: v.picklist(['queued', 'sent', 'failed']),
  /** Why it failed, for a person. */
  reason: v.optional(v.string()),
  /** Where the island put it. */
  seq: v.optional(v.number()),
  /** The bytes that are sent, again and again, until there is an answer. */
  sealed: v.optional(v.strictObject({ post: bytes64, lists: v.number(), chain: v.string() })),
});

export type PostState = 'queued' | 'sent' | 'failed';

export interface OwnPost {
  key: string;
  version: number;
  space: SpaceId;
  channel: ChannelId;
  id: string;
  sentAt: number;
  body: ChannelBody;
  state: PostState;
  reason: string | undefined;
  seq: number | undefined;
  sealed: { post: Uint8Array; lists: number; chain: string } | undefined;
}

const namespace = 'channel-outbox';

const encode = ({ body, ...post }: Omit<OwnPost, 'key' | 'version'>): Uint8Array =>
  encodeRecord({ ...post, body: encodeChannelBody(body) });

function read(row: Row): OwnPost {
  const { body, reason, seq, sealed, ...post } = decodeRecord(record, row);
  const { key, version } = row;
  return { ...post, key, version, body: decodeChannelBody(body), reason, seq, sealed };
}

export const queuedPost = (
  post: Pick<OwnPost, 'space' | 'channel' | 'id' | 'sentAt' | 'body'>,
): Append => ({
  namespace,
  bytes: encode({ ...post, state: 'queued', reason: undefined, seq: undefined, sealed: undefined }),
});

/** In the order in which they were queued. */
export const ownPosts = async (storage: Pick<Storage, 'list'>): Promise<OwnPost[]> =>
  (await storage.list(namespace)).map(read);

export async function readOwnPost(
  storage: Pick<Storage, 'read'>,
  key: string,
): Promise<OwnPost | undefined> {
  const row = await storage.read(namespace, key);
  return row && read(row);
}

/** For a commit that holds only if nobody else has changed the row. */
export function changedPost(
  { key, version, ...post }: OwnPost,
  change: Partial<Pick<OwnPost, 'state' | 'reason' | 'seq' | 'sealed'>>,
): { put: Put; expect: Place & { version: number } } {
  const place = { namespace, key };
  const put = { ...place, bytes: encode({ ...post, ...change }) };
  return { put, expect: { ...place, version } };
}

export const postPlace = (key: string): Place => ({ namespace, key });
