/**
 * Log files of bounded size. A process writes to its file itself, so that nothing it says is lost with
 * the supervisor; a file that has grown too large is copied aside and emptied in place.
 */
import { appendFileSync, closeSync, mkdirSync, openSync } from 'node:fs';
import { copyFile, open, readdir, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';

const largest = 8 * 1024 * 1024;
const every = 10_000;

export interface LogFolder extends Disposable {
  /** Opens `<name>.log` for appending and hands its descriptor to `use`, which passes it to a child. */
  withFile<T>(name: string, use: (descriptor: number) => T): T;
  /** One line of the supervisor itself. A disk that is full costs the line, nothing more. */
  append(name: string, line: string): void;
  path(name: string): string;
  /** The last lines of a log, for a message about a process that will not start. */
  tail(name: string, bytes?: number): Promise<string>;
}

export function openLogFolder(dir: string): LogFolder {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const path = (name: string) => join(dir, `${name}.log`);
  const timer = setInterval(() => void rotate(dir).catch(() => undefined), every);
  timer.unref();
  return {
    path,
    append(name, line) {
      try {
        appendFileSync(path(name), line, { mode: 0o600 });
      } catch {
        // said above
      }
    },
    withFile(name, use) {
      const descriptor = openSync(path(name), 'a', 0o600);
      try {
        return use(descriptor);
      } finally {
        closeSync(descriptor);
      }
    },
    async tail(name, bytes = 2000) {
      await using file = await open(path(name)).catch(() => undefined);
      if (file === undefined) return '';
      const { size } = await file.stat();
      const start = Math.max(0, size - bytes);
      const { buffer, bytesRead } = await file.read(Buffer.alloc(bytes), 0, bytes, start);
      return buffer.toString('utf8', 0, bytesRead);
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}

/** One former file is kept: `<name>.log.1`. */
export async function rotate(dir: string, limit = largest): Promise<void> {
  for (const name of await readdir(dir)) {
    const file = join(dir, name);
    if (!name.endsWith('.log') || (await stat(file)).size < limit) continue;
    await copyFile(file, `${file}.1`);
    await truncate(file);
  }
}
