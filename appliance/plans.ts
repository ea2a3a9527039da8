/** How each unit of this island is started, and how the supervisor learns that it answers. */
import { join } from 'node:path';
import { engineEnv } from '@island/provisioning/engine-binary.ts';
import type { Engines } from '@island/provisioning/engines.ts';
import type { Island } from '@island/provisioning/island-file.ts';
import type { Layout, Run } from '@island/provisioning/layout.ts';
import { confFiles } from '@island/provisioning/run-files.ts';
import { childEnvironment } from '@island/services/kit/config.ts';
import type { Identity } from '@island/services/kit/mtls.ts';
import { type EngineUnit, type KeyHolder, keyHoldersOf, type UnitRow } from './compose.ts';
import { caddyAnswers, natsAnswers, redisAnswers, untilDone } from './engine-control.ts';
import type { ProcessKeyWire } from './ipc-messages.ts';
import type { UnitPlan } from './unit.ts';

export interface PlanInput {
  layout: Layout;
  run: Run;
  island: Island;
  engines: Engines;
  redisPassword: string;
  /** What a process with these services, or pkid, is handed. */
  keys: (holders: readonly KeyHolder[]) => ProcessKeyWire;
  /** There once pkid answers, and NATS is not started before. */
  natsIdentity: () => Identity<'nats'> | undefined;
}

const runFile = join(import.meta.dirname, 'run.ts');
/** Milliseconds to end in order: longer than one of ours takes at most (run.ts), shorter than an init system waits. */
const patience = 10_000;

export function planOf(row: UnitRow, input: PlanInput): UnitPlan {
  const { name } = row;
  if (name === 'nats' || name === 'redis' || name === 'caddy') return enginePlan(name, input);
  const heap = row.heap ?? { old: 128, young: 4 };
  return {
    name,
    label: row.services.length === 0 ? name : `${name} (${row.services.join(', ')})`,
    command: [
      process.execPath,
      // Without it SIGUSR1 would open the inspector: a plaintext listener in front of every secret.
      '--disable-sigusr1',
      `--max-old-space-size=${heap.old}`,
      `--max-semi-space-size=${heap.young}`,
      runFile,
      name,
      input.run.config(`${name}.json`),
    ],
    env: childEnvironment({ NODE_COMPILE_CACHE: input.layout.cache }),
    keys: () => input.keys(keyHoldersOf(row)),
    patience,
  };
}

function enginePlan(name: EngineUnit, input: PlanInput): UnitPlan {
  const { run, island, engines, redisPassword } = input;
  const binary = engines[name];
  const conf = run.config(confFiles[name]);
  const home = run.config(name);
  const args = {
    nats: ['-c', conf],
    redis: [conf],
    caddy: ['run', '--config', conf, '--adapter', 'caddyfile'],
  } as const;
  const attempt = {
    nats: async () => {
      const identity = input.natsIdentity();
      if (identity !== undefined) await natsAnswers(island.internal.nats, identity);
    },
    redis: () => redisAnswers(run, redisPassword),
    caddy: () => caddyAnswers(run),
  } as const;
  return {
    name,
    label: `${name} ${binary.version}`,
    command: [binary.path, ...args[name]],
    cwd: run.dir,
    env: childEnvironment({
      ...engineEnv(binary),
      // Caddy keeps files of its own; they belong to this run.
      ...(name === 'caddy' ? { HOME: home, XDG_DATA_HOME: home, XDG_CONFIG_HOME: home } : {}),
    }),
    answers: (signal) => untilDone(attempt[name], signal),
    patience,
  };
}
