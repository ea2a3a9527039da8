/**
 * Reading posts: each is judged by the log, opened with its author's chain and kept, or refused and counted. Nothing
 * that anybody posts ends the reading of the rest. docs/protocol/channel.md §6
 */

import { encodeChannelBody } from '@island/protocol/crypto/channel-body.ts';
import { CryptoFault } from '@island/protocol/crypto/crypto-fault.ts';
import { decodePostPlaintext, type PostPlaintext } from '@island/protocol/crypto/post-plaintext.ts';
import { openRun } from '@island/protocol/crypto/received-chain.ts';
import { hashAt, type SpaceState } from '@island/protocol/space/space-state.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { type AccountId, type ChannelId, deviceKey } from '@island/protocol/wire/ids.ts';
import { hex } from '@island/protocol/wire/text.ts';
import type { Storage } from '../storage/storage.ts';
import { differenceRow } from './differences.ts';
import type { FeedItemRow } from './feed-rows.ts';
import { callsFor, type Placed, refusedBy, statesAt, wasAllowed } from './judging.ts';
import { checkOrder } from './order.ts';
import { changeChain, readChain } from './received-chains.ts';
import { type Changes, through } from './rows.ts';
import { noteSaid } from './said.ts';
import { checkSeen } from './seen.ts';

export interface ChannelReading {
  account: { account: AccountId };
  storage: Storage;
  /** A post was refused. */
  onRefused: (channel: ChannelId | undefined, why: string) => void;
}

/** What became of a post; rows of what it says are in the changes. */
export type Outcome = Pick<
  FeedItemRow,
  'state' | 'why' | 'id' | 'sentAt' | 'body' | 'sharedBy' | 'calls'
>;

interface Opened {
  placed: Placed;
  plaintext: PostPlaintext;
  sharedBy: AccountId | undefined;
}

type FeedAt = (seq: number) => Promise<Uint8Array | undefined>;

/**
 * Opens posts of a channel, all that were fetched together. `feedAt`: the running hash at a place, as this home has
 * it. Resolves with what became of each, by place.
 */
export async function readPosts(
  { account, storage, onRefused }: ChannelReading,
  state: SpaceState,
  channel: ChannelId,
  posts: readonly Placed[],
  changes: Changes,
  feedAt: FeedAt,
): Promise<Map<number, Outcome>> {
  const outcomes = new Map<number, Outcome>();
  const refuse = (seq: number, why: string): void => {
    onRefused(channel, why);
    outcomes.set(seq, { state: 'refused', why });
  };
  const opened: Opened[] = [];
  for (const group of byChain(posts)) {
    const found = await openGroup({ storage, state, channel, group, changes });
    if (found === undefined) for (const { seq } of group) outcomes.set(seq, { state: 'waiting' });
    for (const each of found ?? [])
      if ('why' in each) refuse(each.placed.seq, each.why);
      else opened.push(each);
  }
  opened.sort((a, b) => a.placed.seq - b.placed.seq);
  const at = statesAt(storage, state.space, state);
  for (const { placed, plaintext, sharedBy } of opened) {
    const { seq, author } = placed;
    const { id, sentAt, seen, body } = plaintext;
    if (!(await wasAllowed(at, channel, placed, body))) {
      refuse(seq, 'not_permitted');
      continue;
    }
    const reading = through(storage, changes);
    const differs = await checkSeen(changes, channel, { seq, author, seen }, feedAt);
    if (differs) changes.put.push(differenceRow(channel, differs));
    const calls = await callsFor(at, channel, placed, body, account.account);
    const said = { seq, author, id: hex(id), sentAt, body };
    await noteSaid(reading, changes, channel, { ...said, calls });
    outcomes.set(seq, {
      ...{ state: 'open', id: said.id, sentAt, body: encodeChannelBody(body) },
      ...(sharedBy && { sharedBy }),
      ...(calls && { calls }),
    });
  }
  return outcomes;
}

/** Posts of one chain, in the order in which they were made. */
function byChain(posts: readonly Placed[]): Placed[][] {
  const groups = new Map<string, Placed[]>();
  for (const placed of posts) {
    const key = `${deviceKey(placed.author, placed.device)} ${hex(placed.post.chain)}`;
    const group = groups.get(key) ?? [];
    groups.set(key, group);
    group.push(placed);
  }
  return [...groups.values()].map((group) =>
    group.sort((a, b) => a.post.iteration - b.post.iteration || a.seq - b.seq),
  );
}

/** `undefined`: the chain is not here. */
async function openGroup(group: {
  storage: Storage;
  state: SpaceState;
  channel: ChannelId;
  group: readonly Placed[];
  changes: Changes;
}): Promise<(Opened | { placed: Placed; why: string })[] | undefined> {
  const { storage, state, channel, changes } = group;
  const [first] = group.group;
  if (first === undefined) return [];
  const { author, device, post } = first;
  const reading = through(storage, changes);
  const known = await readChain(reading, { channel, author, device, id: post.chain });
  if (known === undefined) return undefined;
  const found: (Opened | { placed: Placed; why: string })[] = [];
  const run: { placed: Placed; logHash: Uint8Array }[] = [];
  for (const placed of group.group) {
    const logHash = hashAt(state, placed.post.logSeq);
    const why = refusedBy(state, channel, placed, known.chain);
    if (why !== undefined || logHash === undefined) found.push({ placed, why: why ?? 'log' });
    else run.push({ placed, logHash });
  }
  const { chain, results } = openRun(
    known.chain,
    run.map(({ placed, logHash }) => ({ post: placed.post, context: { author, device, logHash } })),
  );
  const read: Placed[] = [];
  for (const [i, { placed }] of run.entries()) {
    const result = results[i];
    const plaintext = result?.plaintext;
    if (plaintext === undefined) {
      found.push({ placed, why: result?.fault?.code ?? 'undecryptable' });
      continue;
    }
    read.push(placed);
    const said = decoded(plaintext);
    found.push(
      typeof said === 'string'
        ? { placed, why: said }
        : { placed, plaintext: said, sharedBy: chain.sharedBy },
    );
  }
  if (read.length === 0) return found;
  changeChain(changes, chain, known.row);
  const disorder = await checkOrder(reading, changes, channel, post.chain, read);
  if (disorder) changes.put.push(differenceRow(channel, disorder));
  return found;
}

function decoded(plaintext: Uint8Array): PostPlaintext | string {
  try {
    return decodePostPlaintext(plaintext);
  } catch (error) {
    if (error instanceof Fault || error instanceof CryptoFault) return error.code;
    throw error;
  }
}
