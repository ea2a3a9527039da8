/**
 * The directory's log, and the one that takes its place when it was put back to an earlier state and can't go on.
 * docs/protocol/transparency.md §6.7
 *
 *     refused → ended, its successor waits for witnesses → the successor is the log
 *
 * Whoever asks is answered by one of the two, never by a half: who asks while one takes over waits. Which of the
 * three it is, is on the disk; a process that ends goes on where it was.
 */
import { formatVkey } from '@island/protocol/transparency/note.ts';
import { formatPolicy, parsePolicy } from '@island/protocol/transparency/policy.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { backoff, pause } from '../../kit/backoff.ts';
import { unixSeconds } from '../../kit/clock.ts';
import { presentPolicies } from '../policies.ts';
import type { Submission } from '../witness-ask.ts';
import { firstEpoch } from './first-epoch.ts';
import { type DirectoryLog, openDirectoryLog } from './log.ts';
import { openLogEntries } from './log-entries.ts';
import { newestEpochs } from './log-epochs.ts';
import { openLogHashes } from './log-hashes.ts';
import { openLogKeys } from './log-keys.ts';
import {
  followedLog,
  keepSuccessor,
  type Successor,
  takeOver,
  waitingSuccessor,
} from './predecessors.ts';

/** Milliseconds between two tries, where something here does not work. */
const retries = { first: 250, most: 30_000 };

export interface Succeeded {
  vkey: string;
  size: number;
  seen: number;
  waiting: boolean;
}

export interface SucceedingLog extends DirectoryLog {
  /** Throws `forbidden` where no witness has shown that the log was put back, unless it is `forced`. */
  succeed(forced: boolean): Promise<Succeeded>;
}

export async function openSucceedingLog(
  parts: Omit<Parameters<typeof openDirectoryLog>[0], 'over'>,
): Promise<SucceedingLog> {
  const { store, secrets, clock, log, cosign } = parts;
  const ended = new AbortController();
  const asking = new Set<Promise<unknown>>();
  let current: DirectoryLog | undefined;
  let changing: Promise<void> | undefined;
  let waiting: (Submission & { vkey: string }) | undefined;
  let gathering: Promise<void> | undefined;
  let order: Promise<unknown> = Promise.resolve();

  const now = (): DirectoryLog => {
    if (current === undefined) throw new Fault('unavailable');
    return current;
  };

  async function through<T>(ask: (log: DirectoryLog) => Promise<T>): Promise<T> {
    while (changing !== undefined) await changing;
    const asked = ask(now());
    asking.add(asked);
    try {
      return await asked;
    } finally {
      asking.delete(asked);
    }
  }

  /** Closes the log, changes what is stored, and opens what is the log then. */
  async function change(work: () => Promise<void>): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    changing = promise;
    try {
      await Promise.allSettled(asking);
      const before = now();
      current = undefined;
      await before[Symbol.asyncDispose]();
      try {
        await work();
      } finally {
        current = await reopen();
      }
    } finally {
      changing = undefined;
      resolve();
    }
  }

  const open = async () =>
    openDirectoryLog({ ...parts, over: (await waitingSuccessor(store)) !== undefined });

  /** As often as it takes: without a log nobody would be answered before the next start. */
  async function reopen(): Promise<DirectoryLog | undefined> {
    for (let failures = 1; !ended.signal.aborted; failures++) {
      try {
        return await open();
      } catch (error) {
        log.error('log_succeeds', error);
        await pause(backoff(retries, failures), ended.signal);
      }
    }
    return undefined;
  }

  /** What is to follow, as it is made of what is stored. */
  async function successorOf(successor: Successor, vkey: string) {
    const before = ((await followedLog(store))?.number ?? 0) + 1;
    const keys = await openLogKeys(secrets, true, before);
    const tools = { keys, hashes: openLogHashes(store), entries: openLogEntries(store) };
    const follows = { ...successor, vkey };
    return { keys, tools, first: await firstEpoch(tools, { ...successor, follows }) };
  }

  /** Resolves once the successor has taken over, or the directory ends. */
  async function gather(successor: Successor): Promise<void> {
    const { vkey } = now().keys;
    const { keys, tools, first } = await successorOf(successor, vkey);
    const { note, size } = first.epoch;
    const submission = { note, size, first: true as const, proofFrom: async () => [] };
    waiting = { ...submission, vkey: keys.vkey };
    const signed = await cosign({ ...submission, policies: [successor.policy] }, ended.signal);
    await change(async () => {
      const epoch = (await newestEpochs(store)).at(-1);
      if (epoch === undefined) throw new TypeError('a log without an epoch');
      const asked = { successor, former: { vkey, epoch }, first, note: signed };
      await takeOver({ store, ...tools }, { ...asked, now: unixSeconds(clock) });
      waiting = undefined;
    });
    log.warn('log_succeeded', { reason: 'put back' });
  }

  async function persist(successor: Successor): Promise<void> {
    for (let failures = 1; !ended.signal.aborted; failures++) {
      try {
        // What failed in passing may have been done.
        if ((await waitingSuccessor(store)) !== undefined) await gather(successor);
        return;
      } catch (error) {
        if (ended.signal.aborted) return;
        log.error('log_succeeds', error);
        await pause(backoff(retries, failures), ended.signal);
      }
    }
  }

  function begin(successor: Successor): Promise<void> {
    gathering = persist(successor);
    return gathering;
  }

  /** What is stored of a successor before anybody is shown it; the log is closed. */
  async function prepare(ahead: number | undefined): Promise<Successor> {
    const epoch = (await newestEpochs(store)).at(-1);
    const { present } = await presentPolicies(store);
    if (epoch === undefined || present === undefined) throw new TypeError('a log without an epoch');
    const before = ((await followedLog(store))?.number ?? 0) + 1;
    const { signer } = await openLogKeys(secrets, false, before);
    const { size, root } = epoch;
    const logs = [{ vkey: signer.vkey }];
    return {
      policy: formatPolicy({ ...parsePolicy(present.text), logs }),
      ...{ size, root, seen: Math.max(size, ahead ?? 0) },
      timestamp: Math.max(clock.now(), epoch.timestamp),
    };
  }

  async function succeed(forced: boolean): Promise<Succeeded> {
    const known = await waitingSuccessor(store);
    if (known !== undefined) return standingOf(known);
    const { ahead } = now();
    if (now().standing().problem !== 'rolled_back' && !forced) throw new Fault('forbidden');
    // Nothing is signed any more by then: what is said of the log is what there is of it.
    await change(async () => {
      await keepSuccessor(store, await prepare(ahead));
    });
    const next = await waitingSuccessor(store);
    if (next === undefined) throw new TypeError('a successor that was just stored is gone');
    const begun = begin(next);
    // Where nobody has to sign it has taken over when this is answered.
    if (parsePolicy(next.policy).quorum === undefined) await begun;
    return standingOf(next);
  }

  async function standingOf({ policy, size, seen }: Successor): Promise<Succeeded> {
    const [line] = parsePolicy(policy).logs;
    if (line === undefined) throw new TypeError('a policy without its log');
    const isWaiting = (await waitingSuccessor(store)) !== undefined;
    return { vkey: formatVkey(line.vkey), size, seen, waiting: isWaiting };
  }

  current = await open();
  const left = await waitingSuccessor(store);
  if (left !== undefined) void begin(left);

  return {
    get keys() {
      return now().keys;
    },
    get ahead() {
      return now().ahead;
    },
    settled: () => through((at) => at.settled()),
    wake: () => current?.wake(),
    lookUp: (name) => through((at) => at.lookUp(name)),
    ofAccount: (account) => through((at) => at.ofAccount(account)),
    history: (name, after) => through((at) => at.history(name, after)),
    ended: (account, after) => through((at) => at.ended(account, after)),
    placeOf: (label) => through((at) => at.placeOf(label)),
    lastEvent: () => current?.lastEvent() ?? 0,
    versionOf: (account) => through((at) => at.versionOf(account)),
    checkpoint: () => now().checkpoint(),
    submission: () => now().submission(),
    waiting: () => waiting ?? now().waiting(),
    cosigned: (size, signature) => through((at) => at.cosigned(size, signature)),
    standing() {
      if (waiting === undefined) return now().standing();
      const { size, vkey } = waiting;
      return { ...now().standing(), waiting: size, successor: vkey };
    },
    tile: (tile) => through((at) => at.tile(tile)),
    pinned: () => through((at) => at.pinned()),
    policyProof: (number) => through((at) => at.policyProof(number)),
    succeed(forced) {
      const next = order.then(() => succeed(forced));
      order = next.catch(() => undefined);
      return next;
    },
    async [Symbol.asyncDispose]() {
      ended.abort();
      await order;
      await gathering;
      await current?.[Symbol.asyncDispose]();
    },
  };
}
