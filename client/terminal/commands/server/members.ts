/** `islander server members`, and what moderators do. docs/protocol/channel.md §3.3 */
import type { SpaceOp } from '@island/protocol/space/space-op.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { Problem } from '../../../problem.ts';
import { durationText, parseDuration } from '../../amounts.ts';
import type { AddCommand } from '../../command.ts';
import { given } from '../../credentials.ts';
import { rows } from '../../rows.ts';
import { type AtServer, atServer, confirmed } from '../../servers/act.ts';
import { memberNamed } from '../../servers/naming.ts';
import { memberMarks, memberObject, membersInOrder, titleOf } from '../../servers/shown.ts';
import { usage } from '../../usage.ts';

/** What a moderator does with one member, in one entry. */
interface Act {
  usage: string;
  about: string;
  type: string;
  reason: boolean;
  ask?: (name: string, title: string) => string;
  op: (account: AccountId, reason: string) => SpaceOp;
  sentence: (name: string, title: string) => string;
}

const acts: readonly Act[] = [
  {
    ...{
      usage: 'kick',
      about: 'removes a member; they can come back with an invite',
      type: 'kicked',
    },
    reason: true,
    op: (account, reason) => ({ op: 'kick', account, reason }),
    sentence: (name, title) =>
      `${name} is not on ${title} any more, and reads nothing that follows.`,
  },
  {
    ...{ usage: 'ban', about: 'removes somebody and keeps them out', type: 'banned', reason: true },
    ask: (name, title) => `${name} will be removed from ${title} and kept out.`,
    op: (account, reason) => ({ op: 'ban', account, reason }),
    sentence: (name, title) =>
      `${name} is banned from ${title}. To undo that: islander server unban`,
  },
  {
    ...{
      usage: 'mute',
      about: 'silences a member in voice channels',
      type: 'muted',
      reason: false,
    },
    op: (account) => ({ op: 'mute', account, muted: true }),
    sentence: (name, title) => `${name} is muted on ${title}.`,
  },
  {
    ...{ usage: 'unmute', about: 'lets a member speak again', type: 'unmuted', reason: false },
    op: (account) => ({ op: 'mute', account, muted: false }),
    sentence: (name, title) => `${name} can speak on ${title} again.`,
  },
];

export function memberCommands(add: AddCommand): void {
  membersCommand(add);
  for (const act of acts) actCommand(add, act);
  timeoutCommand(add);
  unbanCommand(add);
  readmitCommand(add);
}

function membersCommand(add: AddCommand): void {
  add(
    'members <server>',
    'who is on a server, with their roles',
    ["islander server members 'Book club'", 'islander server members book --json'],
    (command) => command,
    async (context, [server = '']) => {
      await atServer(context, server, async ({ state, terminal }) => {
        const all = membersInOrder(state);
        if (terminal.json) {
          for (const [account, member] of all)
            terminal.say('', memberObject(state, account, member));
          return;
        }
        const now = Date.now();
        const marks = (account: AccountId) => memberMarks(state, account, now).join(', ');
        terminal.say(rows(all.map(([account, { name }]) => [name, marks(account)])), {});
      });
    },
  );
}

function actCommand(add: AddCommand, { usage: word, about, type, reason, ask, op, sentence }: Act) {
  add(
    `${word} <server> <name>`,
    about,
    [
      `islander server ${word} 'Book club' mallory`,
      ...(reason ? [`islander server ${word} 'Book club' mallory --reason spam`] : []),
    ],
    (command) => {
      if (reason) command.option('--reason <text>', 'why; every member and the island can read it');
      return ask ? command.option('--yes', 'without asking') : command;
    },
    async (context, [server = '', name = ''], options) => {
      await atServer(context, server, async ({ state, act, terminal, islander }) => {
        const account = await accountOf({ state, islander }, name, word === 'ban', context.signal);
        if (ask) await confirmed(context, options, ask(name, titleOf(state)));
        await act(op(account, given(options['reason']) ?? ''));
        terminal.say(sentence(name, titleOf(state)), {
          ...{ type, server: state.space, title: state.title, name },
        });
      });
    },
  );
}

/** Who is no member can be kept out as well. */
async function accountOf(
  { state, islander }: Pick<AtServer, 'state' | 'islander'>,
  name: string,
  anybody: boolean,
  signal: AbortSignal,
): Promise<AccountId> {
  try {
    return memberNamed(state, name).account;
  } catch (error) {
    if (!anybody) throw error;
    return (await islander.people.find(name, signal)).account;
  }
}

function timeoutCommand(add: AddCommand): void {
  add(
    'timeout <server> <name>',
    'a member can read but not post for a while, 28 days at most; --for off ends it',
    [
      "islander server timeout 'Book club' mallory --for 1h --reason 'calm down'",
      "islander server timeout 'Book club' mallory --for off",
    ],
    (command) =>
      command
        .requiredOption('--for <time>', 'how long: 10m, 1h, 1d; off ends it')
        .option('--reason <text>', 'why; every member and the island can read it'),
    async (context, [server = '', name = ''], options) => {
      const seconds = parseDuration(String(options['for']));
      if (seconds === undefined)
        throw usage(context.terminal, '--for is a time like 10m, 1h or 1d, or off.');
      await atServer(context, server, async ({ state, act, terminal }) => {
        const { account } = memberNamed(state, name);
        const until = seconds === 0 ? 0 : Math.floor(Date.now() / 1000) + seconds;
        await act({ op: 'timeout', account, until, reason: given(options['reason']) ?? '' });
        const title = titleOf(state);
        terminal.say(
          until === 0
            ? `${name} can post on ${title} again.`
            : `${name} posts nothing on ${title} for ${durationText(seconds)}.`,
          { type: 'paused', server: state.space, title: state.title, name, until },
        );
      });
    },
  );
}

function unbanCommand(add: AddCommand): void {
  add(
    'unban <server> <name>',
    'takes a ban back; they can come again with an invite',
    ["islander server unban 'Book club' mallory"],
    (command) => command,
    async (context, [server = '', name = '']) => {
      await atServer(context, server, async ({ state, act, terminal, islander }) => {
        const title = titleOf(state);
        const names = await namesOf(islander, state.space);
        const account = [...state.bans].find((each) => names.get(each) === name);
        if (account === undefined) throw new Problem('not_banned', { name, title });
        await act({ op: 'unban', account });
        terminal.say(`${name} can come to ${title} again.`, {
          ...{ type: 'unbanned', server: state.space, title: state.title, name },
        });
      });
    },
  );
}

/** Who is banned is no member any more: they are called as they came, or as they were met. */
async function namesOf(
  { spaces, people }: AtServer['islander'],
  space: AtServer['state']['space'],
): Promise<Map<AccountId, string>> {
  const names = new Map<AccountId, string>();
  for (const account of (await spaces.known(space)).bans) {
    const met = await people.known(account);
    if (met) names.set(account, met.name);
  }
  for await (const { op, actor } of spaces.log(space))
    if (op.op === 'join') names.set(actor, op.name);
  return names;
}

function readmitCommand(add: AddCommand): void {
  add(
    'readmit <server> <name>',
    'gives keys again to a member who began anew, once you have accepted them',
    ['islander accept bob', "islander server readmit 'Book club' bob"],
    (command) => command,
    async (context, [server = '', name = '']) => {
      await atServer(context, server, async ({ state, act, terminal, islander }) => {
        const { account } = memberNamed(state, name);
        const { list } = await islander.people.refresh(name, context.signal);
        await act({ op: 'readmit', account, aik: list.aik, resets: list.resetCounter });
        terminal.say(`${name} is a member of ${titleOf(state)} again, with new keys.`, {
          ...{ type: 'readmitted', server: state.space, title: state.title, name },
        });
      });
    },
  );
}
