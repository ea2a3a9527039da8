/** Posts as they are read: by place, a page at a time, however long the channel is. docs/protocol/channel.md §7 */
import { emptyFeed } from '@island/protocol/crypto/feed.ts';
import { viewSince } from '@island/protocol/space/readers.ts';
import {
  type AccountId,
  accountId,
  type ChannelId,
  type DeviceId,
  deviceId,
} from '@island/protocol/wire/ids.ts';
import type { Channels } from './channels.ts';
import { idBytes, type SpacesStore } from './database.ts';
import type { SealedRows } from './sealed-rows.ts';

export interface Wanted {
  account: AccountId;
  channel: ChannelId;
  after?: number | undefined;
  before?: number | undefined;
  count: number;
}

interface Placed {
  seq: number;
  accepted: number;
  author: AccountId;
  device: DeviceId;
}

export type Item = Placed & ({ post: Uint8Array } | { gone: Uint8Array });

export interface Page {
  head: number;
  /** The running hash in front of the first item. */
  feed: Uint8Array;
  items: Item[];
}

interface Row extends Record<string, unknown> {
  seq: number;
  accepted: number;
  author: Buffer;
  device: number;
  leaf: Buffer;
  post: Buffer | null;
}

/** Of posts in one answer, of the 512 KiB that it may have. */
const pageBytes = 400 * 1024;
const wrapBytes = 160;

/** @throws not_found for who may not see the channel */
export async function readPage(
  { store, rows, channels }: { store: SpacesStore; rows: SealedRows; channels: Channels },
  { account, channel: id, after, before, count }: Wanted,
): Promise<Page> {
  const { state, channel } = await channels.visible(id, account);
  const of = idBytes(id);
  const head = await channels.head(id);
  // What was posted before somebody came is handed out only where it may be shared with them.
  const since = channel.history ? 0 : (viewSince(state, id, account) ?? state.seq);
  const first = await firstSince(store, of, since, head);
  const columns = 'seq, accepted, author, device, leaf, post FROM posts WHERE channel = ?';
  const backwards = before !== undefined;
  const found = await store.rows<Row>(
    backwards
      ? `SELECT ${columns} AND seq < ? AND seq >= ? ORDER BY seq DESC LIMIT ?`
      : `SELECT ${columns} AND seq > ? AND seq >= ? ORDER BY seq LIMIT ?`,
    [of, backwards ? before : (after ?? 0), first, count],
  );
  const fitting = found.slice(0, thatFit(found));
  if (backwards) fitting.reverse();
  const items = fitting.map((row): Item => {
    const author = accountId(row.author.toString('hex'));
    const placed = { seq: row.seq, accepted: row.accepted, author, device: deviceId(row.device) };
    const post = row.post && rows.open(of, row.seq, row.post);
    return post ? { ...placed, post } : { ...placed, gone: row.leaf };
  });
  const begins = items[0]?.seq ?? head + 1;
  return { head, feed: await feedAt(store, of, begins - 1), items };
}

/** The first post that was taken at entry `since` or behind it: `accepted` never falls. */
async function firstSince(
  store: SpacesStore,
  channel: Buffer,
  since: number,
  head: number,
): Promise<number> {
  if (since === 0) return 1;
  let [low, high] = [1, head + 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    const [row] = await store.rows<{ accepted: number }>(
      'SELECT accepted FROM posts WHERE channel = ? AND seq = ?',
      [channel, middle],
    );
    if ((row?.accepted ?? 0) >= since) high = middle;
    else low = middle + 1;
  }
  return low;
}

async function feedAt(store: SpacesStore, channel: Buffer, seq: number): Promise<Uint8Array> {
  const [row] = await store.rows<{ feed: Buffer }>(
    'SELECT feed FROM posts WHERE channel = ? AND seq = ?',
    [channel, seq],
  );
  return row?.feed ?? emptyFeed.hash;
}

function thatFit(found: readonly Row[]): number {
  let total = 0;
  const past = found.findIndex(({ post }) => {
    total += (post?.length ?? 0) + wrapBytes;
    return total > pageBytes;
  });
  return past === -1 ? found.length : Math.max(past, 1);
}
