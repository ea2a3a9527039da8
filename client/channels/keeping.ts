/**
 * Keeping up with the channels that this home's person can see: what is new is fetched, opened and kept, whoever tells
 * of it. docs/protocol/channel.md §7, §8
 *
 * One process of a home does it at a time. What one channel or space comes to holds up no other.
 */
import { may } from '@island/protocol/space/permissions.ts';
import type { SpaceState } from '@island/protocol/space/space-state.ts';
import type { ChannelId, SpaceId } from '@island/protocol/wire/ids.ts';
import type { Account } from '../account/account.ts';
import { backoff, pause } from '../backoff.ts';
import { createBell } from '../bell.ts';
import { Problem, willPass } from '../problem.ts';
import { knownSpaces } from '../spaces/space-rows.ts';
import type { Spaces } from '../spaces/spaces.ts';
import type { Storage } from '../storage/storage.ts';
import { eraseRemoved } from './erasing.ts';
import type { Feeds } from './feed.ts';
import { waitingPosts } from './feed-rows.ts';
import type { ChannelLine, News } from './line.ts';
import { type Offered, settleOffers } from './offers.ts';
import type { ChannelReading } from './reading.ts';
import { reopen } from './reopening.ts';
import { askFor } from './wanted.ts';

export interface KeepingParts extends Offered, ChannelReading {
  account: Account;
  storage: Storage;
  spaces: Spaces;
  feeds: Feeds;
  line: Pick<ChannelLine, 'listen' | 'watch'>;
  /** What the island shows of a channel is refused, or something else keeps it back. */
  onTrouble: (channel: ChannelId | SpaceId, error: Error) => void;
}

/** Text channels that the person can see. */
export const visibleChannels = (state: SpaceState, self: Account['account']): ChannelId[] =>
  [...state.channels.values()]
    .filter((channel) => channel.kind === 'text' && may(state, self, 'view', channel))
    .map(({ channel }) => channel);

/** Milliseconds between two looks at posts that wait for their keys. */
const askingLook = 2_000;

/** Until aborted. Throws `signed_out`. */
export async function keepChannels(parts: KeepingParts, signal: AbortSignal): Promise<void> {
  using _section = await parts.storage.lock('channels', signal);
  const due = new Set<ChannelId | SpaceId | 'everywhere'>(['everywhere']);
  using bell = createBell(signal);
  using _heard = parts.line.listen((news) => {
    due.add(placeOf(news));
    bell.ring();
  });
  using _watch = parts.storage.watch(bell.ring);
  /** Of each space, the entry up to which it was looked at: a person here begins, joins and changes spaces, too. */
  const seen = new Map<SpaceId, number>();
  for (let attempt = 0; !signal.aborted; ) {
    for (const { space, seq } of await knownSpaces(parts.storage)) {
      if (seq > 0 && seen.get(space) !== seq) due.add(space);
      seen.set(space, seq);
    }
    const places = [...due];
    due.clear();
    try {
      if (places.length > 0) await look(parts, places, signal);
      await settleWaiting(parts, signal);
      attempt = 0;
    } catch (error) {
      if (signal.aborted) return;
      if (!willPass(error)) throw error;
      for (const place of places) due.add(place);
      await pause(backoff(attempt), signal);
      attempt += 1;
      continue;
    }
    if (due.size === 0) await bell.next((await anyWaits(parts)) ? askingLook : undefined);
  }
}

const placeOf = (news: News): ChannelId | SpaceId | 'everywhere' =>
  news === 'everywhere' ? news : 'channel' in news ? news.channel : news.space;

const anyWaits = async ({ storage }: KeepingParts): Promise<boolean> =>
  (await waitingPosts(storage)).length > 0;

async function look(
  parts: KeepingParts,
  places: readonly (ChannelId | SpaceId | 'everywhere')[],
  signal: AbortSignal,
): Promise<void> {
  const { spaces } = parts;
  const everywhere = places.includes('everywhere');
  const states = everywhere ? await spaces.refresh(signal) : await spaces.all();
  const self = parts.account.account;
  parts.line.watch(states.flatMap((state) => visibleChannels(state, self)));
  for (const known of states) {
    const whole = everywhere || places.includes(known.space);
    const state = await guarded(parts, known.space, signal, async () =>
      places.includes(known.space) ? spaces.follow(known.space, signal) : known,
    );
    if (!state) continue;
    await eraseRemoved(parts.storage, state.space, state.seq);
    for (const channel of visibleChannels(state, self))
      if (whole || places.includes(channel))
        await guarded(parts, channel, signal, () =>
          parts.feeds.catchUp(state.space, channel, signal),
        );
  }
}

/** Chains that came meanwhile are used, others asked for. */
async function settleWaiting(parts: KeepingParts, signal: AbortSignal): Promise<void> {
  await settleOffers(parts);
  if (!(await anyWaits(parts))) return;
  for (const state of await parts.spaces.all())
    for (const channel of visibleChannels(state, parts.account.account)) {
      if (signal.aborted) return;
      const waiting = await reopen(parts, state, channel);
      if (waiting.length > 0) await askFor(parts, state, channel, waiting);
    }
}

/** What is refused of one is told, and what will pass is tried again by whoever called. */
async function guarded<T>(
  { onTrouble }: KeepingParts,
  place: ChannelId | SpaceId,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (signal.aborted || !(error instanceof Error)) throw error;
    if (error instanceof Problem ? fatal.has(error.code) : willPass(error)) throw error;
    onTrouble(place, error);
    return undefined;
  }
}

const fatal = new Set(['unreachable', 'signed_out', 'home_damaged', 'disk_full', 'home_unusable']);
