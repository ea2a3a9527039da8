/**
 * A real island for a test: raised by the `island` command as its own process, on free ports, in a
 * temporary folder. Disposing of it ends it and removes the folder.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { edgeAnswers } from '@island/appliance/edge-probe.ts';
import { askStatus } from '@island/appliance/operator.ts';
import type { StatusReport } from '@island/appliance/status-report.ts';
import type { Welcome } from '@island/appliance/up.ts';
import { readIsland } from '@island/provisioning/island-file.ts';
import { layoutOf } from '@island/provisioning/layout.ts';
import { tether } from '@island/provisioning/tool.ts';
import { childEnvironment } from '@island/services/kit/config.ts';

/** Where islands of this test keep their master keys: nothing of it stays. */
const configHome = mkdtempSync(join(tmpdir(), 'island-config-'));
process.on('exit', () => rmSync(configHome, { recursive: true, force: true }));

const command = join(import.meta.dirname, '../appliance/bin/island.mjs');

/** When the test is killed, its island ends too. */
const tethered = await tether('TERM');

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

export interface Started {
  child: ChildProcess;
  /** Collected so far. */
  output: { stdout: string; stderr: string };
  /** Resolves when the process has ended and its output was read. */
  ended: Promise<Ran>;
}

/** Starts the `island` command without this test's environment. */
export function startCommand(args: readonly string[], env: Record<string, string> = {}): Started {
  const [program = '', ...rest] = [...tethered, process.execPath, command, ...args];
  const child = spawn(program, rest, {
    env: childEnvironment({ NO_COLOR: '1', XDG_CONFIG_HOME: configHome, ...env }),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output.stderr += text;
  });
  const ended = new Promise<Ran>((resolve) => {
    child.once('close', (code, signal) =>
      resolve({ ...output, code: code ?? (signal === 'SIGKILL' ? 137 : 1) }),
    );
  });
  return { child, output, ended };
}

/** Runs the `island` command to its end. */
export const runIsland = (
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Ran> => startCommand(args, env).ended;

export interface TestIsland extends AsyncDisposable {
  data: string;
  /** What `island up --json` printed at the last start. */
  welcome: Welcome;
  /** The supervisor's pid. */
  pid: number;
  /** Milliseconds of the last start, from the command to the line. */
  startMs: number;
  status(): Promise<StatusReport>;
  /** Runs another command on this island. */
  run(...args: string[]): Promise<Ran>;
  /** Whether a client is served right now. */
  answers(): Promise<boolean>;
  /** Sends the signal and waits for the end. */
  stop(signal?: NodeJS.Signals): Promise<Ran>;
  start(): Promise<Welcome>;
}

/** Raises an island; `args` are given to every start. */
export async function bootIsland(args: readonly string[] = []): Promise<TestIsland> {
  const data = await mkdtemp(join(tmpdir(), 'island test {1} '));
  let started: Started | undefined;
  const layout = layoutOf(data);
  const island: TestIsland = {
    data,
    welcome: { address: '', caFingerprint: '', caFile: '', setupToken: null, invite: null, data },
    pid: 0,
    startMs: 0,
    status: () => askStatus(data),
    run: (...rest) => runIsland([...rest, '--data', data]),
    async answers() {
      const file = await readIsland(layout);
      return (
        file !== undefined &&
        (await edgeAnswers(layout, file).then(
          () => true,
          () => false,
        ))
      );
    },
    async start() {
      const since = performance.now();
      const wish = island.pid === 0 ? ['--port', '0'] : [];
      const now = startCommand(['up', '--json', '--data', data, ...wish, ...args]);
      started = now;
      island.pid = now.child.pid ?? 0;
      await until(() => now.output.stdout.endsWith('\n') || now.child.exitCode !== null, 90_000);
      if (now.child.exitCode !== null) await now.ended;
      if (!now.output.stdout.endsWith('\n'))
        throw new Error(`island up failed: ${now.output.stderr}`);
      island.startMs = performance.now() - since;
      island.welcome = JSON.parse(now.output.stdout) as Welcome;
      return island.welcome;
    },
    async stop(signal = 'SIGTERM') {
      if (started === undefined) throw new Error('the island was not started');
      started.child.kill(signal);
      return started.ended;
    },
    async [Symbol.asyncDispose]() {
      started?.child.kill('SIGTERM');
      await started?.ended;
      await until(() => processesOf(data).length === 0, 20_000);
      await rm(data, { recursive: true, force: true });
    },
  };
  try {
    await island.start();
  } catch (error) {
    await island[Symbol.asyncDispose]();
    throw error;
  }
  return island;
}

/** Waits until `condition` holds; throws after `patience` ms. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  patience = 30_000,
): Promise<void> {
  const deadline = Date.now() + patience;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`still not so after ${patience} ms: ${condition}`);
    await wait(25);
  }
}

/** Living processes that have `text` in their command line: those of an island, by its data folder. */
export function processesOf(text: string): { pid: number; command: string }[] {
  const found: { pid: number; command: string }[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    try {
      const line = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      if (line.includes(text)) found.push({ pid: Number(name), command: line });
    } catch {
      // it ended meanwhile
    }
  }
  return found;
}
