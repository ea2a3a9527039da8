/** `islander server invite`, `invites`, `revoke`: how others come. docs/protocol/channel.md §3.2 */
import { durationText, parseDuration } from '../../amounts.ts';
import type { AddCommand, Context } from '../../command.ts';
import { minute } from '../../dates.ts';
import { qrCode } from '../../qr-code.ts';
import { rows } from '../../rows.ts';
import { atServer } from '../../servers/act.ts';
import { inviteNamed, roleNamed } from '../../servers/naming.ts';
import { inviteObject, nameIn, roleName, titleOf } from '../../servers/shown.ts';
import { usage } from '../../usage.ts';

export function inviteCommands(add: AddCommand): void {
  add(
    'invite <server>',
    'makes a link by which others come; the island never sees it',
    [
      "islander server invite 'Book club'",
      "islander server invite 'Book club' --uses 1 --expires 1d --role readers",
      "islander server invite 'Book club' --expires never --qr",
    ],
    (command) =>
      command
        .option('--uses <n>', 'how many can come by it (0: any number)', '0')
        .option('--expires <time>', 'how long it stands: 2h, 7d, 4w, or never', '7d')
        .option('--role <role>', 'a role that those are given who come by it')
        .option('--qr', 'shows it as a code to scan, too'),
    async (context, [server = ''], { uses, expires, role, qr }) => {
      const count = Number(uses);
      if (!Number.isInteger(count) || count < 0 || count > 100_000)
        throw usage(context.terminal, '--uses is a whole number, 0 for any.');
      const seconds = lasting(context, String(expires));
      await atServer(context, server, async ({ state, islander, terminal }) => {
        const given = typeof role === 'string' ? roleNamed(state, role) : undefined;
        const until = seconds === 0 ? 0 : Math.floor(Date.now() / 1000) + seconds;
        const terms = { expires: until, uses: count, role: given?.role ?? 0 };
        const link = await islander.spaces.invite(state.space, terms, context.signal);
        const said = [
          count === 0
            ? 'Whoever has it can join'
            : count === 1
              ? 'One can join'
              : `${count} can join`,
          seconds === 0 ? 'at any time' : `for ${durationText(seconds)}`,
          ...(given ? [`as ${roleName(state, given.role)}`] : []),
        ].join(', ');
        if (!terminal.json) terminal.stderr.write(`${said}: islander server join '…'\n`);
        terminal.say(qr === true ? `${qrCode(link)}\n${link}` : link, {
          ...{ type: 'server-link', server: state.space, title: state.title, link, ...terms },
          ...(given && { role: given.name }),
        });
      });
    },
  );
  add(
    'invites <server>',
    'the invites that there are, by whom, how often they were used',
    ["islander server invites 'Book club'"],
    (command) => command,
    async (context, [server = '']) => {
      await atServer(context, server, async ({ state, terminal }) => {
        const all = [...state.invites.values()];
        if (terminal.json) {
          for (const each of all) terminal.say('', inviteObject(state, each));
          return;
        }
        const table = rows(
          all.map((each) => [
            inviteObject(state, each).invite,
            `by ${nameIn(state, each.by)}`,
            `used ${each.used}${each.uses > 0 ? ` of ${each.uses}` : ''}`,
            each.expires > 0 ? `until ${minute(each.expires * 1000)} (UTC)` : 'for ever',
            each.role > 0 ? `as ${roleName(state, each.role)}` : '',
          ]),
        );
        terminal.say(all.length > 0 ? table : `There are no invites to ${titleOf(state)}.`, {});
      });
    },
  );
  add(
    'revoke <server> <invite>',
    'takes an invite back: nobody comes by it any more; who came stays',
    ["islander server revoke 'Book club' 5f0c2a91"],
    (command) => command,
    async (context, [server = '', invite = '']) => {
      await atServer(context, server, async ({ state, act, terminal }) => {
        const found = inviteNamed(state, invite);
        await act({ op: 'inviteGone', key: found.key });
        terminal.say(`Nobody comes to ${titleOf(state)} by that invite any more.`, {
          ...inviteObject(state, found),
          type: 'server-invite-revoked',
        });
      });
    },
  );
}

function lasting({ terminal }: Context, text: string): number {
  const seconds = text === 'never' ? 0 : parseDuration(text);
  if (seconds === undefined || (seconds === 0 && text !== 'never'))
    throw usage(terminal, '--expires is a time like 2h, 7d or 4w, or never.');
  return seconds;
}
