/** For tests: members of a space on real services, with as many devices as they like. */
import type { ChannelId, SpaceId } from '@island/protocol/wire/ids.ts';
import { type DeviceLink, parseIslandLink } from '@island/protocol/wire/island-link.ts';
import { syncOwn } from '../../account/own-devices.ts';
import { type Islander, type IslanderEvent, openIslander } from '../../islander.ts';
import { giveByLink, joinByLink, offerLink } from '../../joining/linking.ts';
import { register } from '../../joining/registration.ts';
import type { Platform } from '../../platform.ts';
import { memoryStorage } from '../../storage/memory.ts';
import type { Storage } from '../../storage/storage.ts';
import { credentials, home, opened } from '../../testing/member-home.ts';
import type { RealIsland } from '../../testing/real-island.ts';
import type { Shown, ShownPost } from '../view.ts';

export interface Member extends AsyncDisposable {
  name: string;
  storage: Storage;
  islander: Islander;
  events: IslanderEvent[];
  /** Sends and receives from now on. */
  works(): Member;
  /** Says a text in a channel; resolves with its id. */
  says(text: string): Promise<string>;
  /** Texts that are shown, as `name: text`. */
  shows(): Promise<string[]>;
  /** Resolves once the channel is shown so. */
  untilShown(test: (shown: string[]) => boolean): Promise<string[]>;
  posts(): Promise<Shown[]>;
}

export interface Place {
  space: SpaceId;
  channel: ChannelId;
}

const spoken = (post: Shown): string => {
  if ('hidden' in post) return `${post.authorName}: <${post.hidden} ${post.why ?? ''}>`;
  const state = post.state === 'sent' ? '' : ` (${post.state})`;
  return `${post.authorName}: ${post.deleted ? '<deleted>' : post.text}${state}`;
};

export const texts = (posts: readonly Shown[]): ShownPost[] =>
  posts.flatMap((post) => ('hidden' in post ? [] : [post]));

export async function member(
  island: RealIsland,
  name: string,
  place: () => Place,
  {
    storage = memoryStorage(),
    platform = island.platform(),
  }: { storage?: Storage; platform?: Platform } = {},
): Promise<Member> {
  const { now } = island.clock;
  const joining = { storage, platform, now };
  await register(joining, await island.link(), name, credentials);
  return reopened(island, name, place, { storage, platform });
}

/** The program of a home that has joined, started. */
export async function reopened(
  island: RealIsland,
  name: string,
  place: () => Place,
  { storage, platform = island.platform() }: { storage: Storage; platform?: Platform },
): Promise<Member> {
  const events: IslanderEvent[] = [];
  const { now } = island.clock;
  const islander = await openIslander({
    storage,
    platform,
    now,
    on: (event) => void events.push(event),
  });
  const self: Member = {
    name,
    storage,
    islander,
    events,
    works() {
      islander.startReceiving();
      islander.startSending();
      return self;
    },
    says(text) {
      const { space, channel } = place();
      return islander.channels.post(space, channel, { kind: 'text', text });
    },
    async posts() {
      const { space, channel } = place();
      return (await islander.channels.view(space, channel, { limit: 1000 })).posts;
    },
    shows: async () => (await self.posts()).map(spoken),
    async untilShown(test) {
      for (;;) {
        const changed = Promise.withResolvers<void>();
        using _watch = storage.watch(changed.resolve);
        const shown = await self.shows().catch(() => []);
        if (test(shown)) return shown;
        await changed.promise;
      }
    },
    [Symbol.asyncDispose]: () => islander[Symbol.asyncDispose](),
  };
  return self;
}

/** Another device of the same person. */
export async function linked(
  island: RealIsland,
  first: Member,
  place: () => Place,
): Promise<Member> {
  const quietly = await opened(island, home(island, first.storage));
  const { link, offer } = await offerLink(quietly.keeping);
  const fresh = memoryStorage();
  const shown = Promise.withResolvers<string>();
  const given = giveByLink(quietly.keeping, offer, async (digits) => {
    shown.resolve(digits);
    return true;
  });
  const { joining } = home(island, fresh);
  const person = { credentials, askDigits: () => shown.promise };
  await Promise.all([given, joinByLink(joining, parseIslandLink(link) as DeviceLink, person)]);
  await syncOwn(quietly.keeping);
  return reopened(island, first.name, place, { storage: fresh });
}

/** A space that the first has begun and the others have joined. */
export async function together(first: Member, ...others: Member[]): Promise<Place> {
  const { space, channels } = await first.islander.spaces.create('Isle');
  const [channel] = channels.keys();
  if (channel === undefined) throw new Error('a space without a channel');
  for (const { islander } of others) {
    const link = await first.islander.spaces.invite(space, { expires: 0, uses: 1, role: 0 });
    await islander.spaces.join(link);
  }
  return { space, channel };
}
