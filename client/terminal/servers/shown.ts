/** Servers, channels, roles and members as a person reads them, and as a program does. */
import { may, rankOf } from '@island/protocol/space/permissions.ts';
import type {
  Channel,
  Invite,
  Member,
  Override,
  Role,
  SpaceState,
} from '@island/protocol/space/space-state.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { durationText } from '../amounts.ts';
import { minute } from '../dates.ts';
import { harmless } from '../terminal.ts';
import { everyone, inviteId, permissionTexts } from './naming.ts';

export const titleOf = ({ title }: Pick<SpaceState, 'title'>): string => harmless(title);
export const channelText = ({ name }: Pick<Channel, 'name'>): string => `#${harmless(name)}`;
export const roleText = ({ role, name }: Pick<Role, 'role' | 'name'>): string =>
  role === 0 ? everyone : harmless(name);
export const nameIn = ({ members }: SpaceState, account: AccountId): string =>
  members.get(account)?.name ?? account.slice(0, 8);

const byPlace = (one: { position: number; name: string }, other: typeof one): number =>
  one.position - other.position || (one.name < other.name ? -1 : 1);

/** Categories with what is in them, in the order of their positions; those of no category first. */
export function channelsInOrder(state: SpaceState, self: AccountId): Channel[] {
  const seen = [...state.channels.values()].filter((each) => may(state, self, 'view', each));
  const under = (parent: Channel['parent']) =>
    seen.filter((each) => each.kind !== 'category' && each.parent === parent).sort(byPlace);
  const categories = seen.filter(({ kind }) => kind === 'category').sort(byPlace);
  const shown = new Set(categories.map(({ channel }) => channel));
  const loose = seen.filter(({ parent }) => parent !== undefined && !shown.has(parent));
  return [
    ...under(undefined),
    ...loose.sort(byPlace),
    ...categories.flatMap((each) => [each, ...under(each.channel)]),
  ];
}

/** Whether somebody who has no role can't see it. */
export const isPrivate = (state: SpaceState, { overrides, parent }: Channel): boolean => {
  const around = parent === undefined ? undefined : state.channels.get(parent);
  const own = overrides.find(({ role }) => role === 0);
  const above = around?.overrides.find(({ role }) => role === 0);
  if ((own?.deny ?? 0) & 1) return true;
  return ((above?.deny ?? 0) & 1) === 1 && ((own?.allow ?? 0) & 1) === 0;
};

export function channelRow(state: SpaceState, channel: Channel): string[] {
  const { kind, parent, topic, slowSeconds, history } = channel;
  if (kind === 'category') return [harmless(channel.name).toUpperCase()];
  const marks = [
    ...(kind === 'voice' ? ['voice'] : []),
    ...(isPrivate(state, channel) ? ['private'] : []),
    ...(slowSeconds > 0 ? [`one post in ${durationText(slowSeconds)}`] : []),
    ...(history ? ['history may be shared'] : []),
  ];
  const indent = parent === undefined ? '' : '  ';
  return [`${indent}${channelText(channel)}`, marks.join(', '), harmless(topic)];
}

export const channelObject = (state: SpaceState, channel: Channel) => ({
  type: 'channel',
  server: state.space,
  title: state.title,
  channel: channel.channel,
  name: channel.name,
  kind: channel.kind,
  topic: channel.topic,
  ...(channel.parent && { category: state.channels.get(channel.parent)?.name }),
  position: channel.position,
  slow: channel.slowSeconds,
  history: channel.history,
  private: isPrivate(state, channel),
  overrides: channel.overrides.map((each) => overrideObject(state, each)),
});

const overrideObject = (state: SpaceState, override: Override) => {
  const { role, account, allow, deny } = override;
  const of =
    role === undefined ? { member: nameIn(state, account) } : { role: roleName(state, role) };
  return { ...of, allow: permissionTexts(allow), deny: permissionTexts(deny) };
};

export const roleName = (state: SpaceState, role: number): string =>
  roleText(state.roles.get(role) ?? { role, name: `role ${role}` });

/** The highest first; everybody's last. */
export const rolesInOrder = ({ roles }: SpaceState): Role[] =>
  [...roles.values()].sort((one, other) => other.position - one.position || one.role - other.role);

export const roleObject = (state: SpaceState, role: Role) => ({
  type: 'role',
  server: state.space,
  title: state.title,
  role: role.role,
  name: role.role === 0 ? everyone : role.name,
  position: role.position,
  permissions: permissionTexts(role.permissions),
  members: membersWith(state, role.role),
});

export const membersWith = ({ members }: SpaceState, role: number): number =>
  role === 0
    ? members.size
    : [...members.values()].filter(({ roles }) => roles.includes(role)).length;

/** The owner and who stands high first, then by name. */
export const membersInOrder = (state: SpaceState): [AccountId, Member][] =>
  [...state.members].sort(
    ([one, { name }], [other, { name: otherName }]) =>
      rankOf(state, other) - rankOf(state, one) || (name < otherName ? -1 : 1),
  );

/** What is said of a member behind the name. */
export function memberMarks(state: SpaceState, account: AccountId, now: number): string[] {
  const member = state.members.get(account);
  if (!member) return [];
  const { bot, muted, timeoutUntil, roles } = member;
  return [
    ...(account === state.owner ? ['owner'] : []),
    ...(bot ? ['bot'] : []),
    ...roles.map((role) => roleName(state, role)),
    ...(timeoutUntil * 1000 > now ? [`paused until ${minute(timeoutUntil * 1000)} (UTC)`] : []),
    ...(muted ? ['muted'] : []),
  ];
}

export const memberObject = (state: SpaceState, account: AccountId, member: Member) => ({
  type: 'member',
  server: state.space,
  title: state.title,
  name: member.name,
  account,
  owner: account === state.owner,
  bot: member.bot,
  roles: member.roles.map((role) => roleName(state, role)),
  paused: member.timeoutUntil,
  muted: member.muted,
});

export const serverObject = (state: SpaceState, self: AccountId) => ({
  type: 'server',
  server: state.space,
  title: state.title,
  owner: nameIn(state, state.owner),
  mine: state.owner === self,
  members: state.members.size,
  channels: channelsInOrder(state, self).filter(({ kind }) => kind !== 'category').length,
  locked: state.joinLocked,
  closed: state.closed,
  changes: state.seq,
});

export const inviteObject = (state: SpaceState, invite: Invite) => ({
  type: 'server-invite',
  server: state.space,
  title: state.title,
  invite: inviteId(invite),
  by: nameIn(state, invite.by),
  used: invite.used,
  uses: invite.uses,
  expires: invite.expires,
  ...(invite.role > 0 && { role: roleName(state, invite.role) }),
});
