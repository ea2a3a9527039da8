/** `islander channel allow`, `deny`, `inherit`: who may do what in one channel. docs/protocol/channel.md §4 */
import type { AddCommand } from '../../command.ts';
import { atChannel, whomNamed, withOverride, withoutOverride } from '../../servers/at-channel.ts';
import { permissionSum } from '../../servers/naming.ts';
import { channelObject, channelText } from '../../servers/shown.ts';

export function permissionCommands(add: AddCommand): void {
  for (const word of ['allow', 'deny'] as const)
    add(
      `${word} <channel> <who> <permissions...>`,
      word === 'allow'
        ? 'what a role or a member may do in a channel besides'
        : 'what a role or a member may not do in a channel',
      word === 'allow'
        ? [
            "islander channel allow '#plans' readers view post",
            "islander channel allow '#plans' bob pin",
          ]
        : [
            "islander channel deny '#news' everyone post",
            "islander channel deny '#plans' everyone view",
          ],
      (command) => command,
      async (context, [place = '', who = '', ...words]) => {
        const sum = permissionSum(words);
        await atChannel(context, place, async ({ state, channel, change, terminal }) => {
          const whom = whomNamed(state, who);
          const overrides = withOverride(channel.overrides, whom, { [word]: sum });
          const now = await change({ overrides });
          terminal.say(
            `${who} ${word === 'allow' ? 'may' : 'may not'} ${words.join(' ')} in ${channelText(channel)}.`,
            channelObject(now.state, now.channel),
          );
        });
      },
    );
  add(
    'inherit <channel> <who>',
    'a role or a member may do in a channel what they may elsewhere',
    ["islander channel inherit '#plans' readers"],
    (command) => command,
    async (context, [place = '', who = '']) => {
      await atChannel(context, place, async ({ state, channel, change, terminal }) => {
        const overrides = withoutOverride(channel.overrides, whomNamed(state, who));
        const now = await change({ overrides });
        terminal.say(
          `${who} may do in ${channelText(channel)} what ${who} may elsewhere.`,
          channelObject(now.state, now.channel),
        );
      });
    },
  );
}
