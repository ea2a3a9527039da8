/** How much of an upload is put at once: on a slow line so little that a part ends well before the edge's time for it does. */
import { blobPieceBytes } from '@island/protocol/wire/blob-routes.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { limits } from '@island/protocol/wire/limits.ts';

export interface Pace {
  /** Bytes: whole pieces. */
  readonly bytes: number;
  /** Runs `put` and learns from how long it took, and from whether it failed. */
  learn<T>(put: () => Promise<T>): Promise<T>;
}

/** Bytes that are put first: what the line is like is not known yet. */
const first = 4_194_304;
/** Milliseconds: a part that takes longer is too large, one that takes less may be larger. */
const [long, short] = [8000, 2000];

export function openPace(now: () => number = () => performance.now()): Pace {
  let most = limits.blobChunkBytes / blobPieceBytes;
  let pieces = Math.min(most, first / blobPieceBytes);
  const less = () => {
    pieces = Math.max(1, pieces >> 1);
  };
  return {
    get bytes() {
      return pieces * blobPieceBytes;
    },
    async learn(put) {
      const since = now();
      try {
        const done = await put();
        if (now() - since > long) less();
        else if (now() - since < short) pieces = Math.min(most, pieces * 2);
        return done;
      } catch (error) {
        less();
        // An island may be stricter than ours.
        if (error instanceof Fault && error.code === 'too_large') most = pieces;
        throw error;
      }
    },
  };
}
