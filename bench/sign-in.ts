/**
 * What signing in costs: a whole sign-in of a device through the edge, as CPU of the client and of every
 * process of the island together, beside the bare Argon2id of the client in the same run.
 */
import { register } from '@island/client/joining/registration.ts';
import { nodePlatform } from '@island/client/platform-node.ts';
import { signIn } from '@island/client/sign-in/sign-in.ts';
import { memoryStorage } from '@island/client/storage/memory.ts';
import { kdfFloor } from '@island/protocol/crypto/password.ts';
import { randomBytes } from '@island/protocol/crypto/primitives.ts';
import { cpuByName } from './process-cpu.ts';
import { raiseIsland } from './running-island.ts';
import type { Scenario } from './scenario.ts';

const rounds = 12;
/** Milliseconds of CPU. */
const budget = { client: 300, island: 60 };

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

async function run(): Promise<Figures> {
  await using island = await raiseIsland();
  const joining = { storage: memoryStorage(), platform: nodePlatform, now: Date.now };
  const credentials = { password: 'correct horse battery staple' };
  await register(joining, await island.joinLink(1), 'alice', credentials);
  await signIn(joining, credentials);
  const spent = async (): Promise<number> =>
    (await cpuByName(island.pids)).values().reduce((sum, seconds) => sum + seconds * 1000, 0);
  const before = await spent();
  const client = await cpu(async () => {
    for (let round = 0; round < rounds; round++) await signIn(joining, credentials);
  });
  const after = await spent();
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
