/**
 * Who could read and post in a channel, entry by entry: what a post is judged by that names the entry its author had
 * seen. docs/protocol/channel.md §3.4
 *
 * The key epoch of a channel is the newest entry that took the right to read it from somebody, or a `rekey`: no chain
 * from before it is sent with again.
 */
import type { AccountId, ChannelId } from '../wire/ids.ts';
import type { SpaceEntry } from './entry.ts';
import { asOf, type History, noHistory, noteHistory } from './history.ts';
import { may, type Permission, permissions, type Standing } from './permissions.ts';
import type { SpaceState } from './space-state.ts';

/** From whom the newest entry took the right to read which channel. */
type Lost = [ChannelId, AccountId[]][];

export interface Access {
  history: History;
  /** Ascending; the first is the entry that made the channel. Also of those that are gone, and of no category. */
  epochs: Map<ChannelId, number[]>;
  /** Those of them that took a right to read. */
  losses: Map<ChannelId, number[]>;
  lost: Lost;
}

export const noAccess = (): Access => ({
  ...{ history: noHistory(), epochs: new Map(), losses: new Map(), lost: [] },
});

/** Called after the entry has changed the state. */
export function noteAccess(state: SpaceState, entry: SpaceEntry): void {
  const { access } = state;
  const { op, seq } = entry;
  noteHistory(state, entry);
  access.lost = lossesBy(state, entry);
  if (op.op === 'channel' && op.kind !== 'category' && !access.epochs.has(op.channel))
    access.epochs.set(op.channel, [seq]);
  if (op.op === 'rekey') access.epochs.get(op.channel)?.push(seq);
  for (const [channel] of access.lost) {
    access.epochs.get(channel)?.push(seq);
    const losses = access.losses.get(channel);
    if (losses) losses.push(seq);
    else access.losses.set(channel, [seq]);
  }
}

/** The accounts that an entry can have taken a right from: most take none from anybody. */
function accountsOf(state: SpaceState, before: Standing, entry: SpaceEntry): Iterable<AccountId> {
  const { op, actor } = entry;
  switch (op.op) {
    case 'leave':
      return [actor];
    case 'kick':
    case 'ban':
    case 'memberRoles':
      return [op.account];
    case 'owner':
      return [actor];
    case 'role': {
      const taken = (before.roles.get(op.role)?.permissions ?? 0) & ~op.permissions;
      return taken & (permissions.view | permissions.administrator) ? state.members.keys() : [];
    }
    case 'roleGone':
    case 'channel':
    case 'channelGone':
    case 'close':
      return state.members.keys();
    default:
      return [];
  }
}

/** The channels in which it can have. */
function channelsOf({ channels, access }: SpaceState, { op }: SpaceEntry): ChannelId[] {
  if (op.op === 'channelGone') return access.epochs.has(op.channel) ? [op.channel] : [];
  const all = [...channels.values()].filter(({ kind }) => kind !== 'category');
  const those =
    op.op === 'channel'
      ? all.filter(({ channel, parent }) => channel === op.channel || parent === op.channel)
      : all;
  return those.map(({ channel }) => channel);
}

function lossesBy(state: SpaceState, entry: SpaceEntry): Lost {
  const before = asOf(state, entry.seq - 1);
  const accounts = [...accountsOf(state, before, entry)];
  if (accounts.length === 0) return [];
  const channels = channelsOf(state, entry);
  const groups = alike(state, before, accounts);
  return channels.flatMap((id): Lost => {
    const [was, is] = [before.channels.get(id), state.channels.get(id)];
    const gone = groups.filter(([one]) => {
      const read = was && one && may(before, one, 'view', was);
      return read && !(is && may(state, one, 'view', is));
    });
    return gone.length === 0 ? [] : [[id, gone.flat()]];
  });
}

/** Accounts that have the same rights in every channel, before and after: one of them speaks for all. */
function alike(state: SpaceState, before: Standing, accounts: readonly AccountId[]): AccountId[][] {
  const single = new Set<AccountId | undefined>([before.owner, state.owner]);
  for (const { channel, overrides } of state.channels.values())
    for (const each of [...overrides, ...(before.channels.get(channel)?.overrides ?? [])])
      single.add(each.account);
  const groups = new Map<string, AccountId[]>();
  for (const account of accounts) {
    const roles = [before, state].map((each) => each.members.get(account)?.roles.join());
    const key = single.has(account) ? account : roles.join('|');
    const group = groups.get(key);
    if (group) group.push(account);
    else groups.set(key, [account]);
  }
  return [...groups.values()];
}

function could(
  permission: Permission,
  state: SpaceState,
  id: ChannelId,
  account: AccountId,
  seq: number,
): boolean {
  const then = asOf(state, seq);
  const channel = then.channels.get(id);
  return channel !== undefined && may(then, account, permission, channel);
}

/** By the log as of entry `seq`, which the state has; timeouts are the island's to keep. */
export const couldView = (
  state: SpaceState,
  channel: ChannelId,
  account: AccountId,
  seq: number,
): boolean => could('view', state, channel, account, seq);

export const couldPost = (
  state: SpaceState,
  channel: ChannelId,
  account: AccountId,
  seq: number,
): boolean => could('post', state, channel, account, seq);

/** The key epoch of a channel as of entry `seq`; 0 before there was the channel. */
export function keyEpochAt({ access }: SpaceState, channel: ChannelId, seq: number): number {
  const epochs = access.epochs.get(channel) ?? [];
  return epochs.findLast((epoch) => epoch <= seq) ?? 0;
}

/** Whoever may read the channel now. */
export function readersOf(state: SpaceState, id: ChannelId): AccountId[] {
  const channel = state.channels.get(id);
  if (channel === undefined) return [];
  return [...state.members.keys()].filter((account) => may(state, account, 'view', channel));
}

/** Who could read which channel until entry `seq`, the newest, took it from them. */
export const lostBy = ({ seq: newest, access }: SpaceState, seq: number): Lost =>
  seq === newest ? access.lost : [];

/** The entry since which an account can read a channel; `undefined` where it can't. */
export function viewSince(
  state: SpaceState,
  channel: ChannelId,
  account: AccountId,
): number | undefined {
  const reads = (seq: number) => couldView(state, channel, account, seq);
  if (!reads(state.seq)) return undefined;
  const losses = state.access.losses.get(channel) ?? [];
  const made = state.access.epochs.get(channel)?.[0] ?? 0;
  // Behind the newest loss that left them without it, they gained it once and never lost it.
  let [without, since] = [losses.findLast((seq) => !reads(seq)) ?? made - 1, state.seq];
  while (since - without > 1) {
    const middle = (since + without) >> 1;
    if (reads(middle)) since = middle;
    else without = middle;
  }
  return since;
}
