/**
 * That the island shows this device other posts of a channel than it has shown before, or than it shows others: kept,
 * and in the way of posting there, until the person here has seen it. docs/protocol/channel.md §7
 *
 *     channel-differs    channel    { why, seq, by }
 */
import type { ChannelId } from '@island/protocol/wire/ids.ts';
import * as v from 'valibot';
import { Problem } from '../problem.ts';
import { decodeRecord, encodeRecord } from '../storage/record.ts';
import type { Place, Put } from '../storage/storage.ts';
import type { Reading } from './rows.ts';

const record = v.strictObject({
  /**
   * `feed`: the island changed what it had shown; `order`: posts of one device stand in another order than they were
   * made in; `seen`: a member has seen another feed, or says so; `log`: another log of the space.
   */
  why: v.picklist(['feed', 'order', 'seen', 'log']),
  /** The place in the feed, or in the log. */
  seq: v.number(),
  /** The account whose word it is. */
  by: v.optional(v.string()),
});

export type Difference = v.InferOutput<typeof record>;

const namespace = 'channel-differs';
export const differencePlace = (channel: ChannelId): Place => ({ namespace, key: channel });

export const differenceRow = (channel: ChannelId, difference: Difference): Put => ({
  ...differencePlace(channel),
  bytes: encodeRecord(difference),
});

export async function readDifference(
  storage: Pick<Reading, 'read'>,
  channel: ChannelId,
): Promise<Difference | undefined> {
  const row = await storage.read(namespace, channel);
  return row && decodeRecord(record, row);
}

export const differs = (): Problem => new Problem('channel_differs');

/** Throws `channel_differs`. */
export async function mustAgree(storage: Pick<Reading, 'read'>, channel: ChannelId): Promise<void> {
  if (await readDifference(storage, channel)) throw differs();
}
