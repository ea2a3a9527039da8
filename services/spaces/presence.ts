/** Who is there: what people's devices say, in Redis, forgotten by itself. docs/protocol/channel.md §7 */
import { type AccountId, spaceId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import type { Bus } from '../kit/bus.ts';
import type { Cache } from '../kit/cache.ts';
import { spaces } from './contract.ts';
import { idBytes, type SpacesStore } from './database.ts';

export type State = 'online' | 'away' | 'off';

export interface PresenceBoard {
  set(account: AccountId, state: State): Promise<void>;
  /** Of these, who is there or away. */
  of(accounts: readonly AccountId[]): Promise<{ account: AccountId; state: State }[]>;
}

const codes: Record<State, number> = { off: 0, online: 1, away: 2 };
const keyOf = (account: AccountId): string => `there:${account}`;

export function openPresence({
  store,
  bus,
  cache,
}: {
  store: SpacesStore;
  bus: Bus;
  cache: Cache;
}): PresenceBoard {
  async function get(account: AccountId): Promise<State> {
    const [code] = (await cache.get(keyOf(account))) ?? [];
    return code === codes.online ? 'online' : code === codes.away ? 'away' : 'off';
  }

  return {
    async set(account, state) {
      const before = await get(account);
      if (state === 'off') await cache.remove(keyOf(account));
      else await cache.set(keyOf(account), Uint8Array.of(codes[state]), limits.presenceSeconds);
      if (before === state) return;
      const mine = await store.rows<{ space: Buffer }>(
        'SELECT space FROM memberships WHERE account = ?',
        [idBytes(account)],
      );
      for (const { space } of mine)
        bus.publish(spaces, 'presence', spaceId(space.toString('hex')), { account, state });
    },
    async of(accounts) {
      const states = await Promise.all(
        accounts.map(async (account) => ({ account, state: await get(account) })),
      );
      return states.filter(({ state }) => state !== 'off');
    },
  };
}
