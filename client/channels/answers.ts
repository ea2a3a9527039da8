/**
 * How often a chain is asked for, and a question for one is answered. docs/protocol/channel.md §8
 *
 *     channel-answers   chain account.device   { at, times }
 *     channel-wanted    chain                  { at, times }
 */
import * as v from 'valibot';
import { decodeRecord, encodeRecord } from '../storage/record.ts';
import type { Changes, Reading } from './rows.ts';

const record = v.strictObject({ at: v.number(), times: v.number() });

/** Milliseconds between two answers to one device about one chain, and how many there are. */
const between = 60_000;
const mostAnswers = 8;
/** Milliseconds before a chain is asked for a second time, doubled each time, and how often it is. */
const again = 30_000;
const mostQuestions = 8;

type Row = v.InferOutput<typeof record>;

async function take(
  reading: Reading,
  changes: Pick<Changes, 'put'>,
  place: { namespace: string; key: string },
  now: number,
  may: (before: Row) => boolean,
): Promise<boolean> {
  const row = await reading.read(place.namespace, place.key);
  const before = row && decodeRecord(record, row);
  if (before && !may(before)) return false;
  const times = (before?.times ?? 0) + 1;
  changes.put.push({ ...place, bytes: encodeRecord({ at: now, times }) });
  return true;
}

/** `whose`: chain and device. A clock that was put back answers no more than one that was not. */
export const mayAnswer = (
  reading: Reading,
  changes: Pick<Changes, 'put'>,
  whose: string,
  now: number,
): Promise<boolean> =>
  take(reading, changes, { namespace: 'channel-answers', key: whose }, now, ({ at, times }) => {
    return times < mostAnswers && now - at >= between;
  });

export const mayAsk = (
  reading: Reading,
  changes: Pick<Changes, 'put'>,
  chain: string,
  now: number,
): Promise<boolean> =>
  take(reading, changes, { namespace: 'channel-wanted', key: chain }, now, ({ at, times }) => {
    return times < mostQuestions && now - at >= again * 2 ** (times - 1);
  });
