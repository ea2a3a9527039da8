/**
 * What was read in channels, here and on the account's other devices, and what calls the person. docs/protocol/channel.md §8
 *
 *     channel-marks      channel    the place up to which was read
 *     channel-notify     channel    all, mentions or none
 */

import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import type { ChannelId } from '@island/protocol/wire/ids.ts';
import type { Put, Storage } from '../storage/storage.ts';
import { readFeed } from './feed-rows.ts';
import { type Changes, type Reading, through } from './rows.ts';
import { callsAfter } from './said.ts';

const marks = 'channel-marks';
const notices = 'channel-notify';
const text = new TextDecoder();

export const notifyChoices = ['all', 'mentions', 'none'] as const;
export type Notify = (typeof notifyChoices)[number];

export interface ChannelUnread {
  /** Posts behind the mark, as far as the island has named them. */
  posts: number;
  /** Those of them that call the person, as far as they were read. */
  calls: number;
}

export async function markIn(storage: Pick<Reading, 'read'>, channel: ChannelId): Promise<number> {
  const row = await storage.read(marks, channel);
  return row ? Number(text.decode(row.bytes)) : 0;
}

export const markRow = (channel: ChannelId, readUpTo: number): Put => ({
  namespace: marks,
  key: channel,
  bytes: utf8Bytes(String(readUpTo)),
});

export async function unreadIn(storage: Reading, channel: ChannelId): Promise<ChannelUnread> {
  const { head, ranges } = await readFeed(storage, channel);
  const lowest = (ranges[0]?.from ?? 1) - 1;
  const mark = Math.max(await markIn(storage, channel), 0);
  // Who came later has not missed what was there before.
  const from = mark === 0 ? lowest : mark;
  return { posts: Math.max(0, head - from), calls: await callsAfter(storage, channel, from) };
}

/** Another device has read so far. */
export async function takeChannelMarks(
  storage: Reading,
  changes: Changes,
  said: readonly { channel: ChannelId; readUpTo: number }[],
): Promise<void> {
  for (const { channel, readUpTo } of said)
    if (readUpTo > (await markIn(through(storage, changes), channel)))
      changes.put.push(markRow(channel, readUpTo));
}

/** Mentions, where nothing was chosen. */
export async function notifyOf(
  storage: Pick<Storage, 'read'>,
  channel: ChannelId,
): Promise<Notify> {
  const row = await storage.read(notices, channel);
  const said = row && text.decode(row.bytes);
  return notifyChoices.find((choice) => choice === said) ?? 'mentions';
}

export const notifyRow = (channel: ChannelId, notify: Notify): Put => ({
  namespace: notices,
  key: channel,
  bytes: utf8Bytes(notify),
});
