/** What a person has not read in a channel: texts of others, and which of them call them. */

import { decodeChannelBody } from '@island/protocol/crypto/channel-body.ts';
import type { AccountId, ChannelId } from '@island/protocol/wire/ids.ts';
import { decodeItem, type FeedItemRow, itemsOf, readFeed } from '../../channels/feed-rows.ts';
import { type ChannelUnread, markIn, unreadIn } from '../../channels/unread.ts';
import { appendedKey, type Storage } from '../../storage/storage.ts';

/** Of more it is not looked at what they are. */
const most = 200;

/** What was done to texts is nothing to read; what was not fetched yet counts as it is. */
export async function unreadTexts(
  storage: Storage,
  channel: ChannelId,
  self: AccountId,
): Promise<ChannelUnread> {
  const unread = await unreadIn(storage, channel);
  if (unread.posts === 0 || unread.posts > most) return unread;
  const { head, ranges } = await readFeed(storage, channel);
  const mark = await markIn(storage, channel);
  const newest = ranges.at(-1);
  const missing = Math.max(0, head - (newest?.to ?? 0));
  const rows = await storage.list(itemsOf(channel), { after: appendedKey(mark), limit: most });
  const texts = rows.map(decodeItem).filter((item) => item.author !== self && isText(item));
  return { posts: texts.length + missing, calls: unread.calls };
}

const isText = ({ state, body }: FeedItemRow): boolean =>
  state === 'waiting' || (body !== undefined && decodeChannelBody(body).kind === 'text');
