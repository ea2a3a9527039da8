/** `islander send '#general'`: posts, with files and answers. */

import { openEnclosures } from '../../attachments/enclosing.ts';
import { Problem } from '../../problem.ts';
import { PartlyFailed } from '../partly-failed.ts';
import { progressOn } from '../progress.ts';
import { type AtPlace, readPlace } from './at-place.ts';
import { placeText } from './post-lines.ts';
import { departedPosts, postCalled, targetOf, textBody } from './posts.ts';

export interface Sending {
  /** Each is a post; groups of them are queued together. */
  texts: AsyncIterable<string[]> | Iterable<string[]>;
  files: readonly string[];
  /** The number or id of the post that it answers. */
  reply: string | undefined;
}

export async function sendToChannel(at: AtPlace, { texts, files, reply }: Sending): Promise<void> {
  const { terminal, islander, storage, place, signal } = at;
  const { channels } = islander;
  const { space } = place.state;
  const id = place.channel.channel;
  if (reply !== undefined) await readPlace(at);
  const answered = reply === undefined ? undefined : await postCalled(islander, place, reply);
  const more = answered ? { reply: targetOf(answered) } : {};
  const ids: string[] = [];
  const queued = (post: string): void => {
    ids.push(post);
    if (terminal.json) terminal.say('', { type: 'queued', to: placeText(place), id: post });
  };
  for await (const group of texts)
    for (const text of group) {
      if (files.length === 0) queued(await channels.post(space, id, textBody(place, text, more)));
      else queued(await encloseIn(at, text, files, more));
    }
  islander.startSending();
  let [sent, failed] = [0, 0];
  const work = async () => {
    for await (const { id: post, state, seq, reason } of departedPosts(storage, ids, signal)) {
      if (state === 'sent') sent += 1;
      else failed += 1;
      const to = placeText(place);
      if (terminal.json)
        terminal.say(
          '',
          state === 'sent'
            ? { type: 'sent', to, id: post, seq }
            : { type: 'failed', to, id: post, reason },
        );
      else if (state === 'failed') terminal.stderr.write(`islander: ${reason ?? 'Not sent.'}\n`);
    }
  };
  await Promise.race([work(), islander.failed]);
  if (sent + failed < ids.length) {
    terminal.status(
      'queued',
      'Not sent yet: it stays queued and goes out with the next send, listen or chat.',
    );
    throw new PartlyFailed();
  }
  if (!terminal.json && sent > 0)
    terminal.stdout.write(
      sent === 1
        ? `✓ Posted in ${placeText(place)}.\n`
        : `✓ ${sent} posts in ${placeText(place)}.\n`,
    );
  if (failed > 0) throw new PartlyFailed();
}

/** Files as with a direct message, said in the channel; resolves with the id of the post. */
export function encloseIn(
  {
    islander,
    storage,
    place,
    terminal,
    signal,
  }: Pick<AtPlace, 'islander' | 'storage' | 'place' | 'terminal' | 'signal'>,
  text: string,
  files: readonly string[],
  more: Parameters<typeof textBody>[2] = {},
  onProgress = progressOn(terminal),
): Promise<string> {
  const { channels, transport, wallet } = islander;
  const { state, channel } = place;
  const enclosures = openEnclosures({
    ...{ storage, transport, wallet },
    async check() {
      if (!state.channels.has(channel.channel))
        throw new Problem('channel_unknown', { channel: channel.name, title: state.title });
    },
    say: (_, said, { attachments }) =>
      channels.post(
        state.space,
        channel.channel,
        textBody(place, said, { ...more, ...(attachments && { attachments }) }),
      ),
  });
  return enclosures.enclose(`#${channel.channel}`, files, { text, onProgress, signal });
}
