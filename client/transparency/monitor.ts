/**
 * Looking again at what the log has proved: whoever was shown a version that the owner never saw finds it gone a
 * day later, or the owner finds it there. docs/protocol/transparency.md §8
 *
 *     a version that was first used at t is looked at again at t + 1 day and at t + 7 days
 *
 * One's own account is looked at whenever a home connects, and every ten minutes (account-upkeep.ts).
 */
import type { AccountId } from '@island/protocol/wire/ids.ts';
import * as s from '@island/protocol/wire/schema.ts';
import * as v from 'valibot';
import { presentHere } from '../account/adoption.ts';
import { backoff, pause } from '../backoff.ts';
import { everybody, type People } from '../people/people.ts';
import { Problem, willPass } from '../problem.ts';
import { decodeRecord, encodeRecord } from '../storage/record.ts';
import { type Storage, untilCommitted } from '../storage/storage.ts';
import type { Transport } from '../transport/transport.ts';
import { compareHeard, differences, markTold } from './comparing.ts';
import { allEnded, endedLooked, isEnded } from './ended.ts';
import { dueAt, newlyOverdue } from './overdue.ts';
import { renewPolicy } from './policy-change.ts';
import { allProved, type Proved, provedNamespace, provedOf, putProved } from './proved.ts';
import { type WitnessChange, witnessChange } from './witness-change.ts';

export interface Monitoring {
  storage: Storage;
  transport: Transport;
  people: People;
  /** Unix milliseconds. */
  now: () => number;
  /** The directory is caught, holds something back, or shows others something else: told once for each sentence. */
  onRefused: (error: Error) => void;
  /** Others watch the directory than before, and the person was not told yet (witness-change.ts). */
  onWitnesses?: (change: WitnessChange) => void;
}

/** Milliseconds between two rounds, and how much longer at random: nobody shows by the hour whom they know. */
const interval = 3_600_000;
const jitter = 1_800_000;
/** Looks of one round: each costs a token. */
const looksPerRound = 8;
/** Milliseconds that one's own change may wait for witnesses before a person hears of it. */
const patience = 3_600_000;

export async function keepDirectory(monitoring: Monitoring, signal: AbortSignal): Promise<void> {
  const told = new Set<string>();
  const tell = (error: Error): void => {
    if (!told.has(error.message)) monitoring.onRefused(error);
    told.add(error.message);
  };
  const telling = { ...monitoring, onRefused: tell };
  await lookAtLog(telling, signal);
  await tellOverdue(telling);
  // Whom a home asks about as soon as it is there is whom its person knows.
  await pause(Math.random() * jitter, signal);
  while (!signal.aborted) {
    await lookOnce(telling, signal);
    await pause(interval + Math.random() * jitter, signal);
  }
}

/** One round. */
export async function lookOnce(monitoring: Monitoring, signal: AbortSignal): Promise<void> {
  await lookAtLog(monitoring, signal);
  for (const account of await dueNow(monitoring)) {
    if (signal.aborted) return;
    await look(monitoring, () => lookAgain(monitoring, account, signal), signal);
  }
  await tellOverdue(monitoring);
}

/** What concerns nobody but this home: policies, what others have seen, what this account waits for. */
async function lookAtLog(monitoring: Monitoring, signal: AbortSignal): Promise<void> {
  // Where nobody had to sign before, the old policy would go on being satisfied by anything.
  await look(monitoring, () => renewPolicy(monitoring, signal), signal);
  const change = await witnessChange(monitoring.storage);
  if (change) monitoring.onWitnesses?.(change);
  await look(monitoring, () => compareHeard(monitoring, signal), signal);
  await tellDifferences(monitoring);
  if (await ownWaits(monitoring)) monitoring.onRefused(new Problem('own_unpublished'));
}

/** What may pass is looked at in the next round; what is refused a person has to hear of. */
async function look(
  { onRefused }: Monitoring,
  work: () => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof Error)) throw error;
    if (!willPass(error)) onRefused(error);
    else await pause(backoff(0), signal);
  }
}

/** Contacts who say that they have seen another log: each once, and by name. */
async function tellDifferences({ storage, people, onRefused }: Monitoring): Promise<void> {
  for (const { account, told } of await differences(storage)) {
    if (told) continue;
    const person = await people.known(account);
    if (person) onRefused(new Problem('directory_differs', { name: person.name }));
    await markTold(storage, account);
  }
}

async function tellOverdue({ storage, now, onRefused }: Monitoring): Promise<void> {
  const { account } = (await presentHere(storage)).self;
  const count = await newlyOverdue(storage, account, now());
  if (count !== undefined) onRefused(new Problem('looks_overdue', { count }));
}

/** Without `version`: another device of ours has met them, and nothing was proved here yet. */
type Due = { account: AccountId } & Partial<Proved>;

/** Some of them, in no order: nobody is left out round after round because others could not be asked. */
async function dueNow({ storage, now }: Monitoring): Promise<Due[]> {
  const { account: own } = (await presentHere(storage)).self;
  const at = now();
  const proved = await allProved(storage);
  const met = new Set(proved.map(({ account }) => account));
  const ended = await allEnded(storage);
  const over = new Set(ended.map(({ account }) => account));
  const unproved = (await everybody(storage)).filter(({ account }) => !met.has(account));
  const isDue = (each: Pick<Proved, 'since' | 'looks'>) => at >= dueAt(each);
  const going: Due[] = [...unproved.map(({ account }) => ({ account })), ...proved.filter(isDue)];
  const others = going.filter(({ account }) => account !== own && !over.has(account));
  // An end that one person was shown alone would be taken back behind them.
  const gone = ended.filter(isDue).map(({ account }) => ({ account }));
  return shuffled([...others, ...gone]).slice(0, looksPerRound);
}

function shuffled<T>(items: readonly T[]): T[] {
  const drawn = items.map((item) => ({ item, at: Math.random() }));
  return drawn.toSorted((a, b) => a.at - b.at).map(({ item }) => item);
}

/** The chain to what is newest now must hold what was used then: `refresh` follows it. */
async function lookAgain(
  { storage, people }: Monitoring,
  { account, version, looks = 0 }: Due,
  signal: AbortSignal,
): Promise<void> {
  const person = await people.known(account);
  try {
    if (person) await people.refresh(person.name, signal);
  } catch (error) {
    if (!isEnded(error)) throw error;
    // It was followed to its end: nothing comes behind that.
    await endedLooked(storage, account);
    return;
  }
  if (version === undefined) return;
  await untilCommitted(async () => {
    const row = await storage.read(provedNamespace, account);
    const seen = await provedOf(storage, account);
    // A newer version begins anew.
    if (!row || seen?.version !== version) return;
    await storage.commit({
      put: [putProved(account, { ...seen, looks: looks + 1 })],
      expect: [{ namespace: provedNamespace, key: account, version: row.version }],
    });
  });
}

/** Since when the newest list of this account waits, and which one it is. */
const waiting = v.strictObject({ epoch: s.count, since: v.number() });
const waitingPlace = { namespace: 'transparency', key: 'own-waits' };

/** Whether a list that this account made is kept out of the log for too long: others see an older one meanwhile. */
async function ownWaits({ storage, now }: Monitoring): Promise<boolean> {
  const { self, list } = await presentHere(storage);
  const proved = await provedOf(storage, self.account);
  if ((proved?.version ?? 0) >= list.epoch) return false;
  const row = await storage.read(waitingPlace.namespace, waitingPlace.key);
  const known = row && decodeRecord(waiting, row);
  if (known?.epoch === list.epoch) return now() - known.since > patience;
  const begun = { epoch: list.epoch, since: now() };
  await storage.commit({ put: [{ ...waitingPlace, bytes: encodeRecord(begun) }] });
  return false;
}
