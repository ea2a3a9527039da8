/**
 * What the entries of a space come to: its members, roles and channels, and who could read what when.
 * docs/protocol/channel.md §3
 *
 * Invariant: `applyEntry` checks everything before it changes anything. Whoever has the same entries has the same
 * state; signatures and devices are for the caller (`verifyEntry`).
 */
import { Fault } from '../wire/fault.ts';
import type { AccountId, ChannelId, SpaceId } from '../wire/ids.ts';
import { hex } from '../wire/text.ts';
import type { SpaceEntry } from './entry.ts';
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
  /** By the key in hex, also those that are used up. */
  readonly invites: ReadonlyMap<string, Invite>;
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
    hashes: [hash],
    access: noAccess(),
  };
  return state;
}

/** Throws what `checkPermitted` throws; then nothing has changed. */
export function applyEntry(state: SpaceState, entry: SpaceEntry): void {
  checkPermitted(state, entry);
  const space = state as Space;
  const { op, actor, seq } = entry;
  (changes[op.op] as Change)(space, op, actor, seq);
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

type Change = (space: Space, op: SpaceOp, actor: AccountId, seq: number) => void;

function change(space: Space, account: AccountId, by: Partial<Member>): void {
  const member = space.members.get(account);
  if (member) space.members.set(account, { ...member, ...by });
}

const changes: {
  [N in SpaceOp['op']]: (space: Space, op: OpOf<N>, actor: AccountId, seq: number) => void;
} = {
  create: () => undefined,
  settings(space, { title, joinLocked }) {
    space.title = title;
    space.joinLocked = joinLocked;
  },
  channel(space, { op: _, ...channel }, _actor, seq) {
    const created = space.channels.get(channel.channel)?.created ?? seq;
    space.channels.set(channel.channel, { ...channel, created });
  },
  channelGone(space, { channel }) {
    space.channels.delete(channel);
    // What was below a category stands for itself.
    for (const [id, each] of space.channels)
      if (each.parent === channel) space.channels.set(id, { ...each, parent: undefined });
  },
  role(space, { op: _, ...role }) {
    space.roles.set(role.role, role);
  },
  roleGone(space, { role }) {
    space.roles.delete(role);
    for (const [account, { roles }] of space.members)
      if (roles.includes(role)) change(space, account, { roles: roles.filter((r) => r !== role) });
  },
  invite(space, { op: _, ...invite }, by) {
    space.invites.set(hex(invite.key), { ...invite, by, used: 0 });
  },
  inviteGone(space, { key }) {
    space.invites.delete(hex(key));
  },
  join(space, { name, aik, resets, bot, invite }, account, seq) {
    const by = space.invites.get(hex(invite));
    if (by) space.invites.set(hex(invite), { ...by, used: by.used + 1 });
    const roles = by && by.role > 0 && space.roles.has(by.role) ? [by.role] : [];
    const member = { name, aik, resets, bot, roles, joined: seq, listEpoch: 0 };
    space.members.set(account, { ...member, timeoutUntil: 0, muted: false });
  },
  leave(space, _op, actor) {
    space.members.delete(actor);
  },
  kick(space, { account }) {
    space.members.delete(account);
  },
  ban(space, { account }) {
    space.members.delete(account);
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
