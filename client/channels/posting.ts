/**
 * Posting: what was said in a channel is committed first, then sent, one after the other in each channel.
 * docs/protocol/channel.md §5, §6
 *
 * Invariant: the chain behind a post and its bytes are one commit, made before anything leaves. What is sent again
 * after a lost answer is the same bytes, which the island stores once; only what the island has refused is sealed
 * anew. A post leaves after the keys that read it.
 */

import { CryptoFault } from '@island/protocol/crypto/crypto-fault.ts';
import { encodePostPlaintext } from '@island/protocol/crypto/post-plaintext.ts';
import { sealPost } from '@island/protocol/crypto/sender-chain.ts';
import { keyEpochAt } from '@island/protocol/space/readers.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { ChannelId } from '@island/protocol/wire/ids.ts';
import { fromHex } from '@island/protocol/wire/text.ts';
import type { Account } from '../account/account.ts';
import { backoff, pause } from '../backoff.ts';
import { createBell } from '../bell.ts';
import { Problem, willPass } from '../problem.ts';
import { Conflict, type Storage, untilCommitted } from '../storage/storage.ts';
import { retryAfter } from '../transport/transport.ts';
import { mustAgree } from './differences.ts';
import type { Distribution, Prepared } from './distribution.ts';
import { seenOf } from './feed-rows.ts';
import type { ChannelLine } from './line.ts';
import { chainName, changeOwnChain, presentChain, stepped } from './own-chains.ts';
import { changedPost, type OwnPost, ownPosts, readOwnPost } from './post-rows.ts';
import { batchOf, noChanges } from './rows.ts';

export interface Posting {
  account: Account;
  storage: Storage;
  line: Pick<ChannelLine, 'post'>;
  distribution: Distribution;
  /** Something keeps a post here; it is tried again. */
  onWaiting: (channel: ChannelId, error: Error) => void;
}

/** Times that a post is sealed anew in a row before a pause. */
const mostTries = 4;
/** Seconds that a channel in slow mode is believed to ask for. */
const longestSlow = 21_600;
/** Milliseconds between two looks while something waits. */
const longestLook = 500;

/** Posts what is queued, now and later, until aborted. Throws `signed_out`. */
export async function runPosting(posting: Posting, signal: AbortSignal): Promise<void> {
  const lanes = new Map<ChannelId, Promise<void>>();
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  let failure: unknown;
  using changed = createBell(either);
  using _watch = posting.storage.watch(changed.ring);
  while (!either.aborted) {
    const rows = (await ownPosts(posting.storage)).filter(({ state }) => state === 'queued');
    for (const channel of new Set(rows.map((row) => row.channel))) {
      if (lanes.has(channel)) continue;
      const lane = runLane(posting, channel, either)
        .catch((error: unknown) => {
          if (either.aborted) return;
          failure = error;
          stop.abort();
        })
        .finally(() => lanes.delete(channel));
      lanes.set(channel, lane);
    }
    await changed.next(rows.length > 0 ? longestLook : undefined);
  }
  await Promise.all(lanes.values());
  if (failure !== undefined) throw failure;
}

/** Everything that waits in one channel, unless another process is at it. */
async function runLane(posting: Posting, channel: ChannelId, signal: AbortSignal): Promise<void> {
  using section = await posting.storage.tryLock(`channel ${channel}`);
  if (!section) return;
  for (;;) {
    const rows = (await ownPosts(posting.storage)).filter(
      (row) => row.channel === channel && row.state === 'queued',
    );
    if (rows.length === 0) return;
    for (const { key } of rows) {
      if (signal.aborted) return;
      await deliver(posting, key, signal);
    }
  }
}

async function deliver(posting: Posting, key: string, signal: AbortSignal): Promise<void> {
  let anew = false;
  let tries = 0;
  for (let attempt = 0; !signal.aborted; attempt++) {
    const row = await readOwnPost(posting.storage, key);
    if (row?.state !== 'queued') return;
    try {
      await mustAgree(posting.storage, row.channel);
      const sealed = row.sealed ?? (await sealRow(posting, row, anew, signal));
      if (sealed === undefined) continue;
      // Also after the program was started anew: a post must not be there before its keys are.
      await posting.distribution.given(sealed.chain, signal);
      signal.throwIfAborted();
      const seq = await posting.line.post(sealed.lists, sealed.post, signal);
      await settle(posting.storage, key, { state: 'sent', seq });
      return;
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Conflict) return;
      if (!(error instanceof Error)) throw error;
      if (error instanceof Problem && error.code === 'signed_out') throw error;
      if (isStale(error) && tries < mostTries) {
        tries += 1;
        anew = true;
        await settle(posting.storage, key, { sealed: undefined });
        continue;
      }
      const seconds = slowFor(error);
      if (seconds === undefined && !willPass(error) && !isStale(error) && !isStorage(error)) {
        if (!isStated(error)) throw error;
        await settle(posting.storage, key, { state: 'failed', reason: error.message });
        return;
      }
      tries = 0;
      posting.onWaiting(row.channel, error);
      await pause(Math.max((seconds ?? 0) * 1000, backoff(attempt, retryAfter(error))), signal);
    }
  }
}

type Sealed = NonNullable<OwnPost['sealed']>;

/** `undefined`: the log, the chain or the row moved meanwhile. */
async function sealRow(
  { account, storage, distribution }: Posting,
  row: OwnPost,
  anew: boolean,
  signal: AbortSignal,
): Promise<Sealed | undefined> {
  const { space, channel, id, sentAt, body } = row;
  const prepared = await distribution.prepare(space, channel, signal, anew);
  await distribution.given(prepared.chain, signal);
  if (signal.aborted) return undefined;
  return untilCommitted(async () => {
    const own = await presentChain(storage, channel);
    const present = await readOwnPost(storage, row.key);
    if (present?.version !== row.version) return undefined;
    const seen = await seenOf(storage, channel);
    const plaintext = encodePostPlaintext({ id: fromHex(id), sentAt, seen, body });
    const log = logOf(prepared, channel);
    if (!own || chainName(own.chain) !== prepared.chain || own.chain.epoch !== log.epoch)
      return undefined;
    const { account: author, device } = account;
    const { chain, post } = sealPost(own.chain, { author, device, ...log }, plaintext);
    const sealed = { post, lists: prepared.lists, chain: prepared.chain };
    const changes = noChanges();
    await changeOwnChain(storage, changes, stepped(own, chain, log.logSeq));
    const changed = changedPost(present, { sealed });
    changes.put.push(changed.put);
    changes.expect.push(changed.expect);
    await storage.commit(batchOf(changes));
    return sealed;
  });
}

/** In one breath: the state goes on whenever entries come. */
const logOf = ({ state }: Prepared, channel: ChannelId) => ({
  logSeq: state.seq,
  logHash: state.hash,
  epoch: keyEpochAt(state, channel, state.seq),
});

const settle = (
  storage: Storage,
  key: string,
  change: Partial<Pick<OwnPost, 'state' | 'reason' | 'seq' | 'sealed'>>,
): Promise<void> =>
  untilCommitted(async () => {
    const row = await readOwnPost(storage, key);
    if (!row) return;
    const { put, expect } = changedPost(row, change);
    await storage.commit({ put: [put], expect: [expect] });
  });

const isStale = (error: unknown): boolean =>
  error instanceof Fault &&
  (error.code === 'log_stale' || error.code === 'lists_stale' || error.code === 'log_moved');

/** Seconds that a channel in slow mode asks for. */
function slowFor(error: unknown): number | undefined {
  if (!(error instanceof Fault) || error.code !== 'slow_mode') return undefined;
  const seconds = error.details?.['seconds'];
  return typeof seconds === 'number' && seconds > 0 ? Math.min(seconds, longestSlow) : 1;
}

const isStorage = (error: Error): boolean =>
  error instanceof Problem && (error.code === 'disk_full' || error.code === 'home_unusable');

const isStated = (error: Error): boolean =>
  error instanceof Fault ||
  error instanceof CryptoFault ||
  (error instanceof Problem && error.code !== 'home_damaged');
