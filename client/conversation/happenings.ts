/**
 * What others do in conversations besides saying something, as it comes, for a program that tells it: never
 * before the message that it is done to, which may come later by another way.
 */
import { hex } from '@island/protocol/wire/text.ts';
import { pause } from '../backoff.ts';
import { createBell } from '../bell.ts';
import { actsAfter, type KeptAct, newestAct } from '../messages/acts.ts';
import { readMessage } from '../messages/messages.ts';
import type { Storage } from '../storage/storage.ts';
import { catchUp } from './catch-up.ts';
import { aboutMessage } from './fold.ts';
import { findMessage, keyOfPlace } from './places.ts';
import type { Told } from './told.ts';

export type Happening = { from: string; sentAt: number } & (
  | { type: 'edited'; id: string; text: string }
  | { type: 'deleted'; id: string }
  /** `ours`: on a message of ours. */
  | { type: 'reaction'; id: string; ours: boolean; emoji: string; put: boolean }
  | { type: 'timer'; seconds: number }
);

/** Milliseconds in which they are gathered. */
const gather = 15;

/** Of what is done to messages that may still come, at most; the oldest go. */
const mostHeld = 500;

export interface Heard {
  /** Only what this person does. */
  from?: string;
  /** What is done to a message waits until it is among them. */
  told: Told;
}

/** What comes from now on, until aborted. */
export async function* happenings(
  storage: Storage,
  signal: AbortSignal,
  { from, told }: Heard,
): AsyncGenerator<Happening> {
  using changed = createBell(signal);
  using _watch = storage.watch(changed.ring);
  using _told = told.watch(changed.ring);
  let last = await newestAct(storage);
  let held: KeptAct[] = [];
  while (!signal.aborted) {
    const acts = await actsAfter(storage, last);
    last = acts.at(-1)?.key ?? last;
    const all = [...held, ...acts.filter(({ name }) => from === undefined || name === from)];
    if (all.length > 0) await catchUp(storage);
    held = [];
    for (const act of all) {
      const happening = happeningOf(act);
      if (!happening) continue;
      const when = await whenToTell(storage, act, told);
      if (when === 'now') yield happening;
      else if (when === 'later') held.push(act);
    }
    held = held.slice(-mostHeld);
    if (acts.length > 0) continue;
    await changed.next();
    await pause(gather, signal);
  }
}

/** `later`: its message has not come yet, or has not been told yet. */
async function whenToTell(
  storage: Storage,
  act: KeptAct,
  told: Told,
): Promise<'now' | 'later' | 'never'> {
  const target = aboutMessage(act);
  if (target?.direction !== 'in') return 'now';
  const place = await findMessage(storage, target, act.peer, act.name);
  if (!place) return 'later';
  const message = await readMessage(storage, keyOfPlace(place.at));
  // It was taken back: of what it said nothing is told any more.
  if (message?.type === 'message' && message.deleted)
    return act.body.kind === 'delete' ? 'now' : 'never';
  const comes = message?.type === 'message' && !message.earlier;
  return !comes || told.has(message.key) ? 'now' : 'later';
}

function happeningOf({ direction, name, sentAt, body }: KeptAct): Happening | undefined {
  if (direction === 'out') return undefined;
  const common = { from: name, sentAt };
  switch (body.kind) {
    case 'edit':
      return { ...common, type: 'edited', id: hex(body.id), text: body.text };
    case 'delete':
      return { ...common, type: 'deleted', id: hex(body.id) };
    case 'reaction': {
      const { target, emoji, put } = body;
      const ours = target.whose === 'yours';
      return { ...common, type: 'reaction', id: hex(target.id), ours, emoji, put };
    }
    case 'timer':
      return { ...common, type: 'timer', seconds: body.seconds };
    default:
      return undefined;
  }
}
