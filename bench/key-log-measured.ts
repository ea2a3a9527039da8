/**
 * A program that opens a log of keys as a directory does, answers for it over the bus, and says what it cost:
 * arguments folder, people. Started by key-log-asking.ts.
 */
import { join } from 'node:path';
import { sha256Into } from '@island/protocol/crypto/primitives.ts';
import { hex } from '@island/protocol/wire/text.ts';
import { type TestKeyLog, testKeyLog } from '@island/services/directory/testing/key-log.ts';
import type { Bus } from '@island/services/kit/bus.ts';
import { openHandle } from '@island/services/kit/store-handle.ts';
import { atRate } from './at-rate.ts';
import { keyLog } from './key-log-contract.ts';
import { accountOf, cosigned, realPeople, witnessNames } from './key-log-people.ts';
import { answerQuestions, argsOfMeasured } from './measured-process.ts';
import { median } from './scenario.ts';

const [dir = '', number = '0'] = argsOfMeasured();
const people = Number(number);
const rounds = 3;
/** Milliseconds for one round of epochs, on a machine that has much else to do. */
const patience = 120_000;

interface Cost {
  /** CPU seconds of all threads. */
  cpu: number;
  seconds: number;
}

async function cost(work: () => unknown): Promise<Cost> {
  globalThis.gc?.();
  const [cpu, since] = [process.cpuUsage(), performance.now()];
  await work();
  const { user, system } = process.cpuUsage(cpu);
  return { cpu: (user + system) / 1e6, seconds: (performance.now() - since) / 1000 };
}

/** Resident megabytes, after a collection. */
function resident(): number {
  globalThis.gc?.();
  return process.memoryUsage.rss() / 1e6;
}

const range = (from: number, to: number): number[] =>
  Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);

/** People whose lists change, each once, from all over the log. */
function* others(): Generator<ReturnType<typeof accountOf>> {
  // Odd and of no common factor with the number of people: everybody comes once.
  const step = 7_368_787;
  for (let at = 0; at < people; at++) {
    const person = Number((BigInt(at) * BigInt(step)) % BigInt(people));
    if (person >= realPeople) yield accountOf(person);
  }
}
const unchanged = others();
const take = (count: number) => range(0, count).flatMap(() => unchanged.next().value ?? []);

/** Epochs out of lists that are stored already, beside what of it is rows and what is hashes. */
async function updates(test: TestKeyLog, changes: number) {
  await using plain = await openHandle(join(dir, 'yardstick.sqlite'), { write: true });
  await plain.exec('CREATE TABLE entries (id integer primary key, entry blob, hash blob) strict');
  const entry = hex(new Uint8Array(102).fill(1));
  const hash = entry.slice(0, 64);
  async function rows(): Promise<void> {
    for (let at = 0; at < changes; at += 4096) {
      await plain.exec('BEGIN IMMEDIATE');
      for (let from = at; from < Math.min(changes, at + 4096); from += 256)
        await plain.run(
          `INSERT INTO entries (entry, hash)
           SELECT unhex(value ->> 0), unhex(value ->> 1) FROM json_each(?)`,
          [JSON.stringify(range(from, Math.min(changes, from + 256)).map(() => [entry, hash]))],
        );
      await plain.exec('COMMIT');
    }
  }
  const pair = new Uint8Array(65);
  const out = new Uint8Array(32);
  const hashes = () => {
    for (let at = 0; at < changes * 25; at++) sha256Into(pair, out, 0);
  };
  const spent = { ours: [] as Cost[], rows: [] as Cost[], hashes: [] as Cost[] };
  for (const round of range(-1, rounds)) {
    const accounts = take(changes);
    await test.change(accounts, 2);
    test.told.length = 0;
    const ours = await cost(async () => {
      test.log.wake();
      const until = performance.now() + patience;
      while (test.told.length < accounts.length) {
        await test.log.settled();
        if (performance.now() > until) throw new Error('an epoch is not published');
      }
    });
    const [inRows, inHashes] = [await cost(rows), await cost(hashes)];
    if (round < 0) continue;
    spent.ours.push(ours);
    spent.rows.push(inRows);
    spent.hashes.push(inHashes);
  }
  const rate = (costs: readonly Cost[], unit: keyof Cost = 'cpu') =>
    changes / median(costs.map((one) => one[unit]));
  return {
    perCpu: rate(spent.ours),
    perSecond: rate(spent.ours, 'seconds'),
    rows: rate(spent.rows),
    hashes: rate(spent.hashes),
  };
}

/** Lists that change, each an epoch of its own. */
const changing = (
  test: TestKeyLog,
  { perSecond, seconds }: { perSecond: number; seconds: number },
) =>
  atRate(perSecond, seconds, async () => {
    await test.change(take(1), 2);
    test.log.wake();
  });

const before = resident();
let opened: TestKeyLog | undefined;
const start = await cost(async () => {
  opened = await testKeyLog(dir, {
    cosign: async ({ note }) => cosigned(note),
    known: async ({ size }) => new Map(witnessNames.map((name) => [name, size])),
  });
});
if (opened === undefined) throw new Error('the log did not open');
await using test = opened;
const begun = { start, before, after: resident() };

function handle(bus: Bus): void {
  const { log, store } = test;
  bus.handle(keyLog, 'lookup', async ({ name }) => ({ answer: await log.lookUp(name) }));
  bus.handle(keyLog, 'account', async ({ account }) => ({ answer: await log.ofAccount(account) }));
  bus.handle(keyLog, 'row', async ({ account }) => {
    const sql = 'SELECT bytes FROM lists WHERE account = ? AND epoch = 1';
    const [row] = await store.rows<{ bytes: Uint8Array }>(sql, [account]);
    return { answer: row?.bytes ?? new Uint8Array(0) };
  });
}

/** What is asked beside the bus. */
const questions = {
  begun: () => begun,
  pinned: () => test.log.pinned(),
  change: async (about: unknown) => {
    await changing(test, about as { perSecond: number; seconds: number });
  },
  updates: (about: unknown) => updates(test, about as number),
  collect: () => globalThis.gc?.(),
  /** CPU seconds so far, of all threads. */
  cpu: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  },
  resident,
};
await answerQuestions(keyLog, handle, questions);

export type Begun = typeof begun;
export type Updated = Awaited<ReturnType<typeof updates>>;
