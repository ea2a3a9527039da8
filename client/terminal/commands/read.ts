/** `islander read`: for programs, which hear without anybody having seen it. docs/protocol/dm.md §12 */
import { Problem } from '../../problem.ts';
import { openCalls } from '../chat/calls.ts';
import { Mistake } from '../chat/talk.ts';
import type { AddCommand } from '../command.ts';
import { openHome } from '../home.ts';
import { tellDevices } from '../tell-devices.ts';

export function readCommand(add: AddCommand): void {
  add(
    'read <name> [id]',
    'counts what somebody wrote as read, up to the message of that id or all of it; a window does that by itself',
    ['islander read bob', 'islander read bob 5f0c2a91'],
    (command) => command,
    async (context, [name = '', id]) => {
      await using home = await openHome(context);
      const { conversations } = home.islander;
      const upTo = id && (await openCalls(home.islander, name).find(id).catch(unlessMistaken)).at;
      await conversations.read(name, upTo);
      context.terminal.say(`What ${name} wrote${id ? ' until then' : ''} counts as read.`, {
        ...{ type: 'read', name },
        ...(id && { id }),
      });
      await tellDevices(context, home);
    },
  );
}

/** Nobody is at a conversation that is open. */
function unlessMistaken(error: unknown): never {
  throw error instanceof Mistake ? new Problem('message_gone') : error;
}
