/**
 * Which entries may follow: what the island refuses to store, and clients refuse to believe.
 * docs/protocol/channel.md §3.3
 */
import { equal } from '../crypto/primitives.ts';
import { Fault, type FaultCode } from '../wire/fault.ts';
import type { AccountId } from '../wire/ids.ts';
import { limits } from '../wire/limits.ts';
import { hex } from '../wire/text.ts';
import type { SpaceEntry } from './entry.ts';
import {
  holdsDenied,
  holdsRole,
  isBelow,
  isGood,
  mostInvites,
  mostInvitesEach,
  movedBits,
  touchedOverrides,
} from './giving.ts';
import { may, type Permission, permissions, permissionsIn, rankOf } from './permissions.ts';
import type { ChannelOp, OpOf, SpaceOp } from './space-op.ts';
import type { Channel, SpaceState } from './space-state.ts';

/** Seconds: the longest timeout. */
export const longestTimeout = 28 * 86_400;
/** Roles that there may be besides everybody's, and channels with categories. */
const mostRoles = 64;
const mostChannels = 256;
/** Channels that there ever were: of those that are gone something stays. */
const mostChannelsEver = 2_048;

function refuse(code: FaultCode): never {
  throw new Fault(code);
}

/** What an op must be, in a state, from an actor. */
interface Asked {
  state: SpaceState;
  actor: AccountId;
  time: number;
}

const demand = ({ state, actor }: Asked, permission: Permission): void => {
  if (!may(state, actor, permission)) refuse('not_permitted');
};

/** Of a member, or of somebody who is none yet: nobody acts on themselves, or on who stands as high. */
function demandAbove({ state, actor }: Asked, account: AccountId): void {
  if (account === actor || rankOf(state, account) >= rankOf(state, actor)) refuse('not_permitted');
}

function demandMember({ state }: Asked, account: AccountId): void {
  if (!state.members.has(account)) refuse('space_invalid');
}

/** Nobody gives what they don't have. */
function demandHeld({ state, actor }: Asked, sum: number, channel?: Channel): void {
  if ((sum & ~permissionsIn(state, actor, channel)) !== 0) refuse('not_permitted');
}

function demandBelow({ state, actor }: Asked, role: number): void {
  if (!state.roles.has(role)) refuse('space_invalid');
  if (role !== 0 && !isBelow(state, actor, role)) refuse('not_permitted');
}

/** Whoever has the role no more is denied no more what it denies. */
function demandDenied({ state, actor }: Asked, role: number): void {
  if (!holdsDenied(state, actor, role)) refuse('not_permitted');
}

function demandRole(asked: Asked, role: number): void {
  demandBelow(asked, role);
  if (!holdsRole(asked.state, asked.actor, role)) refuse('not_permitted');
}

const rules: { [N in SpaceOp['op']]: (asked: Asked, op: OpOf<N>) => void } = {
  create: () => refuse('space_invalid'),
  settings: (asked) => demand(asked, 'manageServer'),
  channel: checkChannel,
  channelGone(asked, { channel }) {
    const there = asked.state.channels.get(channel) ?? refuse('space_invalid');
    if (!may(asked.state, asked.actor, 'manageChannels', there)) refuse('not_permitted');
    // What a category keeps from somebody must not open when it goes.
    for (const { parent } of asked.state.channels.values())
      if (parent === channel) refuse('space_invalid');
  },
  role(asked, { role, position, permissions: sum }) {
    const { state, actor } = asked;
    demand(asked, 'manageRoles');
    if (state.roles.has(role)) demandBelow(asked, role);
    else if (state.roles.size > mostRoles) refuse('space_full');
    if (role !== 0 && position >= rankOf(state, actor)) refuse('not_permitted');
    // What a role has already may stay with it.
    demandHeld(asked, sum & ~(state.roles.get(role)?.permissions ?? 0));
  },
  roleGone(asked, { role }) {
    demand(asked, 'manageRoles');
    demandBelow(asked, role);
    demandDenied(asked, role);
  },
  invite(asked, { key, role }) {
    const { state, actor, time } = asked;
    demand(asked, 'invite');
    if (state.invites.has(hex(key))) refuse('space_invalid');
    const good = [...state.invites.values()].filter((invite) => isGood(invite, time));
    const own = good.filter(({ by }) => by === actor).length;
    if (good.length >= mostInvites) refuse('space_full');
    if (own >= mostInvitesEach && !may(state, actor, 'manageServer')) refuse('space_full');
    if (role === 0) return;
    demand(asked, 'manageRoles');
    demandRole(asked, role);
  },
  inviteGone(asked, { key }) {
    const invite = asked.state.invites.get(hex(key)) ?? refuse('space_invalid');
    if (invite.by !== asked.actor) demand(asked, 'manageServer');
  },
  join({ state, actor, time }, { invite }) {
    const by = state.invites.get(hex(invite));
    if (state.members.has(actor)) refuse('space_invalid');
    if (state.bans.has(actor)) refuse('banned');
    if (state.joinLocked) refuse('joining_locked');
    if (by === undefined || !isGood(by, time)) refuse('space_invite_refused');
    if (state.members.size >= limits.spaceMembers) refuse('space_full');
  },
  leave({ state, actor }) {
    if (actor === state.owner) refuse('not_permitted');
  },
  kick(asked, { account }) {
    demandMember(asked, account);
    demand(asked, 'kick');
    demandAbove(asked, account);
  },
  ban(asked, { account }) {
    demand(asked, 'ban');
    demandAbove(asked, account);
    if (asked.state.bans.has(account)) refuse('space_invalid');
    if (asked.state.bans.size >= limits.spaceMembers) refuse('space_full');
  },
  unban(asked, { account }) {
    demand(asked, 'ban');
    if (!asked.state.bans.has(account)) refuse('space_invalid');
  },
  timeout(asked, { account, until }) {
    demandMember(asked, account);
    demand(asked, 'timeout');
    demandAbove(asked, account);
    if (until > asked.time + longestTimeout) refuse('space_invalid');
  },
  mute(asked, { account }) {
    demandMember(asked, account);
    demand(asked, 'mute');
    demandAbove(asked, account);
  },
  memberRoles(asked, { account, roles }) {
    const { state, actor } = asked;
    const member = state.members.get(account) ?? refuse('space_invalid');
    demand(asked, 'manageRoles');
    if (account !== actor) demandAbove(asked, account);
    for (const role of roles) if (!state.roles.has(role)) refuse('space_invalid');
    const given = roles.filter((role) => !member.roles.includes(role));
    const taken = member.roles.filter((role) => !roles.includes(role));
    for (const role of given) demandRole(asked, role);
    for (const role of taken) {
      demandBelow(asked, role);
      demandDenied(asked, role);
    }
  },
  owner(asked, { account }) {
    demandMember(asked, account);
    if (asked.actor !== asked.state.owner) refuse('not_permitted');
    if (account === asked.actor || asked.state.members.get(account)?.bot) refuse('space_invalid');
  },
  rekey(asked, { channel }) {
    const there = asked.state.channels.get(channel);
    if (there === undefined || there.kind === 'category') refuse('space_invalid');
    if (!may(asked.state, asked.actor, 'manageChannels', there)) refuse('not_permitted');
  },
  removePosts(asked, { channel }) {
    const there = asked.state.channels.get(channel) ?? refuse('space_invalid');
    if (!may(asked.state, asked.actor, 'managePosts', there)) refuse('not_permitted');
  },
  reportClosed: (asked) => demand(asked, 'reports'),
  close({ state, actor }) {
    if (actor !== state.owner) refuse('not_permitted');
  },
  readmit(asked, { account, resets }) {
    const member = asked.state.members.get(account) ?? refuse('space_invalid');
    demand(asked, 'invite');
    // Who is let in again has their roles again: it takes somebody who could have given or taken them.
    if (account !== asked.state.owner) demandAbove(asked, account);
    else if (account === asked.actor || !may(asked.state, asked.actor, 'administrator'))
      refuse('not_permitted');
    if (resets <= member.resets) refuse('space_invalid');
  },
};

function checkChannel(asked: Asked, op: ChannelOp): void {
  const { state, actor } = asked;
  const there = state.channels.get(op.channel);
  if (!may(state, actor, 'manageChannels', there)) refuse('not_permitted');
  // An id that was gone does not return: keys and posts of it are still about.
  const ever = state.access.history.channels;
  const again = there === undefined && ever.has(op.channel);
  const parent = op.parent && (state.channels.get(op.parent) ?? refuse('space_invalid'));
  if (again || (there && there.kind !== op.kind)) refuse('space_invalid');
  if (parent && parent.kind !== 'category') refuse('space_invalid');
  const full = state.channels.size >= mostChannels || ever.size >= mostChannelsEver;
  if (!there && full) refuse('space_full');
  const former = there?.parent && state.channels.get(there.parent);
  const around = parent || undefined;
  if (there?.parent !== op.parent) {
    for (const category of [former, parent])
      if (category && !may(state, actor, 'manageChannels', category)) refuse('not_permitted');
    if (there) demandHeld(asked, movedBits(former || undefined, around), there);
  }
  for (const { override, bits, known } of touchedOverrides(there, op)) {
    demandHeld(asked, bits, there ?? around);
    const { role, account } = override;
    if (role !== undefined) demandBelow(asked, role);
    else demandAboveOrSelf(asked, account, known);
  }
}

function demandAboveOrSelf(asked: Asked, account: AccountId | undefined, known: boolean): void {
  const there = account !== undefined && (known || asked.state.members.has(account));
  if (!there) refuse('space_invalid');
  if (account !== asked.actor) demandAbove(asked, account);
}

/**
 * Whether `entry` may be the next one. Throws `log_moved` where it follows another one than the newest,
 * `space_closed`, `not_permitted`, `banned`, `joining_locked`, `space_invite_refused`, `space_full`,
 * `space_invalid`. Signatures are not looked at.
 */
export function checkPermitted(state: SpaceState, entry: SpaceEntry): void {
  const { space, seq, prev, time, actor, op } = entry;
  if (space !== state.space || seq === 1) refuse('space_invalid');
  if (seq !== state.seq + 1 || !equal(prev, state.hash))
    throw new Fault('log_moved', { seq: state.seq });
  if (state.closed) refuse('space_closed');
  if (time < state.time) refuse('space_invalid');
  const member = state.members.get(actor);
  if (op.op !== 'join' && !member) refuse('not_permitted');
  if (entry.listEpoch < (member?.listEpoch ?? 0)) refuse('space_invalid');
  (rules[op.op] as (asked: Asked, op: SpaceOp) => void)({ state, actor, time }, op);
}

/** The permission bits under their names, of a sum. */
export const named = (sum: number): Permission[] =>
  (Object.keys(permissions) as Permission[]).filter((name) => (sum & permissions[name]) !== 0);
