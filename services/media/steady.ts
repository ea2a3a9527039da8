/**
 * A body that keeps coming. Whoever sends one drop at a time would hold a connection, a turn and memory for as long as
 * it pleases; a slow line is none of that as long as it moves. docs/protocol/attachments.md §5
 */
import type { Readable } from 'node:stream';
import { Fault } from '@island/protocol/wire/fault.ts';

export interface Pace {
  /** Milliseconds spent in waiting for bytes, not in putting them away. */
  window: number;
  /** Bytes that have to come in each of them. */
  least: number;
  /** Milliseconds between two looks. */
  look: number;
}

const pace: Pace = { window: 10_000, least: 32_768, look: 1000 };

/** What is not read of `body` stays readable, unless it was too slow: then its connection ends. */
export async function* steady(
  body: Readable,
  { window, least, look }: Pace = pace,
): AsyncGenerator<Uint8Array> {
  let came = 0;
  let waited = 0;
  /** When the waiting began that lasts; `undefined` while bytes are put away. */
  let since: number | undefined = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    if (since !== undefined) waited += now - since;
    if (since !== undefined) since = now;
    if (waited < window) return;
    if (came < least) body.destroy(new Fault('too_slow'));
    came = 0;
    waited = 0;
  }, look);
  try {
    for await (const chunk of body.iterator({ destroyOnReturn: false })) {
      came += chunk.length;
      waited += performance.now() - since;
      since = undefined;
      yield chunk;
      since = performance.now();
    }
  } finally {
    clearInterval(timer);
  }
}
