/**
 * Another log than the one that this home knows, begun by the island in its place: what a restored island has to do,
 * and what one that was caught would like to do. Nothing of it is taken over before the person here says so
 * (successor.ts). docs/protocol/transparency.md §8.11
 */
import { TransparencyFault } from '@island/protocol/transparency/transparency-fault.ts';
import type { SaidLog } from '@island/protocol/wire/routes.ts';
import { pause } from '../backoff.ts';
import { Problem } from '../problem.ts';
import type { Storage } from '../storage/storage.ts';
import type { Transport } from '../transport/transport.ts';
import { type Head, readHead } from './head.ts';
import { type Pins, readPins, shownPins } from './pins.ts';

/** Another log, beside what is known here. */
export interface AnotherLog {
  log: SaidLog;
  pins: Pins;
  head: Head | undefined;
}

/** What the island shows in place of the pinned log; `undefined` while it shows that one. Throws what a call throws. */
export async function anotherLog(
  storage: Storage,
  transport: Transport,
  signal?: AbortSignal,
): Promise<AnotherLog | undefined> {
  const pins = await readPins(storage);
  if (!pins) return undefined;
  const log = await shownPins(transport, signal);
  return log.vkey === pins.vkey ? undefined : { log, pins, head: await readHead(storage) };
}

/** Whether it says that it was begun in place of the log that is known here. */
export const follows = ({ log, pins }: AnotherLog): boolean => log.follows?.vkey === pins.vkey;

/** Milliseconds for which a gateway may go on showing the discovery of before. */
const shownFor = 4000;

/**
 * Why an answer is of an unknown log. `pinned`: the log that was pinned when it was asked for; answers may cross the
 * moment in which a person goes on with another one. Throws `log_unproved` for that, and what a call throws.
 */
export async function unknownOrigin(
  storage: Storage,
  transport: Transport,
  pinned: string | undefined,
  signal?: AbortSignal,
): Promise<TransparencyFault> {
  if (pinned !== undefined && (await readPins(storage))?.vkey !== pinned)
    throw new Problem('log_unproved');
  let shown = await anotherLog(storage, transport, signal);
  if (!shown) {
    await pause(shownFor, signal);
    shown = await anotherLog(storage, transport, signal);
  }
  return new TransparencyFault(shown && follows(shown) ? 'log_succeeded' : 'unknown_origin');
}
