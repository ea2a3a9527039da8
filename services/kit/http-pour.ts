/**
 * Bytes of an answer that leave as fast as they are taken, and whose memory is given back when they have left: an
 * answer of any length costs as much as is on its way.
 */
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { release } from '@island/protocol/wire/release.ts';

/** Bytes handed to the connection and not yet gone. */
const most = 262_144;

/**
 * Writes all of `chunks` and ends `out`. Each chunk is given away: nobody else looks at it again. Stops, and ends
 * `chunks`, when whoever asked goes away. Throws what `chunks` throws; `out` is as it is then.
 */
export async function pour(out: Writable, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  let under = 0;
  let wake = (): void => undefined;
  const awake = (): void => wake();
  out.once('close', awake);
  try {
    for await (const chunk of chunks) {
      const { length } = chunk;
      under += length;
      out.write(chunk, () => {
        under -= length;
        release(chunk);
        wake();
      });
      while (under > most && !out.destroyed) {
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        await promise;
      }
      if (out.destroyed) return;
    }
    const ended = once(out, 'close');
    out.end();
    await ended;
  } finally {
    out.off('close', awake);
  }
}
