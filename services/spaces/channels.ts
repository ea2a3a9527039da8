/** Which channel is in which space, and the counts that a post names. docs/protocol/channel.md §7 */
import { may } from '@island/protocol/space/permissions.ts';
import type { Channel, SpaceState } from '@island/protocol/space/space-state.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import {
  type AccountId,
  type ChannelId,
  type SpaceId,
  spaceId,
} from '@island/protocol/wire/ids.ts';
import { idBytes, type SpacesStore } from './database.ts';
import type { SpaceLogs } from './space-logs.ts';

export interface Channels {
  /** @throws not_found */
  of(channel: ChannelId): Promise<{ space: SpaceId; channel: ChannelId }>;
  /** For an account that may see it. @throws not_found for every other */
  visible(
    channel: ChannelId,
    account: AccountId,
  ): Promise<{ space: SpaceId; state: SpaceState; channel: Channel }>;
  /** How often devices of members have changed. */
  listsOf(space: SpaceId): Promise<number>;
  /** The newest post, 0 before the first. */
  head(channel: ChannelId): Promise<number>;
  changed(space: SpaceId, lists: number): void;
}

const mostKept = 50_000;

export function openChannels({ store, logs }: { store: SpacesStore; logs: SpaceLogs }): Channels {
  /** A channel never moves. */
  const spacesOf = new Map<ChannelId, SpaceId>();
  const lists = new Map<SpaceId, number>();

  async function of(channel: ChannelId): Promise<{ space: SpaceId; channel: ChannelId }> {
    const known = spacesOf.get(channel);
    if (known !== undefined) return { space: known, channel };
    const [row] = await store.rows<{ space: Buffer }>(
      'SELECT space FROM channels WHERE channel = ?',
      [idBytes(channel)],
    );
    if (row === undefined) throw new Fault('not_found');
    const space = spaceId(row.space.toString('hex'));
    if (spacesOf.size >= mostKept) spacesOf.clear();
    spacesOf.set(channel, space);
    return { space, channel };
  }

  return {
    of,
    async visible(id, account) {
      const { space } = await of(id);
      const state = await logs.stateFor(space, account);
      const channel = state.channels.get(id);
      if (!channel || !may(state, account, 'view', channel)) throw new Fault('not_found');
      return { space, state, channel };
    },
    async listsOf(space) {
      const known = lists.get(space);
      if (known !== undefined) return known;
      const [row] = await store.rows<{ lists: number }>(
        'SELECT lists FROM spaces WHERE space = ?',
        [idBytes(space)],
      );
      if (row === undefined) throw new Fault('not_found');
      if (lists.size >= mostKept) lists.clear();
      // One that was counted while this was read is newer.
      const present = Math.max(row.lists, lists.get(space) ?? 0);
      lists.set(space, present);
      return present;
    },
    async head(channel) {
      const [row] = await store.rows<{ head: number }>(
        'SELECT head FROM channels WHERE channel = ?',
        [idBytes(channel)],
      );
      return row?.head ?? 0;
    },
    changed: (space, count) => void lists.set(space, Math.max(count, lists.get(space) ?? 0)),
  };
}
