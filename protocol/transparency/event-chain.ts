/**
 * From a version of a label that is known to the newest one: no version is left out, none was put in between, and
 * each says what it changed the state to. docs/protocol/transparency.md §5.3
 *
 * An erasure is the last step. Openings of the versions before it may be gone: such a step is shown with an opening of
 * zeros and no state.
 */
import { equal } from '../crypto/primitives.ts';
import { checkOpening, type ProvedState } from './answer.ts';
import { type EventLeaf, eventHash, isErasure, noEvent, readEvent } from './leaves.ts';
import { TransparencyFault } from './transparency-fault.ts';

export interface EventStep {
  /** 102 bytes. */
  event: Uint8Array;
  /** 16 bytes. */
  opening: Uint8Array;
  state: Uint8Array;
}

export interface FollowedStep {
  version: number;
  event: EventLeaf;
  eventHash: Uint8Array;
  /** Missing where it was erased. */
  state: Uint8Array | undefined;
}

export interface KnownVersion {
  version: number;
  eventHash: Uint8Array;
}

/** Of a label of which nothing is known yet: the steps begin with its registration. */
export const nothingKnown: KnownVersion = { version: 0, eventHash: noEvent };

function must(good: boolean): void {
  if (!good) throw new TransparencyFault('chain_broken');
}

/**
 * The steps from `known`, exclusive, to `newest`, inclusive, as `checkAnswer` proved it. Throws `chain_broken`
 * where a version is missing, does not name the one before, is not of the label or follows an erasure, and where the
 * last is not the newest; `commitment_invalid`; a `Fault` for an event that is not in form.
 */
export function followEvents(
  known: KnownVersion,
  steps: readonly EventStep[],
  newest: Pick<ProvedState, 'label' | 'index' | 'version' | 'eventHash'>,
): FollowedStep[] {
  let { version, eventHash: before } = known;
  must(newest.version - version === steps.length);
  const followed = steps.map((step) => {
    const event = readEvent(step.event);
    version += 1;
    must(event.version === version && equal(event.prevEvent, before));
    must(equal(event.index, newest.index));
    before = eventHash(step.event);
    return { step, event, hash: before };
  });
  must(equal(before, newest.eventHash));
  const ended = followed.findIndex(({ event }) => isErasure(event));
  must(ended === -1 || ended === followed.length - 1);
  return followed.map(({ step: { opening, state }, event, hash }, i) => {
    const shown = { version: event.version, event, eventHash: hash };
    const erased = i < ended && state.length === 0;
    if (erased && opening.every((byte) => byte === 0)) return { ...shown, state: undefined };
    checkOpening(event, newest.label, opening, state);
    return { ...shown, state: isErasure(event) ? undefined : state };
  });
}
