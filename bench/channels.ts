/**
 * Channels: one post on its way to a thousand sockets, beside `ws` alone that sends a prepared frame to as many over the
 * same TLS. The two take turns.
 */
import { loadavg } from 'node:os';
import { openFans, sockets } from './channel-fan.ts';
import { type Effort, type Measured, median, type Scenario } from './scenario.ts';

interface Round {
  rate: number;
  perCpu: number;
  delay: number;
}
interface Fans {
  one: [Round[], Round[]];
  eight: [Round[], Round[]];
  memory: [number, number];
  notes: string[];
}

async function run({ quick }: Effort): Promise<Fans> {
  await using held = new AsyncDisposableStack();
  const loadBefore = loadavg()[0] ?? 0;
  const fans = await openFans(held);
  const seconds = quick ? 2 : 4;
  const all: Fans = {
    one: [[], []],
    eight: [[], []],
    memory: [fans[0].memory, fans[1].memory],
    notes: [],
  };
  for (let round = -1; round < (quick ? 1 : 5); round++) {
    for (const [side, fan] of fans.entries()) {
      const [one, eight] = [await fan.run(1, seconds), await fan.run(8, seconds)];
      if (round < 0) continue;
      all.one[side]?.push(one);
      all.eight[side]?.push(eight);
    }
  }
  const shown = (name: string, [ours, bare]: [Round[], Round[]]): string =>
    `  ${name}: gateway ${listed(ours)}; ws alone ${listed(bare)}`;
  all.notes.push(
    `channels, fan-out: ${sockets} sockets over mTLS, posts of 1 KB, load average ${loadBefore.toFixed(1)} before, ${(loadavg()[0] ?? 0).toFixed(1)} after; deliveries a second / a CPU second (thousands), p99 of the delay of the event loop (ms), by round:`,
    shown('one at a time', all.one),
    shown('eight on the way', all.eight),
  );
  return all;
}

const listed = (rounds: readonly Round[]): string =>
  rounds
    .map(
      ({ rate, perCpu, delay }) =>
        `${(rate / 1000).toFixed(0)}/${(perCpu / 1000).toFixed(0)} ${delay.toFixed(0)}`,
    )
    .join(', ');

let running: Promise<Fans> | undefined;

const figure =
  (of: (fans: Fans, side: 0 | 1) => number) =>
  async (effort: Effort): Promise<Measured> => {
    running ??= run(effort);
    const fans = await running;
    return { ours: of(fans, 0), yardstick: of(fans, 1), notes: fans.notes };
  };

const yardstickName = 'ws alone, a prepared frame to each';
const middle = (rounds: readonly Round[], of: (round: Round) => number): number =>
  median(rounds.map(of));

export const scenarios: readonly Scenario[] = [
  {
    name: 'channels: one post a turn',
    unit: 'deliveries per CPU second of the gateway',
    target: 0.8,
    better: 'higher',
    yardstickName,
    measure: figure(({ one }, side) => middle(one[side], ({ perCpu }) => perCpu)),
  },
  {
    name: 'channels: eight on the way',
    unit: 'deliveries per CPU second of the gateway',
    target: 3,
    better: 'higher',
    yardstickName,
    measure: figure(({ eight }, side) => middle(eight[side], ({ perCpu }) => perCpu)),
  },
  {
    name: 'channels: event loop, eight on the way',
    unit: 'ms of delay, p99',
    target: 2,
    better: 'lower',
    yardstickName,
    measure: figure(({ eight }, side) => middle(eight[side], ({ delay }) => delay)),
  },
  {
    name: 'channels: an idle socket that watches',
    unit: 'KB of memory of the gateway',
    target: 0.5,
    better: 'lower',
    yardstickName: 'ws alone',
    measure: figure(({ memory }, side) => memory[side] / 1024),
  },
];
