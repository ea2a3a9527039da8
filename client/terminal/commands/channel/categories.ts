/** `islander channel category`: what channels stand under. docs/protocol/channel.md §3.1 */
import type { ChannelOp } from '@island/protocol/space/space-op.ts';
import type { Channel, SpaceState } from '@island/protocol/space/space-state.ts';
import { Problem } from '../../../problem.ts';
import { newChannelId } from '../../../spaces/spaces.ts';
import type { AddCommand, CommandGroup } from '../../command.ts';
import { atServer } from '../../servers/act.ts';
import { channelOp } from '../../servers/at-channel.ts';
import { channelObject, titleOf } from '../../servers/shown.ts';
import { harmless } from '../../terminal.ts';

export function categoryNamed(state: SpaceState, name: string): Channel {
  const wanted = name.toLowerCase();
  const all = [...state.channels.values()].filter(({ kind }) => kind === 'category');
  const found =
    all.find((each) => each.name.toLowerCase() === wanted) ??
    all.find((each) => each.name.toLowerCase().startsWith(wanted));
  if (!found) throw new Problem('channel_unknown', { channel: name, title: state.title });
  return found;
}

function addCommand(add: AddCommand): void {
  add(
    'add <server> <name>',
    'makes a category',
    ["islander channel category add 'Book club' Reading"],
    (command) => command,
    async (context, [server = '', name = '']) => {
      await atServer(context, server, async ({ state, islander, act, terminal }) => {
        const position = [...state.channels.values()].filter(
          (each) => each.kind === 'category',
        ).length;
        const op: ChannelOp = {
          ...{ op: 'channel', channel: newChannelId(), kind: 'category', name, topic: '' },
          ...{ parent: undefined, position, slowSeconds: 0, history: false, overrides: [] },
        };
        await act(op);
        const now = await islander.spaces.known(state.space);
        const made = now.channels.get(op.channel);
        terminal.say(
          `There is a category ${harmless(name)} on ${titleOf(state)} now.`,
          made ? channelObject(now, made) : {},
        );
      });
    },
  );
}

function renameCommand(add: AddCommand): void {
  add(
    'rename <server> <category> <name>',
    'gives a category another name',
    ["islander channel category rename 'Book club' Reading Books"],
    (command) => command,
    async (context, [server = '', category = '', name = '']) => {
      await atServer(context, server, async ({ state, act, terminal }) => {
        const changed = { ...categoryNamed(state, category), name };
        await act(channelOp(changed));
        terminal.say(
          `The category is called ${harmless(name)} now.`,
          channelObject(state, changed),
        );
      });
    },
  );
}

function removeCommand(add: AddCommand): void {
  add(
    'remove <server> <category>',
    'removes a category; its channels stay',
    ["islander channel category remove 'Book club' Reading"],
    (command) => command,
    async (context, [server = '', category = '']) => {
      await atServer(context, server, async ({ state, act, terminal }) => {
        const found = categoryNamed(state, category);
        await act({ op: 'channelGone', channel: found.channel });
        terminal.say(`The category ${harmless(found.name)} is gone; its channels stay.`, {
          ...channelObject(state, found),
          type: 'channel-removed',
        });
      });
    },
  );
}

export const categoryGroup: CommandGroup = {
  name: 'category',
  about: 'what channels stand under',
  commands: [addCommand, renameCommand, removeCommand],
};
