/** `islander channel`: the channels of a server. docs/protocol/channel.md §3.1 */
import type { ChannelOp } from '@island/protocol/space/space-op.ts';
import type { Channel, SpaceState } from '@island/protocol/space/space-state.ts';
import { notifyChoices } from '../../channels/unread.ts';
import { newChannelId } from '../../spaces/spaces.ts';
import { parseDuration } from '../amounts.ts';
import { atPlace } from '../channels/at-place.ts';
import type { AddCommand, CommandGroup, Context } from '../command.ts';
import { given } from '../credentials.ts';
import { rows } from '../rows.ts';
import { atServer, confirmed } from '../servers/act.ts';
import { atChannel, privateTo } from '../servers/at-channel.ts';
import { roleNamed } from '../servers/naming.ts';
import {
  channelObject,
  channelRow,
  channelsInOrder,
  channelText,
  titleOf,
} from '../servers/shown.ts';
import { usage } from '../usage.ts';
import { categoryGroup, categoryNamed } from './channel/categories.ts';
import { differencesCommand } from './channel/differences.ts';
import { permissionCommands } from './channel/permissions.ts';

function listCommand(add: AddCommand): void {
  add(
    'list <server>',
    'the channels of a server that you can see',
    ["islander channel list 'Book club'"],
    (command) => command,
    async (context, [server = '']) => {
      await atServer(context, server, async ({ state, islander, terminal }) => {
        const all = channelsInOrder(state, islander.account.account);
        if (terminal.json) for (const each of all) terminal.say('', channelObject(state, each));
        else terminal.say(rows(all.map((each) => channelRow(state, each))), {});
      });
    },
  );
}

const collect = (text: string, before: string[] = []): string[] => [...before, text];

function addCommand(add: AddCommand): void {
  add(
    'add <server> <name>',
    'makes a channel',
    [
      "islander channel add 'Book club' plans --topic 'What we read next'",
      "islander channel add 'Book club' keepers --private --role moderators",
      "islander channel add 'Book club' evening --voice --category Talk",
    ],
    (command) =>
      command
        .option('--topic <text>', 'what it is about; the island can read it')
        .option('--category <name>', 'the category in which it stands')
        .option('--private', 'nobody sees it but the roles of --role')
        .option(
          '--role <role>',
          'a role that sees it all the same; several times for several',
          collect,
        )
        .option('--voice', 'for talking instead of writing')
        .option('--slow <time>', 'the time between two posts of one member: 10s, 5m')
        .option('--history', 'members may show those who come later what was said before'),
    async (context, [server = '', name = ''], options) => {
      const slowSeconds = slowOf(context, options);
      await atServer(context, server, async ({ state, islander, act, terminal }) => {
        const roles = [options['role'] ?? []]
          .flat()
          .map((each) => roleNamed(state, String(each)).role);
        const category = given(options['category']);
        const op: ChannelOp = {
          op: 'channel',
          channel: newChannelId(),
          kind: options['voice'] === true ? 'voice' : 'text',
          name: bare(name),
          topic: given(options['topic']) ?? '',
          parent: category === undefined ? undefined : categoryNamed(state, category).channel,
          position: lastIn(state, category),
          slowSeconds: slowSeconds ?? 0,
          history: options['history'] === true,
          overrides:
            options['private'] === true ? privateTo(state, roles, islander.account.account) : [],
        };
        await act(op);
        const now = await islander.spaces.known(state.space);
        const made = now.channels.get(op.channel);
        terminal.say(
          `There is ${channelText(op)} on ${titleOf(state)} now.`,
          made ? channelObject(now, made) : {},
        );
      });
    },
  );
}

/** Behind those that are there. */
const lastIn = (state: SpaceState, category: string | undefined): number => {
  const parent = category === undefined ? undefined : categoryNamed(state, category).channel;
  const there = [...state.channels.values()].filter((each) => each.parent === parent);
  return Math.min(65_535, Math.max(-1, ...there.map(({ position }) => position)) + 1);
};

const bare = (name: string): string => (name.startsWith('#') ? name.slice(1) : name);

function slowOf({ terminal }: Context, { slow }: Record<string, unknown>): number | undefined {
  if (slow === undefined) return undefined;
  const seconds = parseDuration(String(slow));
  if (seconds === undefined) throw usage(terminal, '--slow is a time like 10s or 5m, or off.');
  return seconds;
}

function setCommand(add: AddCommand): void {
  add(
    'set <channel>',
    'changes what a channel is called, is about, and how often one may post there',
    [
      "islander channel set '#plans' --topic 'What we read in May'",
      "islander channel set 'Book club/#general' --slow 10s --name talk",
      "islander channel set '#plans' --history",
    ],
    (command) =>
      command
        .option('--name <name>', 'what it is called')
        .option('--topic <text>', 'what it is about; the island can read it')
        .option('--slow <time>', 'the time between two posts of one member; off for none')
        .option('--history', 'members may show those who come later what was said before')
        .option('--no-history', 'they may not'),
    async (context, [place = ''], options) => {
      const slowSeconds = slowOf(context, options);
      const [name, topic, history] = [
        given(options['name']),
        given(options['topic']),
        options['history'],
      ];
      await atChannel(context, place, async ({ change, terminal }) => {
        const now = await change({
          ...(name !== undefined && { name: bare(name) }),
          ...(topic !== undefined && { topic }),
          ...(slowSeconds !== undefined && { slowSeconds }),
          ...(typeof history === 'boolean' && { history }),
        });
        terminal.say(
          `${channelText(now.channel)} is changed.`,
          channelObject(now.state, now.channel),
        );
      });
    },
  );
}

function moveCommand(add: AddCommand): void {
  add(
    'move <channel>',
    'puts a channel into a category, or elsewhere in the order',
    [
      "islander channel move '#plans' --category Reading",
      "islander channel move '#plans' --position 0",
      "islander channel move '#plans' --category none",
    ],
    (command) =>
      command
        .option('--category <name>', 'a category, or none')
        .option('--position <n>', 'its place in there, from 0'),
    async (context, [place = ''], options) => {
      const position = options['position'] === undefined ? undefined : Number(options['position']);
      if (
        position !== undefined &&
        !(Number.isInteger(position) && position >= 0 && position < 65_536)
      )
        throw usage(context.terminal, '--position is a whole number from 0 to 65535.');
      const category = given(options['category']);
      await atChannel(context, place, async ({ state, change, terminal }) => {
        const parent =
          category === 'none' || category === undefined
            ? undefined
            : categoryNamed(state, category).channel;
        const by: Partial<Channel> = {
          ...(category !== undefined && { parent }),
          ...(position !== undefined && { position }),
        };
        const now = await change(by);
        terminal.say(
          `${channelText(now.channel)} is moved.`,
          channelObject(now.state, now.channel),
        );
      });
    },
  );
}

function removeCommand(add: AddCommand): void {
  add(
    'remove <channel>',
    'removes a channel with everything that was said there',
    ["islander channel remove 'Book club/#plans'"],
    (command) => command.option('--yes', 'without asking'),
    async (context, [place = ''], options) => {
      await atChannel(context, place, async ({ state, channel, islander, terminal }) => {
        const text = `${channelText(channel)} of ${titleOf(state)}`;
        await confirmed(
          context,
          options,
          `${text} will be gone for everybody, with all that was said there.`,
        );
        await islander.spaces.act(
          state.space,
          { op: 'channelGone', channel: channel.channel },
          context.signal,
        );
        terminal.say(`${text} is gone.`, {
          ...channelObject(state, channel),
          type: 'channel-removed',
        });
      });
    },
  );
}

function rekeyCommand(add: AddCommand): void {
  add(
    'rekey <channel>',
    'everybody begins new keys in a channel with their next post; that happens by itself when somebody goes',
    ["islander channel rekey '#general'"],
    (command) => command,
    async (context, [place = '']) => {
      await atChannel(context, place, async ({ state, channel, islander, terminal }) => {
        await islander.spaces.act(
          state.space,
          { op: 'rekey', channel: channel.channel },
          context.signal,
        );
        terminal.say(`What follows in ${channelText(channel)} is sealed with new keys.`, {
          ...channelObject(state, channel),
          type: 'rekeyed',
        });
      });
    },
  );
}

function notifyCommand(add: AddCommand): void {
  add(
    'notify <channel> [what]',
    'what of a channel you are told: all, mentions (at first), or none',
    ["islander channel notify '#general'", "islander channel notify '#general' none"],
    (command) => command,
    async (context, [place = '', what]) => {
      const chosen = notifyChoices.find((each) => each === what);
      if (what !== undefined && chosen === undefined)
        throw usage(context.terminal, 'It is all, mentions or none.');
      await atPlace(context, place, async ({ islander, place: { channel, state }, terminal }) => {
        if (chosen) await islander.channels.setNotify(channel.channel, chosen);
        const notify = await islander.channels.notify(channel.channel);
        terminal.say(`${channelText(channel)}: ${notify}.`, {
          ...{
            type: 'notify',
            server: state.space,
            channel: channel.channel,
            name: channel.name,
            notify,
          },
        });
      });
    },
  );
}

export const channelGroup: CommandGroup = {
  name: 'channel',
  about:
    'the channels of a server: which there are, making and changing them, who may do what there',
  commands: [
    listCommand,
    addCommand,
    setCommand,
    moveCommand,
    removeCommand,
    permissionCommands,
    rekeyCommand,
    notifyCommand,
    differencesCommand,
  ],
  groups: [categoryGroup],
};
