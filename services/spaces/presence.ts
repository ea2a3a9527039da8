/**
 * Who is there: what people's devices say, in Redis, forgotten by itself. docs/protocol/socket.md §6
 *
 *     there:<account> = n × { u32 device ‖ u8 state ‖ u64 until }      until: Unix seconds
 *
 * A person is online when one of their devices says so, else away when one does.
 */
import { Reader, Writer } from '@island/protocol/wire/bytes.ts';
import { type AccountId, type DeviceId, deviceId, spaceId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import type { Bus } from '../kit/bus.ts';
import type { Cache } from '../kit/cache.ts';
import { type Clock, unixSeconds } from '../kit/clock.ts';
import { spaces } from './contract.ts';
import { idBytes, type SpacesStore } from './database.ts';
import type { Actor } from './space-logs.ts';

export type State = 'online' | 'away' | 'off';

export interface PresenceBoard {
  /** Those of one account one after another, in the order of the calls. */
  set(by: Actor, state: State): Promise<void>;
  /** Of these, who is there or away. */
  of(accounts: readonly AccountId[]): Promise<{ account: AccountId; state: State }[]>;
}

const stated = ['off', 'online', 'away'] as const satisfies readonly State[];
const keyOf = (account: AccountId): string => `there:${account}`;

interface Said {
  device: DeviceId;
  state: State;
  until: number;
}

export function openPresence(parts: {
  store: SpacesStore;
  bus: Bus;
  cache: Cache;
  clock: Clock;
}): PresenceBoard {
  const { store, bus, cache, clock } = parts;
  const turns = new Map<AccountId, Promise<void>>();

  async function saidOf(account: AccountId): Promise<Said[]> {
    const from = new Reader((await cache.get(keyOf(account))) ?? new Uint8Array());
    const said: Said[] = [];
    while (from.left > 0) {
      const device = deviceId(from.u32());
      said.push({ device, state: stated[from.u8()] ?? 'off', until: from.u64() });
    }
    return said.filter(({ until }) => until > unixSeconds(clock));
  }

  async function put({ account, device }: Actor, state: State): Promise<void> {
    const before = await saidOf(account);
    const now = before.filter((each) => each.device !== device);
    if (state !== 'off')
      now.push({ device, state, until: unixSeconds(clock) + limits.presenceSeconds });
    if (now.length === 0) await cache.remove(keyOf(account));
    else await cache.set(keyOf(account), bytesOf(now), limits.presenceSeconds);
    const told = together(now);
    if (told === together(before)) return;
    const mine = await store.rows<{ space: Buffer }>(
      'SELECT space FROM memberships WHERE account = ?',
      [idBytes(account)],
    );
    for (const { space } of mine)
      bus.publish(spaces, 'presence', spaceId(space.toString('hex')), { account, state: told });
  }

  return {
    async set(by, state) {
      const turn = (turns.get(by.account) ?? Promise.resolve()).then(() => put(by, state));
      const settled = turn.catch(() => undefined);
      turns.set(by.account, settled);
      try {
        await turn;
      } finally {
        if (turns.get(by.account) === settled) turns.delete(by.account);
      }
    },
    async of(accounts) {
      const states = await Promise.all(
        accounts.map(async (account) => ({ account, state: together(await saidOf(account)) })),
      );
      return states.filter(({ state }) => state !== 'off');
    },
  };
}

function together(said: readonly Said[]): State {
  for (const state of ['online', 'away'] as const)
    if (said.some((each) => each.state === state)) return state;
  return 'off';
}

function bytesOf(said: readonly Said[]): Uint8Array {
  const out = new Writer(16 * said.length);
  for (const { device, state, until } of said) out.u32(device).u8(stated.indexOf(state)).u64(until);
  return out.done();
}
