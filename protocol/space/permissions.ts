/**
 * What somebody may do in a space or one of its channels: one pure function, for clients and the island.
 * docs/protocol/channel.md §4
 *
 * Who is no member may do nothing; the owner, and a role with `administrator`, everything. Otherwise the sum of
 * what everybody and one's roles may, changed by the overrides of the category and then of the channel: first
 * those of everybody, then of one's roles together (a permission that one of them gives counts), then of oneself.
 */
import type { AccountId, ChannelId } from '../wire/ids.ts';
import type { Override } from './space-op.ts';
import type { Channel, Role } from './space-state.ts';

/** Bits of a `u32`. */
export const permissions = {
  /** To see a channel, and be given its keys. */
  view: 0x01,
  post: 0x02,
  attach: 0x04,
  react: 0x08,
  /** To call everybody by a mention. */
  mentionAll: 0x10,
  pin: 0x20,
  invite: 0x40,
  /** To hand others what was written before they came, where the channel allows it. */
  shareHistory: 0x80,
  /** To remove what others posted. */
  managePosts: 0x0100,
  timeout: 0x0200,
  kick: 0x0400,
  ban: 0x0800,
  manageChannels: 0x1000,
  manageRoles: 0x2000,
  manageServer: 0x4000,
  /** To read and close reports. */
  reports: 0x8000,
  speak: 0x01_0000,
  video: 0x02_0000,
  /** To silence others in voice channels. */
  mute: 0x04_0000,
  administrator: 0x4000_0000,
} as const;
export type Permission = keyof typeof permissions;

export const allPermissions = Object.values(permissions).reduce((sum, bit) => sum | bit, 0);

const { view, post, attach, mentionAll, react, invite, speak, video } = permissions;

/** What everybody may in a space that has just begun. */
export const firstPermissions = view | post | attach | react | invite | speak | video;

/** Higher than every position of a role. */
export const ownerRank = 0x1_0000;

/** What rights follow from: a space now (`SpaceState`), or as of an earlier entry (`asOf`). */
export interface Standing {
  readonly owner: AccountId | undefined;
  readonly closed: boolean;
  readonly members: { get(account: AccountId): { readonly roles: readonly number[] } | undefined };
  readonly roles: { get(role: number): Role | undefined };
  readonly channels: { get(channel: ChannelId): Channel | undefined };
}

/** The highest position of somebody's roles: who may act on whom. 0 for who has none; -1 for who is no member. */
export function rankOf(state: Standing, account: AccountId): number {
  const member = state.members.get(account);
  if (member === undefined) return -1;
  if (account === state.owner) return ownerRank;
  return Math.max(0, ...member.roles.map((role) => state.roles.get(role)?.position ?? 0));
}

/** A sum of `permissions`: in the space as a whole, or in a channel of it. */
export function permissionsIn(state: Standing, account: AccountId, channel?: Channel): number {
  const member = state.members.get(account);
  if (member === undefined || state.closed) return 0;
  if (account === state.owner) return allPermissions;
  const roles = [0, ...member.roles];
  const base = roles.reduce((sum, role) => sum | (state.roles.get(role)?.permissions ?? 0), 0);
  if (base & permissions.administrator) return allPermissions;
  if (channel === undefined) return base;
  const parent = channel.parent && state.channels.get(channel.parent);
  const around = parent ? overridden(base, parent.overrides, account, member.roles) : base;
  const here = overridden(around, channel.overrides, account, member.roles);
  if (!(here & view)) return 0;
  return here & post ? here : here & ~(attach | mentionAll);
}

export const may = (
  state: Standing,
  account: AccountId,
  permission: Permission,
  channel?: Channel,
): boolean => (permissionsIn(state, account, channel) & permissions[permission]) !== 0;

function overridden(
  base: number,
  overrides: readonly Override[],
  account: AccountId,
  roles: readonly number[],
): number {
  const of = (wanted: (override: Override) => boolean) => {
    const found = overrides.filter(wanted);
    const allow = found.reduce((sum, each) => sum | each.allow, 0);
    const deny = found.reduce((sum, each) => sum | each.deny, 0);
    return (before: number) => (before & ~deny) | allow;
  };
  const everybody = of((override) => override.role === 0);
  const ofRoles = of(({ role }) => role !== undefined && role > 0 && roles.includes(role));
  const own = of((override) => override.account === account);
  return own(ofRoles(everybody(base)));
}
