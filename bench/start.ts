/**
 * How long until people can use an island again: from `npm start`, on a data folder that has been
 * up before, to the line that says that everything answers.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { childEnvironment } from '@island/services/kit/config.ts';
import type { Scenario } from './scenario.ts';

const root = join(import.meta.dirname, '..');
const budgetSeconds = 5;
const rounds = 5;

/** Seconds from the command to its line; then stops the island and waits for its end. */
async function startOnce(data: string, config: string, port: readonly string[]): Promise<number> {
  const since = performance.now();
  const child = spawn('npm', ['start', '--silent', '--', '--json', '--data', data, ...port], {
    cwd: root,
    env: childEnvironment({ XDG_CONFIG_HOME: config }),
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ended = once(child, 'close');
  const line = once(createInterface({ input: child.stdout }), 'line').then(() => performance.now());
  const ready = await Promise.race([line, ended.then(() => undefined)]);
  child.kill('SIGTERM');
  await ended;
  if (ready === undefined) throw new Error('npm start ended before the island was up');
  return (ready - since) / 1000;
}

async function measure(): Promise<{ ours: number; yardstick: number }> {
  const data = await mkdtemp(join(tmpdir(), 'island-bench-'));
  const config = await mkdtemp(join(tmpdir(), 'island-config-'));
  try {
    await startOnce(data, config, ['--port', '0']);
    const seconds: number[] = [];
    for (let round = 0; round < rounds; round++) seconds.push(await startOnce(data, config, []));
    const median = seconds.toSorted((a, b) => a - b)[rounds >> 1] ?? Number.NaN;
    return { ours: median, yardstick: budgetSeconds };
  } finally {
    await rm(data, { recursive: true, force: true });
    await rm(config, { recursive: true, force: true });
  }
}

export const scenarios: readonly Scenario[] = [
  {
    name: 'second start',
    unit: 's from npm start to ready',
    target: 1,
    better: 'lower',
    yardstickName: `the budget of ${budgetSeconds} s (stated, not measured)`,
    measure,
  },
];
