/**
 * Direct messages of a whole running island, through its edge, beside prosody with an archive of every
 * message that is as durable: how many a second, what one costs, how long one takes. The two take turns.
 */
import { loadavg } from 'node:os';
import { islandLoad } from './island-load.ts';
import { closedLoop, openLoop, quantile, type Throughput } from './load.ts';
import { prosodyLoad } from './peers/prosody-load.ts';
import { type Effort, type Measured, median, type Scenario } from './scenario.ts';

/** A sealed envelope, and the body of an XMPP message. */
const messageBytes = 1024;

interface Round {
  messages: number;
  /** A second. */
  rate: number;
  /** CPU seconds for 10,000, by process. */
  cpu: ReadonlyMap<string, number>;
  p50: number;
  p99: number;
}

interface Rounds {
  island: Round[];
  twice: Round[];
  prosody: Round[];
  notes: string[];
}

const sum = (values: Iterable<number>): number => [...values].reduce((a, b) => a + b, 0);

function roundOf({ messages, seconds, cpu }: Throughput, latencies: readonly number[]): Round {
  return {
    messages,
    rate: messages / seconds,
    cpu: new Map([...cpu].map(([name, spent]) => [name, (spent * 10_000) / messages])),
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
  };
}

async function run({ quick }: Effort): Promise<Rounds> {
  const rounds = quick ? 1 : 5;
  const seconds = quick ? 2 : 4;
  const span = { seconds, most: seconds * 1000 };
  // First, because it may not be there.
  await using prosody = await prosodyLoad(messageBytes);
  await using island = await islandLoad(messageBytes);
  const loadBefore = loadavg()[0] ?? 0;
  const before = prosody.prosody.rows();
  const warm = await closedLoop(prosody, span);
  const rowsEach = (prosody.prosody.rows() - before) / warm.messages;
  // A young process of ours costs twice as much as one whose code is compiled.
  const long = { seconds: 3 * seconds, most: 3 * span.most };
  const bare = sum((await island.cpu()).values());
  await island.prepare(long.most);
  const issuing = ((sum((await island.cpu()).values()) - bare) * 10_000) / long.most;
  await closedLoop(island, long);
  const all: Rounds = { island: [], twice: [], prosody: [], notes: [] };
  for (let round = 0; round < rounds; round++) {
    for (const [name, server] of [
      ['prosody', prosody],
      ['island', island],
    ] as const) {
      const throughput = await closedLoop(server, span);
      all[name].push(roundOf(throughput, await openLoop(server, seconds)));
    }
    all.twice.push(roundOf(await closedLoop(island.twice, span), []));
  }
  const load = `load average ${loadBefore.toFixed(1)} before, ${(loadavg()[0] ?? 0).toFixed(1)} after`;
  all.notes.push(
    `direct messages: ${rounds} rounds of ${seconds} s, ${load}; prosody ${prosody.prosody.version}.`,
    perProcess('the island', all.island),
    perProcess('the island, two copies', all.twice),
    perProcess('prosody', all.prosody),
    `  not in these figures: the island issued a token for each send beforehand, ${issuing.toFixed(2)} CPU seconds for 10,000`,
    `  rounds, messages a second: the island ${rates(all.island)}; two copies ${rates(all.twice)}; prosody ${rates(all.prosody)}`,
    `  rounds, p99 ms: the island ${p99s(all.island)}; prosody ${p99s(all.prosody)}`,
    `  Not equal: the island is reached through TLS, with mTLS between its processes, prosody in the clear. Prosody commits ${rowsEach.toFixed(1)} rows a message and keeps them; the island one, which is gone after the receipt ("two copies": two, as a sender with another device makes). Prosody's recipients acknowledge each message, the island's every 50 ms. 25 accounts, registered with a fast hash in place of Argon2id; what sends and receives shares the machine.`,
  );
  return all;
}

function perProcess(name: string, rounds: readonly Round[]): string {
  const names = [...(rounds[0]?.cpu.keys() ?? [])];
  const each = names.map((one) => ({
    one,
    cpu: median(rounds.map(({ cpu }) => cpu.get(one) ?? 0)),
  }));
  const shown = each
    .filter(({ cpu }) => cpu >= 0.01)
    .map(({ one, cpu }) => `${one} ${cpu.toFixed(2)}`);
  const whole = median(rounds.map(({ cpu }) => sum(cpu.values())));
  return `  CPU seconds for 10,000, ${name}: ${whole.toFixed(2)} (${shown.join(', ')})`;
}

const rates = (rounds: readonly Round[]): string =>
  rounds.map(({ rate }) => Math.round(rate)).join(' ');
const p99s = (rounds: readonly Round[]): string =>
  rounds.map(({ p99 }) => p99.toFixed(1)).join(' ');

let running: Promise<Rounds> | undefined;

/** A figure of both, as the median over the rounds. */
const figure =
  (of: (round: Round) => number, side: 'island' | 'twice' = 'island') =>
  async (effort: Effort): Promise<Measured> => {
    running ??= run(effort);
    const { notes, ...rounds } = await running;
    const [ours, yardstick] = [rounds[side], rounds.prosody].map((each) => median(each.map(of)));
    return { ours: ours ?? Number.NaN, yardstick: yardstick ?? Number.NaN, notes };
  };

const yardstickName = 'prosody, every message archived (SQLite, WAL, FULL)';
const perCpuSecond = ({ cpu }: Round): number => 10_000 / sum(cpu.values());

export const scenarios: readonly Scenario[] = [
  {
    name: 'direct-messages: cost',
    unit: 'messages per CPU second, all processes',
    target: 10,
    better: 'higher',
    yardstickName,
    measure: figure(perCpuSecond),
  },
  {
    name: 'direct-messages: cost, two copies',
    unit: 'messages per CPU second, all processes',
    target: 10,
    better: 'higher',
    yardstickName,
    measure: figure(perCpuSecond, 'twice'),
  },
  {
    name: 'direct-messages: rate',
    unit: 'durable messages a second, 200 on the way',
    better: 'higher',
    yardstickName,
    measure: figure(({ rate }) => rate),
  },
  {
    name: 'direct-messages: p50',
    unit: 'ms to the recipient at 200 a second',
    better: 'lower',
    yardstickName,
    measure: figure(({ p50 }) => p50),
  },
  {
    name: 'direct-messages: p99',
    unit: 'ms to the recipient at 200 a second',
    target: 2,
    better: 'lower',
    yardstickName,
    measure: figure(({ p99 }) => p99),
  },
];
