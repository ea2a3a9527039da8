/** `islander read`: for programs, which hear without anybody having seen it. docs/protocol/dm.md §12 */
import { Problem } from '../../problem.ts';
import { atPlace, readPlace } from '../channels/at-place.ts';
import { placeText } from '../channels/post-lines.ts';
import { postCalled } from '../channels/posts.ts';
import { openCalls } from '../chat/calls.ts';
import { Mistake } from '../chat/talk.ts';
import type { AddCommand, Context } from '../command.ts';
import { openHome } from '../home.ts';
import { isChannelName } from '../servers/naming.ts';
import { tellDevices } from '../tell-devices.ts';

export function readCommand(add: AddCommand): void {
  add(
    'read <name> [id]',
    'counts what somebody wrote, or what was said in a channel, as read, up to the message of that id or all of it; a window does that by itself',
    [
      'islander read bob',
      'islander read bob 5f0c2a91',
      "islander read '#general'",
      "islander read '#general' 12",
    ],
    (command) => command,
    async (context, [name = '', id]) => {
      if (isChannelName(name)) return readChannel(context, name, id);
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

async function readChannel(context: Context, name: string, called: string | undefined) {
  await atPlace(context, name, async (at) => {
    const { islander, storage, place, terminal } = at;
    await readPlace(at);
    const { channels } = islander;
    const id = place.channel.channel;
    const { posts } = await channels.view(place.state.space, id, { limit: 1 });
    const upTo = called === undefined ? posts.at(-1) : await postCalled(islander, place, called);
    if (upTo?.seq !== undefined) await channels.read(id, upTo.seq);
    terminal.say(
      `What was said in ${placeText(place)}${called ? ' until then' : ''} counts as read.`,
      {
        ...{ type: 'read', name: place.channel.name, channel: id, seq: upTo?.seq ?? 0 },
      },
    );
    await tellDevices(context, { islander, storage });
  });
}

/** Nobody is at a conversation that is open. */
function unlessMistaken(error: unknown): never {
  throw error instanceof Mistake ? new Problem('message_gone') : error;
}
