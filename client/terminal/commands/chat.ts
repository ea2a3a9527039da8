/** `islander chat`: a conversation with one person; in a window at a terminal, else line by line. */
import { channelStream } from '../chat/channel/channel-stream.ts';
import { channelWindow } from '../chat/channel/channel-window.ts';
import { chatStream } from '../chat/stream.ts';
import { chatWindow } from '../chat/window.ts';
import type { AddCommand } from '../command.ts';
import { openHome } from '../home.ts';
import { isChannelName } from '../servers/naming.ts';

export function chatCommand(add: AddCommand): void {
  add(
    'chat <name>',
    'a conversation with a person, or in a channel: what was said, what comes, and what you write',
    [
      'islander chat bob',
      "islander chat '#general'",
      'islander chat bob --plain',
      'islander chat bob --json < lines.txt',
      'echo "/attach plan.pdf Here it is" | islander chat bob --commands',
    ],
    (command) =>
      command
        .option(
          '--plain',
          'line by line, without a window: for screen readers and simple terminals',
        )
        .option(
          '--commands',
          'lines that begin with / are commands in a pipe, too (/help lists them)',
        ),
    async (context, [name = ''], { plain, commands }) => {
      const { stdin, stdout, json } = context.terminal;
      const person = stdin.isTTY === true && stdout.isTTY === true && !json;
      const windows = person && plain !== true;
      if (isChannelName(name)) {
        const next = windows ? await channelWindow(context, name) : undefined;
        if (!windows) return channelStream(context, name);
        return next === undefined ? undefined : chatWindow(context, next);
      }
      if (windows) return chatWindow(context, name);
      await using home = await openHome(context);
      await chatStream(context, home, name, { commands: person || commands === true, person });
    },
  );
}
