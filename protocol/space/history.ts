/**
 * What a space was as of each of its entries: whose it was, its roles and channels, and whose roles were which.
 * docs/protocol/channel.md §3.4
 *
 * Each entry adds what it changed and nothing else, so a log of n entries takes O(n), however many members and channels
 * there are.
 */
import type { AccountId, ChannelId } from '../wire/ids.ts';
import type { SpaceEntry } from './entry.ts';
import type { Standing } from './permissions.ts';
import type { Channel, Role, SpaceState } from './space-state.ts';

/** What something was from an entry on, ascending. */
type Timeline<T> = { seq: number; value: T }[];

export interface History {
  owner: Timeline<AccountId>;
  /** The entry that closed the space; 0 for none. */
  closed: number;
  roles: Map<number, Timeline<Role | undefined>>;
  /** Also of those that are gone. */
  channels: Map<ChannelId, Timeline<Channel | undefined>>;
  members: Map<AccountId, Timeline<readonly number[] | undefined>>;
}

export const noHistory = (): History => ({
  ...{ owner: [], closed: 0, roles: new Map(), channels: new Map(), members: new Map() },
});

function at<T>(timeline: Timeline<T> | undefined, seq: number): T | undefined {
  if (timeline === undefined) return undefined;
  let [low, high] = [0, timeline.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((timeline[middle]?.seq ?? 0) <= seq) low = middle + 1;
    else high = middle;
  }
  return timeline[low - 1]?.value;
}

/** The space as of entry `seq`, which the state has. */
export function asOf({ access: { history } }: SpaceState, seq: number): Standing {
  const { owner, closed, roles, channels, members } = history;
  return {
    owner: at(owner, seq),
    closed: closed > 0 && closed <= seq,
    roles: { get: (role) => at(roles.get(role), seq) },
    channels: { get: (channel) => at(channels.get(channel), seq) },
    members: {
      get(account) {
        const held = at(members.get(account), seq);
        return held && { roles: held };
      },
    },
  };
}

function note<K, T>(timelines: Map<K, Timeline<T>>, key: K, seq: number, value: T): void {
  const timeline = timelines.get(key) ?? [];
  if (timeline.at(-1)?.value === value) return;
  timeline.push({ seq, value });
  timelines.set(key, timeline);
}

/** Called after the entry has changed the state. */
export function noteHistory(state: SpaceState, { op, actor, seq }: SpaceEntry): void {
  const { history } = state.access;
  const { roles, channels, members } = history;
  if (history.owner.at(-1)?.value !== state.owner) history.owner.push({ seq, value: state.owner });
  if (state.closed && history.closed === 0) history.closed = seq;
  const role = op.op === 'create' ? 0 : 'role' in op && op.op !== 'invite' ? op.role : undefined;
  if (role !== undefined) note(roles, role, seq, state.roles.get(role));
  const whose =
    op.op === 'roleGone' ? members.keys() : 'account' in op ? [op.account] : ([actor] as const);
  for (const account of whose)
    if (members.has(account) || state.members.has(account))
      note(members, account, seq, state.members.get(account)?.roles);
  if ('channel' in op) note(channels, op.channel, seq, state.channels.get(op.channel));
  // What names somebody, or a role, goes with them.
  for (const [id, channel] of state.channels) note(channels, id, seq, channel);
}
