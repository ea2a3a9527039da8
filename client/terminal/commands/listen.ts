/** `islander listen`: shows what comes. */
import { InvalidArgumentError } from 'commander';
import { happenings } from '../../conversation/happenings.ts';
import { placeAt } from '../../conversation/places.ts';
import { openTold } from '../../conversation/told.ts';
import { type Arrival, arrivals } from '../../messages/arrivals.ts';
import { arrivedPosts } from '../channels/arriving.ts';
import { postLine, postObject } from '../channels/post-lines.ts';
import type { AddCommand, Context } from '../command.ts';
import { type Home, openHome } from '../home.ts';
import { explainRequest, requestsIn } from '../requests.ts';
import { arrivalLine, arrivalObject, happeningLine } from '../terminal.ts';

export function listenCommand(add: AddCommand): void {
  add(
    'listen',
    'shows messages and posts as they come, first those that you have not seen',
    ['islander listen', 'islander listen --count 1 --json'],
    (command) => command.option('--count <n>', 'ends after so many messages', toCount),
    async (context, _args, { count }) => {
      await using home = await openHome(context);
      await listen(context, home, typeof count === 'number' ? count : Number.POSITIVE_INFINITY);
    },
  );
}

/** Until so many messages were shown, or aborted. */
export async function listen(
  { terminal, signal }: Pick<Context, 'terminal' | 'signal'>,
  { islander, storage }: Pick<Home, 'islander' | 'storage'>,
  count: number,
): Promise<void> {
  const { conversations, channels } = islander;
  // A program may show it to somebody, or to nobody: only a person at a terminal has seen it.
  const seen = !terminal.json && terminal.stdout.isTTY === true;
  const done = new AbortController();
  const either = AbortSignal.any([signal, done.signal]);
  const told = await openTold(storage);
  let left = count;

  async function showArrivals(): Promise<void> {
    for await (const group of arrivals(storage, signal, { most: () => left })) {
      const requests = await requestsIn(conversations, group);
      for (const arrival of group) {
        const request = arrival.type === 'message' && requests.has(arrival.from);
        terminal.say(arrivalLine(arrival, request), arrivalObject(arrival, request));
        if (arrival.type === 'message') left -= 1;
      }
      told.add(group.map(({ key }) => key));
      for (const name of requests) explainRequest(terminal, name, 'command');
      if (!seen) continue;
      for (const [name, upTo] of newestOf(group)) await conversations.read(name, upTo);
    }
  }

  async function showPosts(): Promise<void> {
    for await (const group of arrivedPosts(islander, storage, either)) {
      for (const { place, post } of group) {
        const quiet = (await channels.notify(place.channel.channel)) === 'none';
        if (!quiet || terminal.json) terminal.say(postLine(place, post), postObject(place, post));
        if (!('hidden' in post)) left -= 1;
      }
      const last = group.at(-1);
      if (seen && last?.post.seq) await channels.read(last.place.channel.channel, last.post.seq);
      if (left <= 0) return;
    }
  }

  async function showHappenings(): Promise<void> {
    for await (const happening of happenings(storage, either, { told }))
      terminal.say(happeningLine(happening), { ...happening });
  }

  islander.startReceiving();
  islander.startSending();
  const telling = showHappenings();
  const posting = showPosts();
  try {
    await Promise.race([showArrivals(), posting, islander.failed, telling]);
  } finally {
    done.abort();
    await Promise.all([telling, posting]);
  }
}

/** By person, the place of the last message. */
function newestOf(group: readonly Arrival[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const each of group) {
    if (each.type !== 'message') continue;
    const at = placeAt(each.receivedAt, each.key);
    if (at > (found.get(each.from) ?? '')) found.set(each.from, at);
  }
  return found;
}

function toCount(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new InvalidArgumentError('It has to be a whole number from 1.');
  return value;
}
