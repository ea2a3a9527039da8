/** What others do in conversations besides saying something, as it comes, for a program that tells it. */
import { hex } from '@island/protocol/wire/text.ts';
import { pause } from '../backoff.ts';
import { createBell } from '../bell.ts';
import { actsAfter, type KeptAct, newestAct } from '../messages/acts.ts';
import type { Storage } from '../storage/storage.ts';

export type Happening = { from: string; sentAt: number } & (
  | { type: 'edited'; id: string; text: string }
  | { type: 'deleted'; id: string }
  /** `ours`: on a message of ours. */
  | { type: 'reaction'; id: string; ours: boolean; emoji: string; put: boolean }
  | { type: 'timer'; seconds: number }
);

/** Milliseconds in which they are gathered. */
const gather = 15;

/** What comes from now on, until aborted. `from`: only what this person does. */
export async function* happenings(
  storage: Storage,
  signal: AbortSignal,
  { from }: { from?: string } = {},
): AsyncGenerator<Happening> {
  using changed = createBell(signal);
  using _watch = storage.watch(changed.ring);
  let last = await newestAct(storage);
  while (!signal.aborted) {
    const acts = await actsAfter(storage, last);
    last = acts.at(-1)?.key ?? last;
    for (const act of acts) {
      const happening = happeningOf(act);
      if (happening && (from === undefined || act.name === from)) yield happening;
    }
    if (acts.length > 0) continue;
    await changed.next();
    await pause(gather, signal);
  }
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
