/**
 * Programs of the machine (apt-get, dpkg-deb, ldd …), run to their end. Each gets its own session, so
 * that Ctrl-C in the terminal reaches only us and we decide; when we are killed, the kernel ends it.
 */
import { spawn } from 'node:child_process';

export interface ToolResult {
  code: number;
  stdout: string;
  stderr: string;
}

export interface ToolOptions {
  cwd?: string;
  /** Added to the environment. */
  env?: Readonly<Record<string, string>>;
  signal?: AbortSignal | undefined;
  /** Milliseconds after which the program is ended and the run fails. */
  deadline?: number;
}

/** A program did not end in time. */
export class ToolDeadline extends Error {
  override name = 'ToolDeadline';
}

const longest = 64 * 1024;

/** Runs `command` to its end. An exit code other than 0 is a result, not an error; absence (ENOENT) is an error. */
export async function runTool(
  command: string,
  args: readonly string[],
  options: ToolOptions = {},
): Promise<ToolResult> {
  options.signal?.throwIfAborted();
  const vars = Object.entries(options.env ?? {}).map(([name, value]) => `${name}=${value}`);
  const plain = vars.length === 0 ? [command, ...args] : ['env', ...vars, command, ...args];
  const [file = command, ...rest] = [...(await tether('KILL')), ...plain];
  const child = spawn(file, rest, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-longest);
  });
  const end = () => {
    if (child.pid === undefined || child.exitCode !== null) return;
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // it ended by itself between the check and the signal
    }
  };
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    end();
  }, options.deadline ?? 120_000);
  options.signal?.addEventListener('abort', end);
  try {
    const code = await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (exit) => resolve(exit ?? 1));
    });
    options.signal?.throwIfAborted();
    if (late) throw new ToolDeadline(`${command} did not end in time`);
    return { code, stdout, stderr };
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', end);
  }
}

/** Where a program lies: PATH, and the folders for administrators that a person's PATH often lacks. */
export async function whichTool(name: string): Promise<string | undefined> {
  const child = spawn(
    '/bin/sh',
    ['-c', 'PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"; command -v "$1"', 'sh', name],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  );
  let path = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    path += text;
  });
  await new Promise((resolve) => child.once('close', resolve));
  return path.trim() === '' ? undefined : path.trim();
}

let setpriv: Promise<string | undefined> | undefined;

/**
 * Command prefix that makes the kernel send `signal` to a child when its parent dies, also by kill -9.
 * Empty where util-linux' setpriv is missing.
 */
export async function tether(signal: 'TERM' | 'KILL'): Promise<string[]> {
  setpriv ??= whichTool('setpriv');
  const path = await setpriv;
  return path === undefined ? [] : [path, '--pdeathsig', signal, '--'];
}
