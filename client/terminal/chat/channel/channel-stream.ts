/** A channel line by line: every line of input is a post, what others post is a line of output. */
import { createInterface } from 'node:readline';
import { arrivedPosts } from '../../channels/arriving.ts';
import { atPlace } from '../../channels/at-place.ts';
import { placeText, postLine, postObject } from '../../channels/post-lines.ts';
import { departedPosts, textBody } from '../../channels/posts.ts';
import type { Context } from '../../command.ts';
import { PartlyFailed } from '../../partly-failed.ts';
import { channelText } from '../../servers/shown.ts';

export async function channelStream(context: Context, name: string): Promise<void> {
  await atPlace(context, name, async ({ islander, storage, place, terminal, signal }) => {
    const { channels } = islander;
    const { space } = place.state;
    const id = place.channel.channel;
    const done = new AbortController();
    const either = AbortSignal.any([signal, done.signal]);
    const to = placeText(place);
    const following: Promise<void>[] = [];
    let failures = 0;
    const person =
      terminal.stdin.isTTY === true && terminal.stdout.isTTY === true && !terminal.json;

    async function follow(post: string): Promise<void> {
      for await (const { state, seq, reason } of departedPosts(storage, [post], either)) {
        if (state === 'failed') failures += 1;
        const failed = { type: 'failed', to, id: post, reason };
        const object = state === 'failed' ? failed : { type: 'sent', to, id: post, seq };
        if (terminal.json || state === 'failed') terminal.say(`✗ ${reason ?? 'Not sent.'}`, object);
      }
    }

    async function show(): Promise<void> {
      for await (const group of arrivedPosts(islander, storage, either, id))
        for (const each of group) {
          const line = postLine(each.place, each.post, channelText(each.place.channel));
          terminal.say(line, postObject(each.place, each.post));
          if (person && each.post.seq !== undefined) await channels.read(id, each.post.seq);
        }
    }

    async function takeLines(): Promise<void> {
      const input = createInterface({ input: terminal.stdin });
      either.addEventListener('abort', () => input.close(), { once: true });
      for await (const line of input) {
        if (line.trim() === '' || either.aborted) continue;
        const post = await channels.post(space, id, textBody(place, line));
        if (terminal.json) terminal.say('', { type: 'queued', to, id: post });
        following.push(follow(post));
      }
      await Promise.all(following);
    }

    islander.startSending();
    islander.startReceiving();
    const showing = show();
    try {
      await Promise.race([takeLines(), islander.failed, showing]);
    } finally {
      done.abort();
      await showing;
    }
    if (failures > 0 && !person) throw new PartlyFailed();
  });
}
