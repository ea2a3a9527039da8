/**
 * Who could read and post in a channel, entry by entry: what a post is judged by that names the entry its author had
 * seen. docs/protocol/channel.md §3.4
 *
 * The key epoch of a channel is the newest entry that took the right to read it from somebody, or a `rekey`: no chain
 * from before it is sent with again.
 */
import type { AccountId, ChannelId } from '../wire/ids.ts';
import type { SpaceEntry } from './entry.ts';
import { permissions, permissionsIn } from './permissions.ts';
import type { Channel, SpaceState } from './space-state.ts';

/** Entries at which a right began and ended in turn: an odd number of them means that it is there now. */
type Turns = number[];

interface Rights {
  view: Turns;
  post: Turns;
}

interface ChannelAccess {
  /** Ascending; the first is the entry that made the channel. */
  epochs: number[];
  rights: Map<AccountId, Rights>;
}

/** Also of channels that are gone. */
export type Access = Map<ChannelId, ChannelAccess>;

export const noAccess = (): Access => new Map();

/** The accounts whose rights an entry may have changed, and in which channels: everything, where it is not known. */
function touched(state: SpaceState, { op, actor }: SpaceEntry): AccountId[] | 'nobody' | 'all' {
  switch (op.op) {
    case 'join':
    case 'leave':
      return [actor];
    case 'kick':
    case 'ban':
    case 'memberRoles':
      return [op.account];
    case 'owner':
    case 'channel':
    case 'channelGone':
    case 'role':
    case 'roleGone':
    case 'close':
      return 'all';
    default:
      return state.seq === 1 ? 'all' : 'nobody';
  }
}

/** Called after the entry has changed the state. */
export function noteAccess(state: SpaceState, entry: SpaceEntry): void {
  const { access, channels, members } = state;
  const { op, seq } = entry;
  if (op.op === 'channel' && op.kind !== 'category' && !access.has(op.channel))
    access.set(op.channel, { epochs: [seq], rights: new Map() });
  if (op.op === 'rekey') access.get(op.channel)?.epochs.push(seq);
  const who = touched(state, entry);
  if (who === 'nobody') return;
  for (const [id, of] of access) {
    const channel = channels.get(id);
    const accounts = who === 'all' ? new Set([...of.rights.keys(), ...members.keys()]) : who;
    let lost = false;
    for (const account of accounts) lost = turn(state, of, channel, account, seq) || lost;
    if (lost && of.epochs.at(-1) !== seq) of.epochs.push(seq);
  }
}

/** Whether the right to read was lost. */
function turn(
  state: SpaceState,
  { rights }: ChannelAccess,
  channel: Channel | undefined,
  account: AccountId,
  seq: number,
): boolean {
  const sum = channel ? permissionsIn(state, account, channel) : 0;
  const has = rights.get(account);
  if (has === undefined && sum === 0) return false;
  const { view, post } = has ?? { view: [], post: [] };
  if (!has) rights.set(account, { view, post });
  if (isOn(post) !== ((sum & permissions.post) !== 0)) post.push(seq);
  const reads = (sum & permissions.view) !== 0;
  if (isOn(view) === reads) return false;
  view.push(seq);
  return !reads;
}

const isOn = (turns: Turns): boolean => turns.length % 2 === 1;

/** Whether it was there as of entry `seq`. */
const wasOn = (turns: Turns | undefined, seq: number): boolean =>
  turns !== undefined && turns.filter((turn) => turn <= seq).length % 2 === 1;

/** By the log as of entry `seq`, which the state has; timeouts are the island's to keep. */
export const couldView = (
  { access }: SpaceState,
  channel: ChannelId,
  account: AccountId,
  seq: number,
): boolean => wasOn(access.get(channel)?.rights.get(account)?.view, seq);

export const couldPost = (
  { access }: SpaceState,
  channel: ChannelId,
  account: AccountId,
  seq: number,
): boolean => wasOn(access.get(channel)?.rights.get(account)?.post, seq);

/** The key epoch of a channel as of entry `seq`; 0 before there was the channel. */
export function keyEpochAt({ access }: SpaceState, channel: ChannelId, seq: number): number {
  const epochs = access.get(channel)?.epochs ?? [];
  return epochs.findLast((epoch) => epoch <= seq) ?? 0;
}

/** Whoever may read the channel now. */
export function readersOf({ access }: SpaceState, channel: ChannelId): AccountId[] {
  const of = access.get(channel);
  if (of === undefined) return [];
  return [...of.rights].filter(([, { view }]) => isOn(view)).map(([account]) => account);
}

/** Who could read which channel until entry `seq`, the newest, took it from them. */
export function lostBy({ access }: SpaceState, seq: number): [ChannelId, AccountId[]][] {
  const lost = [...access].map(([channel, { rights }]): [ChannelId, AccountId[]] => {
    const gone = [...rights].filter(([, { view }]) => !isOn(view) && view.at(-1) === seq);
    return [channel, gone.map(([account]) => account)];
  });
  return lost.filter(([, accounts]) => accounts.length > 0);
}

/** The entry since which an account can read a channel; `undefined` where it can't. */
export function viewSince(
  { access }: SpaceState,
  channel: ChannelId,
  account: AccountId,
): number | undefined {
  const view = access.get(channel)?.rights.get(account)?.view ?? [];
  return isOn(view) ? view.at(-1) : undefined;
}
