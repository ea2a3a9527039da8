/**
 * What people call servers, channels, roles and members: a title or an unambiguous beginning of it, or an id;
 * `#general`, or `SERVER/#general` where several servers have one.
 */
import { may, type Permission, permissions } from '@island/protocol/space/permissions.ts';
import type {
  Channel,
  Invite,
  Member,
  Role,
  SpaceState,
} from '@island/protocol/space/space-state.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { hex } from '@island/protocol/wire/text.ts';
import { Problem } from '../../problem.ts';
import type { Spaces } from '../../spaces/spaces.ts';

/** `members` of everybody: the role that all have. */
export const everyone = 'everyone';

const folded = (text: string): string => text.normalize('NFC').toLowerCase();

/** Those that are called so exactly, else those that begin so. */
function called<T>(all: readonly T[], text: string, nameOf: (each: T) => string): T[] {
  const wanted = folded(text);
  const exact = all.filter((each) => folded(nameOf(each)) === wanted);
  if (exact.length > 0 || wanted === '') return exact;
  return all.filter((each) => folded(nameOf(each)).startsWith(wanted));
}

export function serverAmong(all: readonly SpaceState[], text: string): SpaceState {
  const byId = /^[0-9a-f]{8,32}$/.test(text)
    ? all.filter(({ space }) => space.startsWith(text))
    : [];
  const found = byId.length > 0 ? byId : called(all, text, ({ title }) => title);
  const [only] = found;
  if (only === undefined) throw new Problem('space_unknown');
  if (found.length === 1) return only;
  const titles = found.map(({ title, space }) => `${title} (${space.slice(0, 8)})`).join(', ');
  throw new Problem('space_ambiguous', { titles });
}

/** As the island has it now. Throws `space_unknown`, `space_ambiguous`, and what following throws. */
export async function serverNamed(
  spaces: Spaces,
  text: string,
  signal: AbortSignal,
): Promise<SpaceState> {
  const { space } = await knownServer(spaces, text, signal);
  return spaces.follow(space, signal);
}

/** Asks the island only where nothing here is called so: another device of the person may have joined it. */
async function knownServer(spaces: Spaces, text: string, signal: AbortSignal): Promise<SpaceState> {
  try {
    return serverAmong(await spaces.all(), text);
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== 'space_unknown') throw error;
    return serverAmong(await spaces.refresh(signal), text);
  }
}

export const isChannelName = (text: string): boolean => /^(?:[^#]*\/)?#./su.test(text);

/** Without its `#`; what somebody may not see has no name. */
export function channelNamed(state: SpaceState, text: string, self?: AccountId): Channel {
  const name = text.startsWith('#') ? text.slice(1) : text;
  const seen = [...state.channels.values()].filter(
    (each) => self === undefined || may(state, self, 'view', each),
  );
  const byId = /^[0-9a-f]{8,32}$/.test(name)
    ? seen.filter((each) => each.channel.startsWith(name))
    : [];
  const found = byId.length > 0 ? byId : called(seen, name, (each) => each.name);
  const [only] = found;
  if (only === undefined)
    throw new Problem('channel_unknown', { channel: text, title: state.title });
  if (found.length === 1) return only;
  const places = found.map((each) => `#${each.name} (${each.channel.slice(0, 8)})`).join(', ');
  throw new Problem('channel_ambiguous', { places, channel: text });
}

export interface ChannelPlace {
  state: SpaceState;
  channel: Channel;
}

/** `#general` of whichever server has one, or `SERVER/#general`. */
export async function placeNamed(
  spaces: Spaces,
  text: string,
  self: AccountId,
  signal: AbortSignal,
): Promise<ChannelPlace> {
  const [, server, name = text] = /^([^#]*)\/(#[\s\S]+)$/u.exec(text) ?? [];
  if (server !== undefined) {
    const state = await serverNamed(spaces, server, signal);
    return { state, channel: channelNamed(state, name, self) };
  }
  const known = await spaces.all();
  const all = known.length > 0 ? known : await spaces.refresh(signal);
  const found = all.flatMap((state) => {
    try {
      return [{ state, channel: channelNamed(state, name, self) }];
    } catch (error) {
      if (error instanceof Problem && error.code === 'channel_unknown') return [];
      throw error;
    }
  });
  const exact = found.filter(({ channel }) => folded(`#${channel.name}`) === folded(name));
  const meant = exact.length > 0 ? exact : found;
  const [only] = meant;
  if (only === undefined)
    throw new Problem('channel_unknown', { channel: name, title: 'any of your servers' });
  if (meant.length === 1) return only;
  const places = meant.map(({ state, channel }) => `${state.title}/#${channel.name}`).join(', ');
  throw new Problem('channel_ambiguous', { places, channel: name });
}

export function memberNamed(state: SpaceState, name: string): Member & { account: AccountId } {
  for (const [account, member] of state.members)
    if (member.name === name) return { ...member, account };
  throw new Problem('member_unknown', { name, title: state.title });
}

export function roleNamed(state: SpaceState, text: string): Role {
  const roles = [...state.roles.values()];
  const found = called(roles, text, ({ role, name }) => (role === 0 ? everyone : name));
  const [only] = found;
  if (only === undefined || found.length > 1)
    throw new Problem('role_unknown', { role: text, title: state.title });
  return only;
}

/** By the beginning of its key. */
export function inviteNamed(state: SpaceState, text: string): Invite {
  const found = [...state.invites].filter(([key]) => text.length >= 4 && key.startsWith(text));
  const [only] = found;
  if (only === undefined || found.length > 1)
    throw new Problem('space_invite_unknown', { invite: text, title: state.title });
  return only[1];
}

export const inviteId = ({ key }: Pick<Invite, 'key'>): string => hex(key).slice(0, 8);

/** `mentionAll` is said `mention-all`. */
export const permissionText = (permission: Permission): string =>
  permission.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

const bits = new Map(
  (Object.keys(permissions) as Permission[]).map((name) => [
    permissionText(name),
    permissions[name],
  ]),
);

/** A sum of them; each argument may have several, between commas. */
export function permissionSum(words: readonly string[]): number {
  return words
    .flatMap((word) => word.split(','))
    .filter((word) => word !== '')
    .reduce((sum, word) => {
      const bit = bits.get(word);
      if (bit !== undefined) return sum | bit;
      const known = [...bits.keys()].join(', ');
      throw new Problem('permission_unknown', { permission: word, permissions: known });
    }, 0);
}

export const permissionTexts = (sum: number): string[] =>
  [...bits].filter(([, bit]) => (sum & bit) !== 0).map(([word]) => word);
