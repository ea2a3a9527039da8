/**
 * The log of keys: epochs, answers, what a client does with them, and a witness. A million entries (`--quick`: 20,000,
 * `--nightly`: ten million), built anew by the directory's own modules. docs/protocol/transparency.md §10
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type KeyLogFigures, measureKeyLog } from './key-log-asking.ts';
import { buildKeyLog } from './key-log-build.ts';
import type { Effort, Measured, Scenario } from './scenario.ts';
import { type WitnessFigures, witnessLoad, witnessRate } from './witness-load.ts';

const target = {
  updates: 10_000,
  lookup: 5,
  bytes: 3800,
  first: 10,
  repeated: 2,
  witness: 500,
  witnessed: 20,
  start: 15,
};

function plan({ quick, nightly }: Effort) {
  if (nightly) return { entries: 10_000_000, seconds: 60, changes: 65_536, rounds: 128 };
  return quick
    ? { entries: 20_000, seconds: 3, changes: 2048, rounds: 16 }
    : { entries: 1_000_000, seconds: 10, changes: 16_384, rounds: 64 };
}

interface Figures extends KeyLogFigures {
  entries: number;
  notes: string[];
}

async function run(effort: Effort): Promise<Figures> {
  const { entries, seconds, changes } = plan(effort);
  const dir = await mkdtemp(join(tmpdir(), 'island-bench-'));
  try {
    const since = performance.now();
    const { people } = await buildKeyLog(dir, entries);
    const took = (performance.now() - since) / 1000;
    const figures = await measureKeyLog({ dir, people }, { seconds, changes });
    return { ...figures, entries, notes: notesOf(figures, entries, took) };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

const ms = (value: number): string => `${value.toPrecision(3)} ms`;
const whole = (value: number): string => Math.round(value).toLocaleString('en');

function notesOf(figures: KeyLogFigures, entries: number, took: number): string[] {
  const { start, before, after, end, updated, asked, answered } = figures;
  return [
    `log: ${whole(entries)} entries, built in ${took.toFixed(0)} s; load average ${loadavg()[0]?.toFixed(1)} at the end`,
    `updates: ${whole(updated.perSecond)} a second by the clock`,
    `lookup: p50 ${ms(asked.quiet.p50)} (one row alone ${ms(asked.reads.p50)}), ${ms(asked.cpu)} of CPU each (${ms(asked.cpuOfRow)}), with the bus and without who asks; while lists change p50 ${ms(asked.busy.p50)}`,
    `answers with three devices: ${whole(answered.accountOfThree)} bytes, with the name ${whole(answered.wholeOfThree)}`,
    `start: ${start.cpu.toFixed(1)} s of CPU; resident ${whole(before)} MB before, ${whole(after)} after it, ${whole(end)} after everything`,
  ];
}

let measured: Promise<Figures> | undefined;
const figures = (effort: Effort): Promise<Figures> => {
  measured ??= run(effort);
  return measured;
};

let witnessed: Promise<WitnessFigures> | undefined;
const witness = (effort: Effort): Promise<WitnessFigures> => {
  const { rounds, seconds } = plan(effort);
  witnessed ??= witnessLoad(rounds, seconds);
  return witnessed;
};

const stated = (what: string): string => `the target of ${what} (stated, not measured)`;

/** A row of the log's own process, with the notes of all of them. */
function row(
  name: string,
  unit: string,
  better: Scenario['better'],
  yardstickName: string,
  pick: (figures: Figures) => Measured,
  aim?: number,
): Scenario {
  return {
    ...{ name: `transparency: ${name}`, unit, better, yardstickName },
    ...(aim !== undefined && { target: aim }),
    async measure(effort) {
      const all = await figures(effort);
      return { ...pick(all), notes: all.notes };
    },
  };
}

const perCpu = 'updates a CPU second, durable';
const p99 = 'ms p99 at 1,000 a second';

export const scenarios: readonly Scenario[] = [
  row(
    'updates',
    perCpu,
    'higher',
    stated('10,000'),
    ({ updated }) => ({ ours: updated.perCpu, yardstick: target.updates }),
    1,
  ),
  row('updates, beside their rows', perCpu, 'higher', 'SQLite: an entry and a hash each', (all) => {
    return { ours: all.updated.perCpu, yardstick: all.updated.rows };
  }),
  row('updates, beside their hashes', perCpu, 'higher', 'SHA-256 of 65 bytes, 25 each', (all) => {
    return { ours: all.updated.perCpu, yardstick: all.updated.hashes };
  }),
  row(
    'lookup',
    p99,
    'lower',
    stated('5 ms'),
    ({ asked }) => ({ ours: asked.quiet.p99, yardstick: target.lookup }),
    1,
  ),
  row('lookup, beside a row', p99, 'lower', 'SQLite: one row by its key', ({ asked }) => {
    return { ours: asked.quiet.p99, yardstick: asked.reads.p99 };
  }),
  row('lookup, 50 lists a second change', p99, 'lower', 'lookup, nothing changes', ({ asked }) => {
    return { ours: asked.busy.p99, yardstick: asked.quiet.p99 };
  }),
  row(
    'answer, head and account',
    'bytes',
    'lower',
    stated('3.8 kB'),
    ({ answered }) => ({ ours: answered.account, yardstick: target.bytes }),
    1,
  ),
  row('answer, with the name', 'bytes', 'lower', 'head and account', ({ answered }) => {
    return { ours: answered.whole, yardstick: answered.account };
  }),
  row(
    'client, first time',
    'ms of CPU an answer',
    'lower',
    stated('10 ms'),
    ({ answered }) => ({ ours: answered.first, yardstick: target.first }),
    1,
  ),
  row(
    'client, again',
    'ms of CPU an answer',
    'lower',
    stated('2 ms'),
    ({ answered }) => ({ ours: answered.repeated, yardstick: target.repeated }),
    1,
  ),
  row(
    'client, beside its signatures',
    'ms of CPU an answer',
    'lower',
    'Ed25519: 4 signatures',
    ({ answered }) => ({ ours: answered.repeated, yardstick: answered.signatures }),
  ),
  row(
    'start',
    's until it answers',
    'lower',
    stated('15 s a million'),
    ({ start, entries }) => ({
      ours: start.seconds,
      yardstick: target.start * Math.max(1, entries / 1_000_000),
    }),
    1,
  ),
  row('memory', 'MB resident', 'lower', 'the same process before it', ({ after, before }) => {
    return { ours: after, yardstick: before };
  }),
  {
    name: 'transparency: witness, for a core',
    unit: 'add-checkpoint a CPU second, durable',
    better: 'higher',
    yardstickName: stated('500'),
    target: 1,
    async measure(effort) {
      return { ours: (await witness(effort)).perCpu, yardstick: target.witness };
    },
  },
  {
    name: 'transparency: witness, 64 logs at once',
    unit: 'add-checkpoint a second by the clock',
    better: 'higher',
    yardstickName: stated('500'),
    target: 1,
    async measure(effort) {
      return { ours: (await witness(effort)).perSecond, yardstick: target.witness };
    },
  },
  {
    name: 'transparency: witness',
    unit: `ms p99 at ${witnessRate} a second`,
    better: 'lower',
    yardstickName: stated('20 ms'),
    target: 1,
    async measure(effort) {
      const { p50, p99 } = await witness(effort);
      const note = `witness: p50 ${ms(p50)}; load average ${loadavg()[0]?.toFixed(1)}`;
      return { ours: p99, yardstick: target.witnessed, notes: [note] };
    },
  },
];
