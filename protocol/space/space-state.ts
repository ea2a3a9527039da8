/**
 * What the entries of a space come to: its members, roles and channels, and who could read what when.
 * docs/protocol/channel.md §3
 *
 * Invariant: `applyEntry` checks everything before it changes anything. Whoever has the same entries has the same
 * state; signatures and devices are for the caller (`verifyEntry`).
 */
import { Fault } from '../wire/fault.ts';
import type { AccountId, ChannelId, SpaceId } from '../wire/ids.ts';
import { limits } from '../wire/limits.ts';
import { hex } from '../wire/text.ts';
import type { SpaceEntry } from './entry.ts';
import { isGood, mayGive, mostInvites } from './giving.ts';
import { noteHistory } from './history.ts';
import { firstPermissions } from './permissions.ts';
import { type Access, noAccess, noteAccess } from './readers.ts';
import { checkPermitted } from './rules.ts';
import type { ChannelOp, OpOf, Override, SpaceOp } from './space-op.ts';

export type { Override };

export interface Member {
  name: string;
  /** The identity key with which they came, or were let in again. */
  aik: Uint8Array;
  /** How often the account had been reset then: after another reset it is given no keys. */
  resets: number;
  bot: boolean;
  /** Ascending; everybody's is not named. */
  roles: readonly number[];
  /** The entry by which they came. */
  joined: number;
  /** The highest that an entry of theirs named: a device that was removed before it signs nothing any more. */
  listEpoch: number;
  /** Unix seconds; 0 for none. */
  timeoutUntil: number;
  muted: boolean;
}

export interface Role {
  role: number;
  name: string;
  position: number;
  permissions: number;
}

export interface Channel extends Omit<ChannelOp, 'op'> {
  /** The entry that made it. */
  created: number;
}

export interface Invite {
  key: Uint8Array;
  by: AccountId;
  expires: number;
  uses: number;
  role: number;
  used: number;
}

export type Silence = Pick<Member, 'timeoutUntil' | 'muted'>;

export interface SpaceState {
  readonly space: SpaceId;
  readonly seq: number;
  /** Of the newest entry. */
  readonly hash: Uint8Array;
  readonly time: number;
  readonly title: string;
  readonly joinLocked: boolean;
  readonly closed: boolean;
  readonly owner: AccountId;
  readonly members: ReadonlyMap<AccountId, Member>;
  readonly roles: ReadonlyMap<number, Role>;
  readonly channels: ReadonlyMap<ChannelId, Channel>;
  readonly bans: ReadonlySet<AccountId>;
  /** By the key in hex; those that let nobody in any more go when there is no room. */
  readonly invites: ReadonlyMap<string, Invite>;
  /** Of those who went before it was over: coming back ends neither. */
  readonly silenced: ReadonlyMap<AccountId, Silence>;
  /** The hash of each entry: that of entry n at n - 1. */
  readonly hashes: readonly Uint8Array[];
  readonly access: Access;
}

interface Space extends SpaceState {
  seq: number;
  hash: Uint8Array;
  time: number;
  title: string;
  joinLocked: boolean;
  closed: boolean;
  owner: AccountId;
  members: Map<AccountId, Member>;
  roles: Map<number, Role>;
  channels: Map<ChannelId, Channel>;
  bans: Set<AccountId>;
  invites: Map<string, Invite>;
  silenced: Map<AccountId, Silence>;
  hashes: Uint8Array[];
}

/** Throws `malformed` for an entry that begins nothing. */
export function beginSpace(entry: SpaceEntry): SpaceState {
  const { op, space, actor, seq, hash, time, listEpoch } = entry;
  if (op.op !== 'create') throw new Fault('malformed');
  const { name, aik, resets, title } = op;
  const everybody = { role: 0, name: '', position: 0, permissions: firstPermissions };
  const first = { name, aik, resets, bot: false, roles: [], joined: seq, listEpoch };
  const state: Space = {
    ...{ space, seq, hash, time, title, joinLocked: false, closed: false, owner: actor },
    members: new Map([[actor, { ...first, timeoutUntil: 0, muted: false }]]),
    roles: new Map([[0, everybody]]),
    channels: new Map(),
    bans: new Set(),
    invites: new Map(),
    silenced: new Map(),
    hashes: [hash],
    access: noAccess(),
  };
  noteHistory(state, entry);
  return state;
}

/** Throws what `checkPermitted` throws; then nothing has changed. */
export function applyEntry(state: SpaceState, entry: SpaceEntry): void {
  checkPermitted(state, entry);
  const space = state as Space;
  const { op, actor, seq } = entry;
  (changes[op.op] as Change)(space, op, entry);
  change(space, actor, { listEpoch: entry.listEpoch });
  space.seq = seq;
  space.hash = entry.hash;
  space.time = entry.time;
  space.hashes.push(entry.hash);
  noteAccess(space, entry);
}

/** The hash of the log as it was after entry `seq`. */
export const hashAt = (state: SpaceState, seq: number): Uint8Array | undefined =>
  state.hashes[seq - 1];

/** Whether an account is still the one that was let in: a reset begins another identity, a rotation does not. */
export const isSameIdentity = (member: Member, list: { resetCounter: number }): boolean =>
  list.resetCounter === member.resets;

type Change = (space: Space, op: SpaceOp, entry: SpaceEntry) => void;

function change(space: Space, account: AccountId, by: Partial<Member>): void {
  const member = space.members.get(account);
  if (member) space.members.set(account, { ...member, ...by });
}

/** What is allowed to whom an override names ends with them; what is denied does not. */
function forgetOverrides(space: Space, of: (override: Override) => boolean, deny: boolean): void {
  for (const [id, channel] of space.channels) {
    if (!channel.overrides.some(of)) continue;
    const overrides = channel.overrides.flatMap((each): Override[] => {
      if (!of(each)) return [each];
      return deny && each.deny > 0 ? [{ ...each, allow: 0 }] : [];
    });
    space.channels.set(id, { ...channel, overrides });
  }
}

function depart(space: Space, account: AccountId, time: number): void {
  const member = space.members.get(account);
  if (member === undefined) return;
  const { timeoutUntil, muted } = member;
  space.members.delete(account);
  forgetOverrides(space, (override) => override.account === account, true);
  if (!muted && timeoutUntil <= time) return;
  space.silenced.set(account, { timeoutUntil, muted });
  const [oldest] = space.silenced.keys();
  if (oldest && space.silenced.size > limits.spaceMembers) space.silenced.delete(oldest);
}

/** Who was sent away lets nobody in any more. */
function expel(space: Space, account: AccountId, time: number): void {
  depart(space, account, time);
  for (const [key, { by }] of space.invites) if (by === account) space.invites.delete(key);
}

const changes: {
  [N in SpaceOp['op']]: (space: Space, op: OpOf<N>, entry: SpaceEntry) => void;
} = {
  create: () => undefined,
  settings(space, { title, joinLocked }) {
    space.title = title;
    space.joinLocked = joinLocked;
  },
  channel(space, { op: _, ...channel }, { seq }) {
    const created = space.channels.get(channel.channel)?.created ?? seq;
    space.channels.set(channel.channel, { ...channel, created });
  },
  channelGone(space, { channel }) {
    space.channels.delete(channel);
  },
  role(space, { op: _, ...role }) {
    space.roles.set(role.role, role);
  },
  roleGone(space, { role }) {
    space.roles.delete(role);
    for (const [account, { roles }] of space.members)
      if (roles.includes(role)) change(space, account, { roles: roles.filter((r) => r !== role) });
    // Another role of that number is another role.
    forgetOverrides(space, (override) => override.role === role, false);
    for (const [key, invite] of space.invites)
      if (invite.role === role) space.invites.set(key, { ...invite, role: 0 });
  },
  invite(space, { op: _, ...invite }, { actor, time }) {
    if (space.invites.size >= mostInvites)
      for (const [key, each] of space.invites) if (!isGood(each, time)) space.invites.delete(key);
    space.invites.set(hex(invite.key), { ...invite, by: actor, used: 0 });
  },
  inviteGone(space, { key }) {
    space.invites.delete(hex(key));
  },
  join(space, { name, aik, resets, bot, invite }, { actor, seq }) {
    const by = space.invites.get(hex(invite));
    const roles = by && mayGive(space, by.by, by.role) ? [by.role] : [];
    if (by) space.invites.set(hex(invite), { ...by, used: by.used + 1 });
    const silence = space.silenced.get(actor) ?? { timeoutUntil: 0, muted: false };
    space.silenced.delete(actor);
    const member = { name, aik, resets, bot, roles, joined: seq, listEpoch: 0 };
    space.members.set(actor, { ...member, ...silence });
  },
  leave: (space, _op, { actor, time }) => depart(space, actor, time),
  kick: (space, { account }, { time }) => expel(space, account, time),
  ban(space, { account }, { time }) {
    expel(space, account, time);
    space.bans.add(account);
  },
  unban(space, { account }) {
    space.bans.delete(account);
  },
  timeout: (space, { account, until }) => change(space, account, { timeoutUntil: until }),
  mute: (space, { account, muted }) => change(space, account, { muted }),
  memberRoles: (space, { account, roles }) => change(space, account, { roles }),
  owner(space, { account }) {
    space.owner = account;
  },
  rekey: () => undefined,
  removePosts: () => undefined,
  reportClosed: () => undefined,
  close(space) {
    space.closed = true;
  },
  readmit: (space, { account, aik, resets }) => change(space, account, { aik, resets }),
};
