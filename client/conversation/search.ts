/**
 * Finding what was said, on this device: the island can't, and is not asked. Words are looked up in an index
 * beside the history (index-words.ts); what was erased is in neither.
 */

import { readState } from '../archive/rows.ts';
import type { Storage } from '../storage/storage.ts';
import { catchUp } from './catch-up.ts';
import { withWord } from './index-words.ts';
import { oldestPlace, talks, timeOfPlace } from './places.ts';
import { type ShownMessage, viewPlaces } from './view.ts';
import { wordsOf } from './words.ts';

export interface Search {
  /** Only in the conversation with this person. */
  with?: string;
  /** The newest only. */
  limit?: number;
}

export interface Found {
  /** Newest first. */
  messages: { name: string; message: ShownMessage }[];
  /** How many there are, whatever the limit. */
  total: number;
  /** From when on this home has messages; undefined where it has none. */
  since: number | undefined;
  /** False while what other devices have archived is not read yet. */
  complete: boolean;
}

/** Messages in which every word of the text begins a word. */
export async function search(
  storage: Storage,
  now: () => number,
  text: string,
  { with: name, limit = 50 }: Search = {},
): Promise<Found> {
  await catchUp(storage, now);
  const words = wordsOf(text).sort((a, b) => b.length - a.length);
  let found: Map<string, string> | undefined;
  for (const word of words) {
    if (found?.size === 0) break;
    const having = await withWord(storage, word);
    found = found ? new Map([...found].filter(([at]) => having.has(at))) : having;
  }
  const places = [...(found ?? [])]
    .filter(([, whose]) => name === undefined || whose === name)
    .sort(([a], [b]) => (a < b ? 1 : -1));
  const messages: Found['messages'] = [];
  const shown = Map.groupBy(places.slice(0, limit), ([, whose]) => whose);
  for (const [whose, here] of shown)
    for (const message of await viewPlaces(
      storage,
      whose,
      here.map(([at]) => at),
    ))
      if (message.type === 'message') messages.push({ name: whose, message });
  messages.sort((a, b) => (a.message.at < b.message.at ? 1 : -1));
  return {
    messages,
    total: places.length,
    since: await oldest(storage),
    complete: (await readState(storage))?.value.caughtUp ?? true,
  };
}

async function oldest(storage: Storage): Promise<number | undefined> {
  const times: number[] = [];
  for (const { name } of await talks(storage)) {
    const at = await oldestPlace(storage, name);
    if (at !== undefined) times.push(timeOfPlace(at));
  }
  return times.length > 0 ? Math.min(...times) : undefined;
}
