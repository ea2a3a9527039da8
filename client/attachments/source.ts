/** What an attachment is made of: a file, or bytes. */
import { open } from 'node:fs/promises';
import { Problem } from '../problem.ts';
import { fileTrouble } from './file-trouble.ts';

/** Read several times, in order: what it gives must not change meanwhile, and is checked for it. */
export interface Source extends AsyncDisposable {
  /** Bytes. */
  readonly size: number;
  /** Bytes `start` to `end`, `end` not included; fewer when there are fewer. `into`, which has the room, may be used. */
  read(start: number, end: number, into: Uint8Array): Promise<Uint8Array>;
}

export const bytesSource = (bytes: Uint8Array): Source => ({
  size: bytes.length,
  read: async (start, end) => bytes.subarray(start, end),
  [Symbol.asyncDispose]: async () => undefined,
});

/** Throws `file_unreadable`. */
export async function fileSource(path: string): Promise<Source> {
  const unreadable = (reason: string, cause?: unknown) =>
    new Problem('file_unreadable', { file: path, reason }, { cause });
  try {
    await using held = new AsyncDisposableStack();
    const file = held.use(await open(path, 'r'));
    const { size } = await file.stat().then((stat) => {
      if (!stat.isFile()) throw unreadable(stat.isDirectory() ? 'it is a folder' : 'it is no file');
      return stat;
    });
    const stack = held.move();
    return {
      size,
      async read(start, end, into) {
        const bytes = into.subarray(0, end - start);
        let filled = 0;
        while (filled < bytes.length) {
          const { bytesRead } = await file.read(bytes, filled, undefined, start + filled);
          if (bytesRead === 0) break;
          filled += bytesRead;
        }
        return bytes.subarray(0, filled);
      },
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    };
  } catch (error) {
    if (error instanceof Problem) throw error;
    const reason = fileTrouble(error);
    if (reason === undefined) throw error;
    throw unreadable(reason, error);
  }
}
