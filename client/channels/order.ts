/**
 * A device posts one after the other: in the feed its posts stand in the order of its chain. docs/protocol/channel.md §7
 *
 *     channel-order channel   chain    { low, high }    the outermost posts that were read: place, place in the chain
 */
import type { ChannelId } from '@island/protocol/wire/ids.ts';
import { hex } from '@island/protocol/wire/text.ts';
import * as v from 'valibot';
import { decodeRecord, encodeRecord } from '../storage/record.ts';
import type { Difference } from './differences.ts';
import type { Placed } from './judging.ts';
import type { Changes, Reading } from './rows.ts';

const point = v.tuple([v.number(), v.number()]);
const record = v.strictObject({ low: point, high: point });
export const orderIn = (channel: ChannelId): string => `channel-order ${channel}`;
type Point = readonly [seq: number, iteration: number];

/** Whether both rise from one to the other. */
const ascend = (a: Point, b: Point): boolean =>
  (a[0] === b[0] && a[1] === b[1]) || (a[0] < b[0] ? a[1] < b[1] : a[1] > b[1]);

/** Posts that were opened, by their place in the chain. */
export async function checkOrder(
  reading: Reading,
  changes: Changes,
  channel: ChannelId,
  chain: Uint8Array,
  posts: readonly Placed[],
): Promise<Difference | undefined> {
  const place = { namespace: orderIn(channel), key: hex(chain) };
  const row = await reading.read(place.namespace, place.key);
  const points = posts.map(({ seq, post }): Point => [seq, post.iteration]);
  const known = row && decodeRecord(record, row);
  const all: Point[] = [...points, ...(known ? [known.low, known.high] : [])];
  all.sort((a, b) => a[0] - b[0]);
  const [low, high] = [all[0], all.at(-1)];
  if (low === undefined || high === undefined) return undefined;
  changes.put.push({ ...place, bytes: encodeRecord({ low, high }) });
  const wrong = all.find((each, i) => i > 0 && !ascend(all[i - 1] as Point, each));
  return wrong && { why: 'order', seq: wrong[0] };
}
