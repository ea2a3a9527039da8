/**
 * What people give each other in a space: roles, rights in a channel, and invites. docs/protocol/channel.md §3.3
 *
 * Invariant: nobody gives anybody, themselves included, a right that they lack where it counts.
 */
import type { AccountId } from '../wire/ids.ts';
import { may, permissionsIn, rankOf, type Standing } from './permissions.ts';
import type { ChannelOp, Override } from './space-op.ts';
import type { Channel, Invite, SpaceState } from './space-state.ts';

/** Invites of a space, and of one member who does not manage it. */
export const mostInvites = 256;
export const mostInvitesEach = 32;

/** Whether it still lets somebody in. */
export const isGood = ({ uses, used, expires }: Invite, time: number): boolean =>
  (uses === 0 || used < uses) && (expires === 0 || time <= expires);

const holds = (state: Standing, account: AccountId, sum: number, channel?: Channel): boolean =>
  (sum & ~permissionsIn(state, account, channel)) === 0;

/** Of a role that there is, and not everybody's: whether it is below the highest of somebody. */
export function isBelow(state: SpaceState, account: AccountId, role: number): boolean {
  const there = state.roles.get(role);
  return there !== undefined && there.position < rankOf(state, account);
}

/** Whether somebody has all that a role gives whoever has it: in the space, and in each channel. */
export function holdsRole(state: SpaceState, account: AccountId, role: number): boolean {
  const sum = state.roles.get(role)?.permissions ?? 0;
  return holds(state, account, sum) && holdsOverrides(state, account, role, 'allow');
}

/** Whether somebody has all that a role takes from whoever has it, and that its end gives back. */
export const holdsDenied = (state: SpaceState, account: AccountId, role: number): boolean =>
  holdsOverrides(state, account, role, 'deny');

const holdsOverrides = (
  state: SpaceState,
  account: AccountId,
  role: number,
  which: 'allow' | 'deny',
): boolean =>
  [...state.channels.values()].every((channel) => {
    const override = channel.overrides.find((each) => each.role === role);
    return override === undefined || holds(state, account, override[which], channel);
  });

/** Whether somebody may give a role to whoever comes. */
export const mayGive = (state: SpaceState, account: AccountId, role: number): boolean =>
  role > 0 &&
  may(state, account, 'manageRoles') &&
  isBelow(state, account, role) &&
  holdsRole(state, account, role);

/** An override that an entry sets, changes or takes away, and the rights that it changes. */
export interface Touched {
  override: Override;
  bits: number;
  /** Whether it was there before. */
  known: boolean;
}

const whose = ({ role, account }: Override): string => account ?? `${role}`;

export function touchedOverrides(there: Channel | undefined, op: ChannelOp): Touched[] {
  const before = new Map(there?.overrides.map((each) => [whose(each), each]));
  const touched = op.overrides.map((override): Touched => {
    const was = before.get(whose(override));
    before.delete(whose(override));
    const { allow, deny } = override;
    const bits = ((was?.allow ?? 0) ^ allow) | ((was?.deny ?? 0) ^ deny);
    return { override, bits, known: was !== undefined };
  });
  for (const override of before.values())
    touched.push({ override, bits: override.allow | override.deny, known: true });
  return touched.filter(({ bits, known }) => bits !== 0 || !known);
}

/** The rights that moving a channel from one category to another, or to none, may change for anybody. */
export const movedBits = (...categories: readonly (Channel | undefined)[]): number =>
  categories
    .flatMap((category) => category?.overrides ?? [])
    .reduce((sum, { allow, deny }) => sum | allow | deny, 0);
