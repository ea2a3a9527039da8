/**
 * What a command asks a person: at a terminal one question after the other, in a pipe one line of
 * standard input after the other, in the same order. A secret may also be the first line of a file.
 */
import { readFile } from 'node:fs/promises';
import { createInterface, type Interface } from 'node:readline';
import { Problem, type ProblemCode } from '../problem.ts';
import type { Streams } from './terminal.ts';

export interface Asking {
  /** Its first line is the answer, and nobody is asked. */
  file?: string | undefined;
  /** What is thrown for an empty answer. */
  missing: ProblemCode;
}

export interface Questions extends Disposable {
  /** Whether there is a person who can be asked again. */
  readonly interactive: boolean;
  /** Nothing shows what is typed. */
  secret(prompt: string, asking: Asking): Promise<string>;
  /** As it is typed; empty when there is nobody to ask. */
  line(prompt: string): Promise<string>;
}

export function openQuestions(streams: Streams): Questions {
  const { stdin } = streams;
  const interactive = stdin.isTTY === true;
  const piped = pipedLines(stdin);

  async function secret(prompt: string, { file, missing }: Asking): Promise<string> {
    const answer = await (file !== undefined
      ? firstLineOf(file)
      : interactive
        ? type(streams, prompt, false)
        : piped.next());
    if (answer === '') throw new Problem(missing);
    return answer;
  }

  return {
    interactive,
    secret,
    line: (prompt) => (interactive ? type(streams, prompt, true) : piped.next()),
    [Symbol.dispose]: () => piped.close(),
  };
}

/** A password; at a terminal a new one is asked for twice. Throws `password_missing`, `password_mismatch`, `secret_file`. */
export async function askPassword(
  questions: Questions,
  { file, fresh = false }: { file?: string | undefined; fresh?: boolean },
): Promise<string> {
  const asking: Asking = { file, missing: 'password_missing' };
  const password = await questions.secret(fresh ? 'New password: ' : 'Password: ', asking);
  const again = fresh && questions.interactive && file === undefined;
  if (again && (await questions.secret('Once more: ', asking)) !== password)
    throw new Problem('password_mismatch');
  return password;
}

async function firstLineOf(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).split(/\r?\n/, 1)[0] ?? '';
  } catch (cause) {
    const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown';
    throw new Problem('secret_file', { file, reason }, { cause });
  }
}

/** Lines as they come; empty ones for ever once the input has ended. Nothing is read before the first is wanted. */
function pipedLines(stdin: NodeJS.ReadStream): { next(): Promise<string>; close(): void } {
  let reader: Interface | undefined;
  let lines: AsyncIterator<string> | undefined;
  return {
    async next() {
      reader ??= createInterface({ input: stdin });
      lines ??= reader[Symbol.asyncIterator]();
      const { done, value } = await lines.next();
      return done === true ? '' : value;
    },
    close: () => reader?.close(),
  };
}

/** In raw mode, so that nothing is shown but what this program shows. Ctrl-C ends the program as it always does. */
function type({ stdin, stderr }: Streams, prompt: string, shown: boolean): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  stderr.write(prompt);
  stdin.setRawMode(true);
  stdin.setEncoding('utf8');
  let typed: string[] = [];
  const show = (text: string): void => void (shown && stderr.write(text));
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
        resolve(typed.join(''));
        return;
      }
      if (key === '\u0003') {
        end();
        process.once('SIGINT', () => reject(new Error('interrupted')));
        process.kill(process.pid, 'SIGINT');
        return;
      }
      if (key === '\u007f' || key === '\b') {
        if (typed.length > 0) show('\b \b');
        typed = typed.slice(0, -1);
      } else if (key === '\u0015') {
        show('\b \b'.repeat(typed.length));
        typed = [];
      } else if (key >= ' ') {
        typed.push(key);
        show(key);
      }
    }
  };
  stdin.on('data', onData);
  stdin.resume();
  return promise;
}
