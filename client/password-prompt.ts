/** Where the password comes from: a prompt that shows nothing, a file, or the first line of standard input. */
import { readFile } from 'node:fs/promises';
import { Problem } from './problem.ts';
import type { Streams } from './terminal.ts';

/** `twice`: asks again at a terminal, and throws `password_mismatch` when the two differ. */
export async function readPassword(
  streams: Streams,
  options: { file?: string | undefined; twice?: boolean },
): Promise<string> {
  const password = await given(streams, options);
  if (password === '') throw new Problem('password_missing');
  return password;
}

async function given(
  streams: Streams,
  { file, twice = false }: { file?: string | undefined; twice?: boolean },
): Promise<string> {
  if (file !== undefined) return firstLine(await readPasswordFile(file));
  if (!streams.stdin.isTTY) return firstLine(await readPiped(streams.stdin));
  const password = await ask(streams, 'Password: ');
  if (twice && (await ask(streams, 'Once more: ')) !== password)
    throw new Problem('password_mismatch');
  return password;
}

const firstLine = (text: string): string => text.split(/\r?\n/, 1)[0] ?? '';

async function readPasswordFile(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown';
    throw new Problem('password_file', { file, reason }, { cause });
  }
}

async function readPiped(stdin: NodeJS.ReadStream): Promise<string> {
  let text = '';
  stdin.setEncoding('utf8');
  for await (const part of stdin) {
    text += part;
    if (text.includes('\n')) break;
  }
  return text;
}

/** In raw mode, so that the terminal echoes nothing. Ctrl-C ends the program as it always does. */
function ask({ stdin, stderr }: Streams, prompt: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  stderr.write(prompt);
  stdin.setRawMode(true);
  stdin.setEncoding('utf8');
  let typed = '';
  const end = (): void => {
    stdin.off('data', onData);
    stdin.setRawMode(false);
    stdin.pause();
    stderr.write('\n');
  };
  const onData = (part: string): void => {
    for (const key of part) {
      if (key === '\r' || key === '\n' || key === '\u0004') {
        end();
        resolve(typed);
        return;
      }
      if (key === '\u0003') {
        end();
        process.kill(process.pid, 'SIGINT');
        return;
      }
      if (key === '\u007f' || key === '\b') typed = [...typed].slice(0, -1).join('');
      else if (key === '\u0015') typed = '';
      else if (key >= ' ') typed += key;
    }
  };
  stdin.on('data', onData);
  stdin.resume();
  return promise;
}
