/**
 * What signing in costs: a whole sign-in of a device through the edge, as CPU of the client and of every
 * process of the island together, beside the bare Argon2id of the client in the same run.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { askInvite, askStatus } from '@island/appliance/operator.ts';
import { register } from '@island/client/joining/registration.ts';
import { nodePlatform } from '@island/client/platform-node.ts';
import { signIn } from '@island/client/sign-in/sign-in.ts';
import { memoryStorage } from '@island/client/storage/memory.ts';
import { kdfFloor } from '@island/protocol/crypto/password.ts';
import { randomBytes } from '@island/protocol/crypto/primitives.ts';
import { formatIslandLink } from '@island/protocol/wire/island-link.ts';
import { fromBase64url } from '@island/protocol/wire/text.ts';
import { childEnvironment } from '@island/services/kit/config.ts';
import type { Scenario } from './scenario.ts';

const command = join(import.meta.dirname, '../appliance/bin/island.mjs');
const rounds = 12;
/** Milliseconds of CPU. */
const budget = { client: 300, island: 60 };
/** Milliseconds of one tick of /proc/PID/stat on Linux. */
const tick = 10;

interface Figures {
  client: number;
  island: number;
  hash: number;
}

/** CPU of this process in milliseconds. */
async function cpu(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** User and system time of processes so far, milliseconds. proc(5): fields 14 and 15, behind the name in brackets. */
async function cpuOf(pids: readonly number[]): Promise<number> {
  let ticks = 0;
  for (const pid of pids) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks * tick;
}

async function run(): Promise<Figures> {
  const data = await mkdtemp(join(tmpdir(), 'island-bench-'));
  const island = spawn(process.execPath, [command, 'up', '--json', '--data', data, '--port', '0'], {
    env: childEnvironment({}),
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ended = once(island, 'close');
  try {
    await once(createInterface({ input: island.stdout }), 'line');
    return await measureAt(data);
  } finally {
    island.kill('SIGTERM');
    await ended;
    await rm(data, { recursive: true, force: true });
  }
}

async function measureAt(data: string): Promise<Figures> {
  const { address, caFingerprint, units, pid } = await askStatus(data);
  const { invite } = await askInvite(data, 1, 3600);
  const to = { address, caFingerprint: fromBase64url(caFingerprint) };
  const joining = { storage: memoryStorage(), platform: nodePlatform, now: Date.now };
  const credentials = { password: 'correct horse battery staple' };
  await register(joining, formatIslandLink({ kind: 'join', ...to, invite }), 'alice', credentials);
  await signIn(joining, credentials);
  const pids = [pid, ...units.flatMap((unit) => (unit.pid === null ? [] : [unit.pid]))];
  const before = await cpuOf(pids);
  const client = await cpu(async () => {
    for (let round = 0; round < rounds; round++) await signIn(joining, credentials);
  });
  const after = await cpuOf(pids);
  const password = new TextEncoder().encode(credentials.password);
  const hash = await cpu(async () => {
    for (let round = 0; round < rounds; round++)
      await nodePlatform.argon2id(password, randomBytes(16), kdfFloor);
  });
  return { client: client / rounds, island: (after - before) / rounds, hash: hash / rounds };
}

let measured: Promise<Figures> | undefined;
const figures = (): Promise<Figures> => {
  measured ??= run();
  return measured;
};

const unit = 'ms of CPU a sign-in';

export const scenarios: readonly Scenario[] = [
  {
    name: 'sign-in: the client',
    unit,
    target: 1,
    better: 'lower',
    yardstickName: `the budget of ${budget.client} ms (stated, not measured)`,
    measure: async () => ({ ours: (await figures()).client, yardstick: budget.client }),
  },
  {
    name: 'sign-in: the whole island',
    unit,
    target: 1,
    better: 'lower',
    yardstickName: `the budget of ${budget.island} ms (stated, not measured)`,
    measure: async () => ({ ours: (await figures()).island, yardstick: budget.island }),
  },
  {
    name: 'sign-in: the client beside its bare hash',
    unit,
    target: 0.8,
    better: 'lower',
    yardstickName: 'Argon2id with 64 MiB and 3 passes',
    async measure() {
      const { client, hash } = await figures();
      return { ours: client, yardstick: hash };
    },
  },
];
