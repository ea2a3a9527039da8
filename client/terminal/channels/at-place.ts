/** Commands about what is said in a channel: the channel by its name, work done, what was queued sent. */

import { Fault } from '@island/protocol/wire/fault.ts';
import { eraseRemoved } from '../../channels/erasing.ts';
import { ownPosts } from '../../channels/post-rows.ts';
import { Problem } from '../../problem.ts';
import type { Context } from '../command.ts';
import { type Home, openHome } from '../home.ts';
import { type ChannelPlace, placeNamed } from '../servers/naming.ts';
import { type Acts, actsIn, departedPosts } from './posts.ts';

export interface AtPlace extends Context {
  home: string;
  storage: Home['storage'];
  islander: Home['islander'];
  place: ChannelPlace;
  acts: Acts;
}

/** Milliseconds that a command waits for keys that are on their way. */
const patience = 4_000;

export async function atPlace(
  context: Context,
  name: string,
  work: (at: AtPlace) => Promise<void>,
): Promise<void> {
  await using home = await openHome(context);
  const { islander, storage } = home;
  const place = await placeNamed(islander.spaces, name, islander.account.account, context.signal);
  await work({ ...context, islander, storage, place, acts: actsIn(islander, place) });
}

/** What was queued here has left, or it is said that it waits. False: something stays queued. */
export async function allPosted({ islander, storage, signal }: Omit<AtPlace, 'place' | 'acts'>) {
  islander.startSending();
  const ids = (await ownPosts(storage))
    .filter(({ state }) => state === 'queued')
    .map(({ id }) => id);
  const failed: string[] = [];
  const work = async () => {
    for await (const { state, reason } of departedPosts(storage, ids, signal))
      if (state === 'failed') failed.push(reason ?? 'Not sent.');
  };
  await Promise.race([work(), islander.failed]);
  return failed;
}

/** Reads what is new there; what comes with it in the mailbox opens it. */
export async function readPlace({ islander, storage, place, signal }: AtPlace): Promise<void> {
  const { channels, spaces } = islander;
  const { space } = place.state;
  const id = place.channel.channel;
  const name = `#${place.channel.name}`;
  islander.startReceiving();
  islander.startSending();
  const caughtUp = channels.catchUp(space, id, signal).catch(async (error: unknown) => {
    if (!(error instanceof Fault && error.code === 'not_found')) throw error;
    // Somebody took the right away, or sent this person away.
    await spaces.refresh(signal);
    throw new Problem('channel_unknown', { channel: name, title: place.state.title });
  });
  await Promise.race([caughtUp, islander.failed]);
  const { seq } = await spaces.follow(space, signal);
  await eraseRemoved(storage, space, seq);
  const done = AbortSignal.any([signal, AbortSignal.timeout(patience)]);
  const waits = async () =>
    (await channels.view(space, id, { limit: 100 })).posts.some(
      (each) => 'hidden' in each && each.hidden === 'waiting',
    );
  const { promise, resolve } = Promise.withResolvers<void>();
  done.addEventListener('abort', () => resolve(), { once: true });
  const look = async () => {
    if (!(await waits())) resolve();
  };
  using _watch = storage.watch(() => void look().catch(() => undefined));
  await look();
  await promise;
}
