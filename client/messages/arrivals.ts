/**
 * What came, for a program that shows it: first what nobody has shown yet, then whatever arrives,
 * through which process of the home it may come.
 */
import { pause } from '../backoff.ts';
import { createBell } from '../bell.ts';
import { catchUp } from '../conversation/catch-up.ts';
import type { Storage } from '../storage/storage.ts';
import {
  type Incoming,
  type Kept,
  type Message,
  markShown,
  messagesAfter,
  newestMessage,
  readMessage,
  type Unreadable,
  unshown,
} from './messages.ts';

export type Arrival = Kept<Incoming | Unreadable>;

/** Milliseconds in which arrivals are gathered. */
const gather = 15;

const isArrival = (
  message: Kept<Message> | undefined,
  from: string | undefined,
): message is Arrival =>
  message !== undefined &&
  message.type !== 'sent' &&
  !(message.type === 'message' && (message.earlier || message.deleted)) &&
  (from === undefined ||
    message.from === from ||
    (message.type === 'unreadable' && message.claims === from));

export interface Shown {
  /** Only messages of this person; those of others stay unshown. */
  from?: string;
  /** How many more are wanted; asked for each group. */
  most?: () => number;
}

/**
 * In the order in which they came, in groups; until aborted or no more are wanted. A group counts as
 * shown when the next one is asked for: a program that dies before that sees it again.
 */
export async function* arrivals(
  storage: Storage,
  signal: AbortSignal,
  shown: Shown = {},
): AsyncGenerator<Arrival[]> {
  const { from } = shown;
  using changed = createBell(signal);
  using _watch = storage.watch(changed.ring);
  // What was taken back before it was shown is not shown.
  await catchUp(storage);
  let last = await newestMessage(storage);
  const earlier = (await unshown(storage)).filter((key) => key <= last);
  const before = await Promise.all(earlier.map((key) => readMessage(storage, key)));
  yield* show(
    storage,
    before.filter((message) => isArrival(message, from)),
    shown,
  );
  while (!signal.aborted && wanted(shown) > 0) {
    await catchUp(storage);
    const messages = await messagesAfter(storage, last);
    last = messages.at(-1)?.key ?? last;
    yield* show(
      storage,
      messages.filter((message) => isArrival(message, from)),
      shown,
    );
    if (messages.length > 0) continue;
    await changed.next();
    await pause(gather, signal);
  }
}

const wanted = ({ most }: Shown): number => most?.() ?? Number.POSITIVE_INFINITY;

async function* show(
  storage: Storage,
  messages: Arrival[],
  shown: Shown,
): AsyncGenerator<Arrival[]> {
  for (let rest = messages; rest.length > 0 && wanted(shown) > 0; ) {
    const group = rest.slice(0, wanted(shown));
    rest = rest.slice(group.length);
    yield group;
    await markShown(
      storage,
      group.map(({ key }) => key),
    );
  }
}
