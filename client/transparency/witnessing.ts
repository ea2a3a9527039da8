/**
 * This device as a witness while it is connected: says with which key, and signs what it is told of.
 * docs/protocol/transparency.md §7.6
 *
 * One process of a home is connected (inbox.ts), so one at most signs; what it signs by is compared all the same.
 */

import { Fault } from '@island/protocol/wire/fault.ts';
import type { ClientFrame } from '@island/protocol/wire/frames.ts';
import { backoff } from '../backoff.ts';
import { createBell } from '../bell.ts';
import { Problem, willPass } from '../problem.ts';
import { Conflict } from '../storage/storage.ts';
import { type CosigningParts, cosign } from './cosigning.ts';
import { readWitness } from './witness-key.ts';

export interface Witnessing {
  /** There is a new connection, and this is how it is spoken on. */
  connected(say: (frame: ClientFrame) => void): void;
  /** The island says that there is something to sign. */
  asked(): void;
  run(signal: AbortSignal): Promise<void>;
}

/** In a row, before a person hears that the island shows less than it did: one may have crossed an answer. */
const mostBehind = 2;

export function openWitnessing(
  parts: CosigningParts & { onRefused: (error: Error) => void },
): Witnessing {
  const { storage, onRefused } = parts;
  let ring = (): void => undefined;
  let say: ((frame: ClientFrame) => void) | undefined;
  /** The key that was said on this connection. */
  let said: string | undefined;
  let wanted = false;
  let [failures, behind] = [0, 0];
  /** Of what a person heard last. */
  let told: string | undefined;

  /** The island asks as often as it likes: a person hears of it once, until something is signed. */
  function refused(error: Problem): void {
    if (told !== error.message) onRefused(error);
    told = error.message;
  }

  function failed(error: unknown): void {
    if (error instanceof Conflict || (error instanceof Error && willPass(error))) {
      failures += 1;
      wanted = true;
    } else if (error instanceof Problem) refused(error);
    // What was overtaken meanwhile is asked anew, should it be asked.
    else if (!(error instanceof Fault)) throw error;
  }

  async function sign(signal: AbortSignal): Promise<void> {
    wanted = false;
    try {
      const came = await cosign(parts, signal);
      failures = 0;
      behind = came === 'behind' ? behind + 1 : 0;
      if (came === 'signed') told = undefined;
      if (behind >= mostBehind) refused(new Problem('witness_refused'));
    } catch (error) {
      if (!signal.aborted) failed(error);
    }
  }

  return {
    connected(now) {
      say = now;
      said = undefined;
      ring();
    },
    asked() {
      wanted = true;
      ring();
    },
    async run(signal) {
      using bell = createBell(signal);
      ring = () => bell.ring();
      using _watch = storage.watch(() => bell.ring());
      while (!signal.aborted) {
        const witness = await readWitness(storage);
        if (witness?.on && say && said !== witness.vkey) {
          said = witness.vkey;
          say({ type: 'witness', vkey: said });
          wanted = true;
        }
        if (witness?.on && wanted) await sign(signal);
        await bell.next(wanted ? backoff(failures) : undefined);
      }
    },
  };
}
