/**
 * A program that opens a log of keys as a directory does and measures it: arguments folder, people, seconds of load,
 * lists that change in a round. One line of JSON on standard output. A process of its own, so that its memory is the
 * directory's and the garbage of nobody else.
 */

import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { ed25519, sha256Into } from '@island/protocol/crypto/primitives.ts';
import {
  type AnswerExpectation,
  accountOfName,
  checkAnswer,
  type VrfCache,
} from '@island/protocol/transparency/answer.ts';
import { nameLabel } from '@island/protocol/transparency/label.ts';
import { accountId } from '@island/protocol/wire/ids.ts';
import { hex } from '@island/protocol/wire/text.ts';
import { type TestKeyLog, testKeyLog } from '@island/services/directory/testing/key-log.ts';
import { openHandle } from '@island/services/kit/store-handle.ts';
import { atRate } from './at-rate.ts';
import {
  accountOf,
  cosigned,
  firstOfThree,
  nameOf,
  realPeople,
  witnessNames,
} from './key-log-people.ts';
import { quantile } from './load.ts';
import { median } from './scenario.ts';

const [dir = '', ...sizes] = process.argv.slice(2);
const [people = 0, seconds = 0, changes = 0] = sizes.map(Number);
const rounds = 3;
/** Milliseconds for one round of epochs, on a machine that has much else to do. */
const patience = 120_000;
const lookupsPerSecond = 1000;
/** Lists that change each second, while lookups go on. */
const changesPerSecond = 50;

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

const tails = (took: readonly number[]) => ({
  p50: quantile(took, 0.5),
  p99: quantile(took, 0.99),
});

/** Clients: everything that they check of an answer, about people that they never asked about and about known ones. */
async function verification({ log }: TestKeyLog) {
  const pins = await log.pinned();
  const answers: { bytes: Uint8Array; person: number; alone: number }[] = [];
  const expectedOf = (person: number, cache?: VrfCache): AnswerExpectation => ({
    ...{ log: pins, labels: [nameLabel(nameOf(person)), accountOfName], allowUnwitnessed: false },
    ...(cache && { cache }),
  });
  for (const person of range(0, realPeople)) {
    const bytes = await log.lookUp(nameOf(person));
    const { labels, cosigners } = checkAnswer(bytes, expectedOf(person));
    const [name, account] = labels;
    if (!name?.present || !account?.present || cosigners.length !== 3)
      throw new Error('an answer does not say what it should');
    const alone = (await log.ofAccount(accountId(hex(name.state)))).length;
    answers.push({ bytes, person, alone });
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
    spent.first.push((await cost(all())).cpu);
    spent.repeated.push((await cost(all(cache))).cpu);
    spent.signatures.push((await cost(signatures)).cpu);
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

/** Epochs out of lists that are stored already, beside what of it is rows and what is hashes. */
async function updates(test: TestKeyLog) {
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

/** People at random, nearly all of them for the first time. */
async function lookups(test: TestKeyLog) {
  const ask = () => test.log.lookUp(nameOf(randomInt(people)));
  const bare = () =>
    test.store.rows('SELECT bytes FROM lists WHERE account = ? AND epoch = 1', [
      accountOf(realPeople + randomInt(people - realPeople)),
    ]);
  await atRate(lookupsPerSecond, 1, ask);
  const reads = tails(await atRate(lookupsPerSecond, seconds, bare));
  let quiet: number[] = [];
  const spent = await cost(async () => {
    quiet = await atRate(lookupsPerSecond, seconds, ask);
  });
  const changing = take(changesPerSecond * seconds);
  const [busy] = await Promise.all([
    atRate(lookupsPerSecond, seconds, ask),
    atRate(changesPerSecond, seconds, async (at) => {
      await test.change(changing.slice(at, at + 1), 2);
      test.log.wake();
    }),
  ]);
  const cpu = (spent.cpu * 1000) / (lookupsPerSecond * seconds);
  return { reads, quiet: tails(quiet), busy: tails(busy), cpu };
}

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
const after = resident();
const answered = await verification(test);
const asked = await lookups(test);
const updated = await updates(test);
const figures = { start, before, after, end: resident(), updated, asked, answered };
process.stdout.write(`${JSON.stringify(figures)}\n`);

export type KeyLogFigures = typeof figures;
