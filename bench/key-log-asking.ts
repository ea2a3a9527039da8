/**
 * Who asks a log of keys that is measured: lookups at a rate, over the bus as the gateway asks, and clients that check
 * what they are told. The log is in a process of its own (key-log-measured.ts): what is done here costs it nothing.
 */
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { ed25519 } from '@island/protocol/crypto/primitives.ts';
import {
  type AnswerExpectation,
  accountOfName,
  checkAnswer,
  type VrfCache,
} from '@island/protocol/transparency/answer.ts';
import { nameLabel } from '@island/protocol/transparency/label.ts';
import { accountId } from '@island/protocol/wire/ids.ts';
import { hex } from '@island/protocol/wire/text.ts';
import type { LogPinned } from '@island/services/directory/log/log.ts';
import { atRate } from './at-rate.ts';
import { keyLog } from './key-log-contract.ts';
import type { Begun, Updated } from './key-log-measured.ts';
import { accountOf, firstOfThree, nameOf, realPeople } from './key-log-people.ts';
import { quantile } from './load.ts';
import { type MeasuredProcess, startMeasured } from './measured-process.ts';
import { median } from './scenario.ts';

const lookupsPerSecond = 1000;
/** Lists that change each second, while lookups go on. */
const changesPerSecond = 50;

interface Tails {
  p50: number;
  p99: number;
}

export interface KeyLogFigures extends Begun {
  /** Resident megabytes after everything. */
  end: number;
  updated: Updated;
  asked: {
    reads: Tails;
    quiet: Tails;
    busy: Tails;
    /** Milliseconds of the log's process for a lookup, and for a row. */
    cpu: number;
    cpuOfRow: number;
  };
  answered: Awaited<ReturnType<typeof verification>>;
}

/** @param log of so many people, in a folder. `changes`: lists in a round of updates */
export async function measureKeyLog(
  log: { dir: string; people: number },
  { seconds, changes }: { seconds: number; changes: number },
): Promise<KeyLogFigures> {
  const program = join(import.meta.dirname, 'key-log-measured.ts');
  await using measured = await startMeasured(program, [log.dir, String(log.people)], keyLog);
  const begun = (await measured.ask('begun')) as Begun;
  const answered = await verification(measured);
  const asked = await lookups(measured, log.people, seconds);
  const updated = (await measured.ask('updates', changes)) as Updated;
  const end = (await measured.ask('resident')) as number;
  return { ...begun, end, updated, asked, answered };
}

const range = (from: number, to: number): number[] =>
  Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);

const tails = (took: readonly number[]): Tails => ({
  p50: quantile(took, 0.5),
  p99: quantile(took, 0.99),
});

/** CPU seconds of this process. */
function cpuOf(work: () => void): number {
  const since = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1e6;
}

/** Clients: everything that they check of an answer, about people that they never asked about and about known ones. */
async function verification({ bus, ask }: MeasuredProcess) {
  const pins = (await ask('pinned')) as LogPinned;
  const answers: { bytes: Uint8Array; person: number; alone: number }[] = [];
  const expectedOf = (person: number, cache?: VrfCache): AnswerExpectation => ({
    ...{ log: pins, labels: [nameLabel(nameOf(person)), accountOfName], allowUnwitnessed: false },
    ...(cache && { cache }),
  });
  for (const person of range(0, realPeople)) {
    const { answer: bytes } = await bus.call(keyLog, 'lookup', { name: nameOf(person) });
    const { labels, cosigners } = checkAnswer(bytes, expectedOf(person));
    const [name, account] = labels;
    if (!name?.present || !account?.present || cosigners.length !== 3)
      throw new Error('an answer does not say what it should');
    const asked = { account: accountId(hex(name.state)) };
    const { answer } = await bus.call(keyLog, 'account', asked);
    answers.push({ bytes, person, alone: answer.length });
  }
  const cache = new Map<string, Uint8Array>();
  const all = (known?: VrfCache) => () => {
    for (const { bytes, person } of answers) checkAnswer(bytes, expectedOf(person, known));
  };
  const pair = ed25519.generate();
  const signed = new Uint8Array(150);
  const signature = ed25519.sign(pair, signed);
  const signatures = () => {
    for (const _answer of answers)
      for (let i = 0; i < 4; i++) ed25519.verify(pair.public, signed, signature);
  };
  const spent = { first: [] as number[], repeated: [] as number[], signatures: [] as number[] };
  all(cache)();
  for (const _ of range(0, 7)) {
    spent.first.push(cpuOf(all()));
    spent.repeated.push(cpuOf(all(cache)));
    spent.signatures.push(cpuOf(signatures));
  }
  const each = (values: number[]) => (median(values) * 1000) / answers.length;
  const largest = (from: number, to: number, size: 'alone' | 'whole') =>
    Math.max(
      ...answers
        .slice(from, to)
        .map(({ alone, bytes }) => (size === 'alone' ? alone : bytes.length)),
    );
  return {
    first: each(spent.first),
    repeated: each(spent.repeated),
    signatures: each(spent.signatures),
    account: largest(0, firstOfThree, 'alone'),
    whole: largest(0, firstOfThree, 'whole'),
    accountOfThree: largest(firstOfThree, realPeople, 'alone'),
    wholeOfThree: largest(firstOfThree, realPeople, 'whole'),
  };
}

/** People at random, nearly all of them for the first time. */
async function lookups({ bus, ask }: MeasuredProcess, people: number, seconds: number) {
  const look = () => bus.call(keyLog, 'lookup', { name: nameOf(randomInt(people)) });
  const row = () => {
    const account = accountOf(realPeople + randomInt(people - realPeople));
    return bus.call(keyLog, 'row', { account });
  };
  const rate = (work: () => Promise<unknown>) => atRate(lookupsPerSecond, seconds, work);
  async function spentOn(work: () => Promise<unknown>) {
    await ask('collect');
    const before = Number(await ask('cpu'));
    const took = await rate(work);
    const cpu = Number(await ask('cpu')) - before;
    return { took: tails(took), each: (cpu * 1000) / took.length };
  }
  await atRate(lookupsPerSecond, 1, look);
  const reads = await spentOn(row);
  const quiet = await spentOn(look);
  const change = ask('change', { perSecond: changesPerSecond, seconds });
  const busy = tails(await rate(look));
  await change;
  return {
    ...{ reads: reads.took, quiet: quiet.took, busy },
    ...{ cpu: quiet.each, cpuOfRow: reads.each },
  };
}
