/** `islander channel differences`: what keeps a channel from being posted in, and going on. docs/protocol/channel.md §7 */
import type { Difference } from '../../../channels/differences.ts';
import { atPlace } from '../../channels/at-place.ts';
import type { AddCommand } from '../../command.ts';
import { confirmed } from '../../servers/act.ts';
import { channelText } from '../../servers/shown.ts';

const words: Record<Difference['why'], string> = {
  feed: 'the island has changed what it had shown this device before',
  order: 'posts of one device stand in another order than it made them in',
  seen: 'a member has been shown other posts than this device, or says so',
  log: 'a member has been shown another history of the server, or says so',
};

export function differencesCommand(add: AddCommand): void {
  add(
    'differences <channel>',
    'what the island shows differently to different members, and going on in spite of it',
    ["islander channel differences '#general'", "islander channel differences '#general' --go-on"],
    (command) =>
      command
        .option('--go-on', 'post again, after you have asked the others by another way')
        .option('--yes', 'without asking'),
    async (context, [place = ''], options) => {
      await atPlace(context, place, async ({ islander, place: { channel, state }, terminal }) => {
        const found = await islander.channels.difference(channel.channel);
        const where = channelText(channel);
        const what = { type: 'difference', server: state.space, channel: channel.channel };
        if (!found) {
          terminal.say(`${where}: everybody sees the same, as far as this device knows.`, what);
          return;
        }
        const who = found.by && state.members.get(found.by as never)?.name;
        const said = `${words[found.why]}, at ${found.seq}${who ? ` (${who})` : ''}`;
        terminal.say(`${where}: ${said}.`, { ...what, why: found.why, seq: found.seq, by: who });
        if (options['goOn'] !== true) return;
        const question = `Ask the others first, by another way than this island, what they see in ${where}.`;
        await confirmed(context, options, question);
        await islander.channels.acknowledge(channel.channel);
        terminal.say(`You can post in ${where} again.`, { ...what, type: 'difference-passed' });
      });
    },
  );
}
