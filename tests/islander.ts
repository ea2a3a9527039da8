/** Real `islander` processes for whole-island tests: run to their end, or talked to while they run. */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { childEnvironment } from '@island/services/kit/config.ts';
import { type Ran, type TestIsland, until } from './island.ts';

const command = join(import.meta.dirname, '../client/bin/islander.mjs');

/** One JSON line of an `islander --json`. */
export type Line = {
  type: string;
  text?: string;
  from?: string;
  to?: string;
  id?: string;
  state?: string;
  code?: string;
  reason?: string;
  /** What was read from standard input. */
  line?: string;
  number?: string[];
  link?: string;
  digits?: string;
  uri?: string;
  device?: number;
  request?: boolean;
};

export interface Talking {
  pid: number;
  /** Everything it has said. */
  lines: Line[];
  stderr: () => string;
  write(text: string): void;
  /** Closes its standard input. */
  end(): void;
  kill(signal: NodeJS.Signals): void;
  ended: Promise<number>;
}

/** Starts a command with `--json`, whose standard input stays open. */
export function talk(home: string, ...args: readonly string[]): Talking {
  const child = spawn(process.execPath, [command, ...args, '--json', '--home', home], {
    env: childEnvironment({}),
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const lines: Line[] = [];
  createInterface({ input: child.stdout }).on('line', (line) =>
    lines.push(JSON.parse(line) as Line),
  );
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  // It may have ended before it read what was written.
  child.stdin.on('error', () => undefined);
  return {
    pid: child.pid ?? 0,
    lines,
    stderr: () => stderr,
    write: (text) => void child.stdin.write(text),
    end: () => void child.stdin.end(),
    kill: (signal) => void child.kill(signal),
    ended: new Promise((resolve) => child.once('close', (code) => resolve(code ?? 137))),
  };
}

/** Runs a command for people to its end. */
export function runIslander(home: string, args: readonly string[], input = ''): Promise<Ran> {
  const child = spawn(process.execPath, [command, ...args, '--home', home], {
    env: childEnvironment({}),
    stdio: 'pipe',
  });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
    });
  }
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  return new Promise((resolve) =>
    child.once('close', (code) => resolve({ ...output, code: code ?? 137 })),
  );
}

export interface People extends AsyncDisposable {
  homeOf(name: string): string;
  /** A file whose first line is their password. */
  passwordFileOf(name: string): string;
  /** What the sheet says that was written for them at registration. */
  sheetOf(name: string): Promise<{ codes: string[]; link: string }>;
}

/** Registers people on an island, each with an invite and a home of their own. */
export async function people(island: TestIsland, ...names: readonly string[]): Promise<People> {
  const dir = await mkdtemp(join(tmpdir(), 'islander-test-'));
  const homeOf = (name: string): string => join(dir, name);
  const passwordFileOf = (name: string): string => join(dir, `${name}.password`);
  const invited = { link: island.welcome.invite };
  for (const name of names) {
    const link = invited.link ?? (await island.run('invite')).stdout.trim();
    invited.link = null;
    const file = passwordFileOf(name);
    await writeFile(file, passwordOf(name));
    const files = ['--password-file', file, '--codes-file', `${file}.codes`];
    const ran = await runIslander(homeOf(name), ['register', link, name, ...files]);
    if (ran.code !== 0) throw new Error(`${name} could not register: ${ran.stderr}`);
  }
  return {
    homeOf,
    passwordFileOf,
    async sheetOf(name) {
      const sheet = await readFile(`${passwordFileOf(name)}.codes`, 'utf8');
      const codes = [...sheet.matchAll(/^ +[1-8] +([0-9A-Z-]{29})$/gm)].map(
        ([, code = '']) => code,
      );
      return { codes, link: /island:[^']+/.exec(sheet)?.[0] ?? '' };
    },
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  };
}

export const passwordOf = (name: string): string => `the password of ${name}`;

/** Texts of the messages that came, in order. */
export const textsFrom = ({ lines }: Talking, from: string): string[] =>
  lines
    .filter((line) => line.type === 'message' && line.from === from)
    .map(({ text }) => text ?? '');

/** Lines that tell who wrote them and in which order. */
export const numbered = (from: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${from} ${i + 1}`);

/** How many of its messages the island has taken. */
export const accepted = ({ lines }: Talking): number =>
  lines.filter(({ type }) => type === 'sent').length;

/** Waits for a line; throws when the process ends without it. */
export async function untilLine(
  talking: Talking,
  wanted: (line: Line) => boolean,
  patience?: number,
): Promise<Line> {
  let over = false;
  void talking.ended.then(() => {
    over = true;
  });
  await until(() => over || talking.lines.some(wanted), patience);
  const line = talking.lines.find(wanted);
  if (line === undefined) throw new Error(`it ended: ${talking.stderr()}`);
  return line;
}
