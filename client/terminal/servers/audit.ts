/** The log of a server in plain words: each act, by whom, when. docs/protocol/channel.md §3.1 */
import type { SpaceEntry } from '@island/protocol/space/entry.ts';
import type { OpOf, SpaceOp } from '@island/protocol/space/space-op.ts';
import { applyEntry, beginSpace, type SpaceState } from '@island/protocol/space/space-state.ts';
import type { AccountId, ChannelId } from '@island/protocol/wire/ids.ts';
import { durationText } from '../amounts.ts';
import { minute } from '../dates.ts';
import { harmless } from '../terminal.ts';
import { inviteId, permissionTexts } from './naming.ts';
import { channelText, roleName, roleText } from './shown.ts';

export interface Told {
  seq: number;
  /** Unix seconds. */
  time: number;
  by: string;
  op: SpaceOp['op'];
  /** Without who did it: `kicked bob (spam)`. */
  text: string;
  /** Whom it is about. */
  whom?: string;
}

/** What was there before an act, and what everybody who ever came is called. */
interface Before {
  state: SpaceState;
  nameOf: (account: AccountId) => string;
}

/** Each with what came before it: what was called how is known from there. */
export async function* toldLog(entries: AsyncIterable<SpaceEntry>): AsyncGenerator<Told> {
  const names = new Map<AccountId, string>();
  const nameOf = (account: AccountId): string => names.get(account) ?? account.slice(0, 8);
  let state: SpaceState | undefined;
  for await (const entry of entries) {
    const { op, actor, seq, time } = entry;
    if (op.op === 'create' || op.op === 'join') names.set(actor, op.name);
    const text = state ? actText({ state, nameOf }, op) : `began the server ${titleIn(op)}`;
    const whom = 'account' in op ? { whom: nameOf(op.account) } : {};
    yield { seq, time, by: nameOf(actor), op: op.op, text, ...whom };
    if (state) applyEntry(state, entry);
    else state = beginSpace(entry);
  }
}

const titleIn = (op: SpaceOp): string => (op.op === 'create' ? harmless(op.title) : '');
const actText = (before: Before, op: SpaceOp): string =>
  (texts[op.op] as (before: Before, op: SpaceOp) => string)(before, op);

const because = (reason: string): string => (reason === '' ? '' : ` (${harmless(reason)})`);
const channelIn = ({ state }: Before, channel: ChannelId): string => {
  const there = state.channels.get(channel);
  if (!there) return 'a channel';
  return there.kind === 'category' ? `the category ${harmless(there.name)}` : channelText(there);
};
const listed = (words: readonly string[]): string =>
  words.length > 0 ? words.join(', ') : 'nothing';

const texts: { [N in SpaceOp['op']]: (before: Before, op: OpOf<N>) => string } = {
  create: () => 'began the server',
  settings({ state }, { title, joinLocked }) {
    const did = [
      ...(title === state.title ? [] : [`named the server ${harmless(title)}`]),
      ...(joinLocked === state.joinLocked
        ? []
        : [joinLocked ? 'locked joining' : 'unlocked joining']),
    ];
    return did.length > 0 ? did.join(' and ') : 'left the settings as they were';
  },
  channel: changedChannel,
  channelGone: (before, { channel }) => `removed ${channelIn(before, channel)}`,
  role({ state }, op) {
    const there = state.roles.get(op.role);
    if (!there) return `made the role ${roleText(op)}: ${listed(permissionTexts(op.permissions))}`;
    const given = permissionTexts(op.permissions & ~there.permissions);
    const taken = permissionTexts(there.permissions & ~op.permissions);
    const did = [
      ...(op.name === there.name ? [] : [`is called ${harmless(op.name)} now`]),
      ...(op.position === there.position ? [] : [`stands at ${op.position}`]),
      ...(given.length > 0 ? [`may ${given.join(', ')}`] : []),
      ...(taken.length > 0 ? [`may not ${taken.join(', ')} any more`] : []),
    ];
    return `changed the role ${roleText(there)}: ${listed(did)}`;
  },
  roleGone: ({ state }, { role }) => `removed the role ${roleName(state, role)}`,
  invite({ state }, op) {
    const terms = [
      ...(op.uses > 0 ? [`${op.uses} uses`] : []),
      ...(op.expires > 0 ? [`until ${minute(op.expires * 1000)} UTC`] : []),
      ...(op.role > 0 ? [`as ${roleName(state, op.role)}`] : []),
    ];
    return `made the invite ${inviteId(op)}${terms.length > 0 ? `: ${terms.join(', ')}` : ''}`;
  },
  inviteGone: (_, op) => `took the invite ${inviteId(op)} back`,
  join: (_, { bot, invite }) =>
    `came${bot ? ' as a bot' : ''}, by the invite ${inviteId({ key: invite })}`,
  leave: () => 'left',
  kick: ({ nameOf }, { account, reason }) => `kicked ${nameOf(account)}${because(reason)}`,
  ban: ({ nameOf }, { account, reason }) => `banned ${nameOf(account)}${because(reason)}`,
  unban: ({ nameOf }, { account }) => `took the ban of ${nameOf(account)} back`,
  timeout: ({ nameOf }, { account, until, reason }) =>
    until === 0
      ? `let ${nameOf(account)} post again`
      : `paused ${nameOf(account)} until ${minute(until * 1000)} UTC${because(reason)}`,
  mute: ({ nameOf }, { account, muted }) => `${muted ? 'muted' : 'unmuted'} ${nameOf(account)}`,
  memberRoles({ state, nameOf }, { account, roles }) {
    const had = state.members.get(account)?.roles ?? [];
    const namesOf = (of: readonly number[]) => of.map((role) => roleName(state, role)).join(', ');
    const given = namesOf(roles.filter((role) => !had.includes(role)));
    const taken = namesOf(had.filter((role) => !roles.includes(role)));
    const who = nameOf(account);
    const did = [
      ...(given ? [`gave ${who} ${given}`] : []),
      ...(taken ? [`took ${taken} from ${who}`] : []),
    ];
    return did.length > 0 ? did.join(' and ') : `left the roles of ${who} as they were`;
  },
  owner: ({ nameOf }, { account }) => `gave the server to ${nameOf(account)}`,
  rekey: (before, { channel }) => `began new keys in ${channelIn(before, channel)}`,
  removePosts: (before, { channel, seqs }) =>
    `removed ${seqs.length === 1 ? 'a post' : `${seqs.length} posts`} in ${channelIn(before, channel)}`,
  reportClosed: (_, { acted }) => `closed a report: ${acted ? 'acted on it' : 'dismissed it'}`,
  close: () => 'deleted the server',
  readmit: ({ nameOf }, { account }) => `let ${nameOf(account)} in again, who began anew`,
};

function changedChannel({ state }: Before, op: OpOf<'channel'>): string {
  const there = state.channels.get(op.channel);
  const what = op.kind === 'category' ? `the category ${harmless(op.name)}` : channelText(op);
  if (!there) return `made ${what}`;
  const whats = op.kind === 'category' ? 'the category' : channelText(there);
  const place =
    op.parent === undefined
      ? 'out of its category'
      : `to ${channelIn({ state, nameOf: String }, op.parent)}`;
  const did = [
    ...(op.name === there.name ? [] : [`is called ${harmless(op.name)} now`]),
    ...(op.topic === there.topic
      ? []
      : [op.topic === '' ? 'has no topic' : `topic: ${harmless(op.topic)}`]),
    ...(op.parent === there.parent ? [] : [`moved ${place}`]),
    ...(op.position === there.position ? [] : [`stands at ${op.position}`]),
    ...(op.slowSeconds === there.slowSeconds
      ? []
      : [op.slowSeconds === 0 ? 'no slow mode' : `one post in ${durationText(op.slowSeconds)}`]),
    ...(op.history === there.history
      ? []
      : [op.history ? 'history may be shared' : 'history may not be shared']),
    ...(JSON.stringify(op.overrides) === JSON.stringify(there.overrides)
      ? []
      : ['who may do what there']),
  ];
  return `changed ${whats}: ${listed(did)}`;
}
