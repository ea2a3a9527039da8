/** Bytes that are written behind one another: gathered in one of two buffers while the other is written. */
import type { FileHandle } from 'node:fs/promises';

export interface Appender {
  /** Copies `bytes`: they are the caller's again when this resolves. Throws when something before could not be written. */
  append(bytes: Uint8Array): Promise<void>;
  /** Resolves when all of it was handed to the system. */
  flush(): Promise<void>;
}

const bufferBytes = 524_288;

/** @param start in the file, of the first byte */
export function openAppender(file: FileHandle, start: number): Appender {
  let [buffer, other] = [new Uint8Array(bufferBytes), new Uint8Array(bufferBytes)];
  let filled = 0;
  let at = start;
  let writing: Promise<void> = Promise.resolve();

  async function turn(): Promise<void> {
    await writing;
    writing = writeAll(file, buffer.subarray(0, filled), at);
    // It throws at the next turn.
    writing.catch(() => undefined);
    at += filled;
    filled = 0;
    [buffer, other] = [other, buffer];
  }

  return {
    async append(bytes) {
      for (let done = 0; done < bytes.length; ) {
        const some = bytes.subarray(done, done + bufferBytes - filled);
        buffer.set(some, filled);
        filled += some.length;
        done += some.length;
        if (filled === bufferBytes) await turn();
      }
    },
    async flush() {
      if (filled > 0) await turn();
      await writing;
    },
  };
}

async function writeAll(file: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await file.write(bytes, done, bytes.length - done, at + done)).bytesWritten;
  }
}
