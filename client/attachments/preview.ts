/**
 * A small picture of a picture, made by the one who sends it: the island can't, and a recipient need not
 * open what it has not asked for. docs/protocol/attachments.md §2
 *
 * Bounded before and while it is decoded: in pixels by the header, in bytes, in time, in memory.
 */
import { Worker } from 'node:worker_threads';
import type { Preview } from '@island/protocol/crypto/attachment-descriptor.ts';
import type { Source } from './source.ts';

/** Bytes of the file, pixels, milliseconds, MiB of the worker's own heap. */
const most = { bytes: 33_554_432, pixels: 40_000_000, milliseconds: 15_000, heap: 128 };

/** `undefined` for what is no JPEG or PNG, is too large, or could not be read in time. Throws only when aborted. */
export async function makePreview(
  source: Source,
  {
    signal,
    milliseconds = most.milliseconds,
  }: { signal?: AbortSignal; milliseconds?: number } = {},
): Promise<Preview | undefined> {
  signal?.throwIfAborted();
  if (source.size > most.bytes || source.size < 16) return undefined;
  const head = await source.read(0, Math.min(source.size, 33), new Uint8Array(33));
  if (!isPicture(head)) return undefined;
  const bytes = await source.read(0, source.size, new Uint8Array(source.size));
  signal?.throwIfAborted();
  const worker = new Worker(new URL('./preview-worker.ts', import.meta.url), {
    resourceLimits: { maxOldGenerationSizeMb: most.heap },
    // What a library says about a broken file is nothing for a person.
    stdout: true,
    stderr: true,
  });
  const { promise, resolve, reject } = Promise.withResolvers<Preview | undefined>();
  const timer = setTimeout(() => resolve(undefined), milliseconds);
  const onAbort = (): void => reject(signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  worker.once('message', (made: Preview | undefined) =>
    resolve(made && isWhole(made) ? made : undefined),
  );
  worker.once('error', () => resolve(undefined));
  worker.once('exit', () => resolve(undefined));
  try {
    worker.postMessage(bytes);
    return await promise;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
    await worker.terminate();
  }
}

const isWhole = ({ width, height }: Preview): boolean => width <= 0xffff && height <= 0xffff;

/** JPEG, or PNG whose header says no more pixels than we decode: its decoder believes it. */
function isPicture(head: Uint8Array): boolean {
  if (head[0] === 0xff && head[1] === 0xd8 && head[2] === 0xff) return true;
  const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
  if (head.length < 33 || !signature.every((byte, i) => head[i] === byte)) return false;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  return width > 0 && height > 0 && width * height <= most.pixels;
}
