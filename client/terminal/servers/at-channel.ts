/** Commands about one channel: found by its name, changed by an entry that says all of it. */
import { permissions } from '@island/protocol/space/permissions.ts';
import type { ChannelOp, Override } from '@island/protocol/space/space-op.ts';
import type { Channel, SpaceState } from '@island/protocol/space/space-state.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { Problem } from '../../problem.ts';
import type { Context } from '../command.ts';
import { type Home, openHome } from '../home.ts';
import { ofRightForm } from './act.ts';
import { memberNamed, placeNamed, roleNamed } from './naming.ts';

export interface AtChannel extends Context {
  islander: Home['islander'];
  state: SpaceState;
  channel: Channel;
  /** What changes of it; the rest stays. Resolves with how it is then. */
  change(by: Partial<Channel>): Promise<{ state: SpaceState; channel: Channel }>;
}

/** `#general`, or `SERVER/#general`, with its server as it is now. */
export async function atChannel(
  context: Context,
  place: string,
  work: (at: AtChannel) => Promise<void>,
): Promise<void> {
  await using home = await openHome(context);
  const { islander } = home;
  const { spaces, account } = islander;
  const found = await placeNamed(spaces, place, account.account, context.signal);
  const state = await spaces.follow(found.state.space, context.signal);
  const channel = state.channels.get(found.channel.channel);
  if (!channel) throw new Problem('channel_unknown', { channel: place, title: state.title });
  const change = async (by: Partial<Channel>) => {
    const op = channelOp({ ...channel, ...by });
    await ofRightForm(() => spaces.act(state.space, op, context.signal));
    const now = await spaces.known(state.space);
    return { state: now, channel: now.channels.get(channel.channel) ?? channel };
  };
  await work({ ...context, islander, state, channel, change });
}

export const channelOp = ({ created: _, ...channel }: Channel): ChannelOp => ({
  op: 'channel',
  ...channel,
});

export type Whom = Pick<Override, 'role' | 'account'>;

/** A role, else a member. */
export function whomNamed(state: SpaceState, text: string): Whom {
  try {
    return { role: roleNamed(state, text).role };
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== 'role_unknown') throw error;
    return { account: memberNamed(state, text).account };
  }
}

const same = (one: Whom, other: Whom): boolean =>
  one.role === other.role && one.account === other.account;

/** What a role or a member may do there besides, or not any more. */
export function withOverride(
  overrides: readonly Override[],
  whom: Whom,
  by: { allow?: number; deny?: number },
): Override[] {
  const { allow = 0, deny = 0 } = by;
  const there = overrides.find((each) => same(each, whom)) ?? { allow: 0, deny: 0 };
  const changed = {
    ...whom,
    allow: (there.allow & ~deny) | allow,
    deny: (there.deny & ~allow) | deny,
  } as Override;
  return [...withoutOverride(overrides, whom), changed];
}

export const withoutOverride = (overrides: readonly Override[], whom: Whom): Override[] =>
  overrides.filter((each) => !same(each, whom));

/** Only those roles see it, and whoever makes it. */
export function privateTo(
  { owner }: SpaceState,
  roles: readonly number[],
  self: AccountId,
): Override[] {
  const allow = permissions.view;
  const whom: Whom[] = [
    ...roles.map((role) => ({ role })),
    ...(owner === self ? [] : [{ account: self }]),
  ];
  return whom.reduce(
    (overrides, each) => withOverride(overrides, each, { allow }),
    withOverride([], { role: 0 }, { deny: permissions.view }),
  );
}
