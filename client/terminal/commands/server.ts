/** `islander server`: the servers that you are in. docs/protocol/channel.md */

import type { AddCommand, CommandGroup } from '../command.ts';
import { clockTime } from '../dates.ts';
import { openHome } from '../home.ts';
import { rows } from '../rows.ts';
import { atServer, confirmed, ofRightForm, typedAgain } from '../servers/act.ts';
import { toldLog } from '../servers/audit.ts';
import { memberNamed } from '../servers/naming.ts';
import { channelRow, channelsInOrder, nameIn, serverObject, titleOf } from '../servers/shown.ts';
import { inviteCommands } from './server/invites.ts';
import { memberCommands } from './server/members.ts';
import { roleGroup } from './server/roles.ts';

function createCommand(add: AddCommand): void {
  add(
    'create <title...>',
    'begins a server, with a channel #general; you are its owner',
    ['islander server create Book club', "islander server invite 'Book club'"],
    (command) => command,
    async (context, words) => {
      await using home = await openHome(context);
      const { spaces, account } = home.islander;
      const state = await ofRightForm(() => spaces.create(words.join(' '), context.signal));
      context.terminal.say(
        `${titleOf(state)} has begun, with a channel #general. To let others in: islander server invite '${titleOf(state)}'`,
        serverObject(state, account.account),
      );
    },
  );
}

function listCommand(add: AddCommand): void {
  add(
    'list',
    'the servers that you are in',
    ['islander server list', 'islander server list --json'],
    (command) => command,
    async (context) => {
      const { terminal } = context;
      await using home = await openHome(context);
      const { spaces, account } = home.islander;
      const all = await spaces.refresh(context.signal);
      if (terminal.json) {
        for (const each of all) terminal.say('', serverObject(each, account.account));
        return;
      }
      const count = (n: number, what: string) => `${n} ${what}${n === 1 ? '' : 's'}`;
      const table = rows(
        all.map((state) => {
          const { members, channels } = serverObject(state, account.account);
          const whose =
            state.owner === account.account ? 'yours' : `of ${nameIn(state, state.owner)}`;
          const marks = [whose, ...(state.closed ? ['deleted'] : [])];
          const counts = [count(members, 'member'), count(channels, 'channel')];
          return [titleOf(state), ...counts, marks.join(', '), state.space.slice(0, 8)];
        }),
      );
      terminal.say(
        all.length > 0
          ? table
          : 'You are on no server. Begin one with islander server create TITLE, or come by a link: islander server join LINK',
        {},
      );
    },
  );
}

function showCommand(add: AddCommand): void {
  add(
    'show <server>',
    'a server: whose it is, who is in it, its channels',
    ["islander server show 'Book club'", 'islander server show book --json'],
    (command) => command,
    async (context, [server = '']) => {
      await atServer(context, server, async ({ state, islander, terminal }) => {
        const self = islander.account.account;
        const channels = channelsInOrder(state, self);
        const { members, owner } = serverObject(state, self);
        const lines = [
          `${titleOf(state)}${state.joinLocked ? ' · joining is locked' : ''}${state.closed ? ' · deleted' : ''}`,
          rows([
            ['Owner', state.owner === self ? 'you' : owner],
            ['Members', String(members)],
            ['Changes', String(state.seq)],
            ['Id', state.space],
          ]),
          '',
          rows(channels.map((each) => channelRow(state, each))),
        ];
        const allowed = channels.map(({ name, kind, channel }) => ({ name, kind, channel }));
        terminal.say(lines.join('\n'), { ...serverObject(state, self), list: allowed });
      });
    },
  );
}

function joinCommand(add: AddCommand): void {
  add(
    'join <link>',
    'comes to a server by the link of an invite',
    ["islander server join 'island://…/space?…'", "islander server join 'island://…' --bot"],
    (command) => command.option('--bot', 'others see that you are a program'),
    async (context, [link = ''], { bot }) => {
      await using home = await openHome(context);
      const { spaces, account } = home.islander;
      const state = await spaces.join(link, { bot: bot === true }, context.signal);
      const [first] = channelsInOrder(state, account.account).filter(({ kind }) => kind === 'text');
      const next = first ? ` To talk: islander chat '${titleOf(state)}/#${first.name}'` : '';
      context.terminal.say(
        `You are on ${titleOf(state)}, one of ${state.members.size} members.${next}`,
        { ...serverObject(state, account.account), type: 'joined' },
      );
    },
  );
}

function leaveCommand(add: AddCommand): void {
  add(
    'leave <server>',
    'leaves a server; what was written there stays in your home',
    ["islander server leave 'Book club'", "islander server leave 'Book club' --yes"],
    (command) => command.option('--yes', 'without asking'),
    async (context, [server = ''], options) => {
      await atServer(context, server, async ({ state, islander, act, terminal }) => {
        const title = titleOf(state);
        await confirmed(context, options, `You can come back to ${title} only with an invite.`);
        await act({ op: 'leave' });
        await islander.spaces.refresh(context.signal);
        terminal.say(`You have left ${title}.`, { type: 'left', server: state.space, title });
      });
    },
  );
}

function settingCommands(add: AddCommand): void {
  add(
    'rename <server> <title...>',
    'gives a server another name, for everybody',
    ["islander server rename 'Book club' Readers"],
    (command) => command,
    async (context, [server = '', ...words]) => {
      await atServer(context, server, async ({ state, act, terminal }) => {
        const title = words.join(' ');
        await act({ op: 'settings', title, joinLocked: state.joinLocked });
        terminal.say(`${titleOf(state)} is called ${titleOf({ title })} now.`, {
          ...{ type: 'server-changed', server: state.space, title, locked: state.joinLocked },
        });
      });
    },
  );
  for (const joinLocked of [true, false])
    add(
      `${joinLocked ? 'lock' : 'unlock'} <server>`,
      joinLocked
        ? 'nobody can join any more, with whatever invite'
        : 'who has an invite can join again',
      [`islander server ${joinLocked ? 'lock' : 'unlock'} 'Book club'`],
      (command) => command,
      async (context, [server = '']) => {
        await atServer(context, server, async ({ state, act, terminal }) => {
          const { title } = state;
          await act({ op: 'settings', title, joinLocked });
          terminal.say(
            joinLocked
              ? `Nobody can join ${titleOf(state)} any more. To undo that: islander server unlock`
              : `Who has an invite can join ${titleOf(state)} again.`,
            { type: 'server-changed', server: state.space, title, locked: joinLocked },
          );
        });
      },
    );
}

function endCommands(add: AddCommand): void {
  add(
    'delete <server>',
    'ends a server for everybody, for good; asks for its name first',
    ["islander server delete 'Book club'"],
    (command) =>
      command.option('--name <title>', 'its name, typed once more, where nobody is asked'),
    async (context, [server = ''], options) => {
      await atServer(context, server, async ({ state, islander, act, terminal }) => {
        const { title } = state;
        terminal.stderr.write(
          `This ends ${titleOf(state)} for all ${state.members.size} members, for good. The island erases its posts in a week.\n`,
        );
        await typedAgain(context, options, 'The name of the server, to go on: ', title);
        await act({ op: 'close' });
        await islander.spaces.refresh(context.signal);
        terminal.say(`${titleOf(state)} is gone.`, {
          ...{ type: 'server-deleted', server: state.space, title },
        });
      });
    },
  );
  add(
    'give <server> <name>',
    'gives a server to another member, who is its owner then',
    ["islander server give 'Book club' bob"],
    (command) => command.option('--yes', 'without asking'),
    async (context, [server = '', name = ''], options) => {
      await atServer(context, server, async ({ state, act, terminal }) => {
        const { account } = memberNamed(state, name);
        await confirmed(
          context,
          options,
          `${titleOf(state)} will be ${name}'s: only ${name} could give it back.`,
        );
        await act({ op: 'owner', account });
        terminal.say(`${titleOf(state)} is ${name}'s now.`, {
          ...{ type: 'server-given', server: state.space, title: state.title, to: name },
        });
      });
    },
  );
}

function auditCommand(add: AddCommand): void {
  add(
    'audit <server>',
    'what was done on a server: each act, by whom, when; every one was signed by a device of theirs',
    ["islander server audit 'Book club'", "islander server audit 'Book club' --last 20"],
    (command) => command.option('--last <n>', 'only so many, the newest', '100'),
    async (context, [server = ''], { last }) => {
      await atServer(context, server, async ({ state, islander, terminal }) => {
        const all = await Array.fromAsync(toldLog(islander.spaces.log(state.space)));
        const most = Math.max(1, Math.trunc(Number(last)) || 100);
        for (const each of all.slice(-most)) {
          const line = `${String(each.seq).padStart(4)}  ${clockTime(each.time * 1000)}  ${each.by} ${each.text}`;
          terminal.say(line, { type: 'act', server: state.space, title: state.title, ...each });
        }
      });
    },
  );
}

export const serverGroup: CommandGroup = {
  name: 'server',
  about: 'servers: begin one, join by a link, invite, members, roles, what was done',
  commands: [
    createCommand,
    listCommand,
    showCommand,
    joinCommand,
    leaveCommand,
    settingCommands,
    endCommands,
    auditCommand,
    inviteCommands,
    memberCommands,
  ],
  groups: [roleGroup],
};
