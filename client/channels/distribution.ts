/**
 * Who has which chain: before a post, the chain is one of the present key epoch that nobody was given who may not
 * have it, and everybody who may has been given it or is about to be. docs/protocol/channel.md §5, §8
 *
 * Invariant: that a device was given a chain is committed with the row of the outbox that gives it. Keys go to
 * proved devices of members only.
 */

import { noHash } from '@island/protocol/crypto/account-state.ts';
import type { ChannelKeyBody } from '@island/protocol/crypto/channel-key-body.ts';
import { randomBytes } from '@island/protocol/crypto/primitives.ts';
import {
  chainOver,
  channelKeyFrom,
  channelKeyOf,
  makeChain,
} from '@island/protocol/crypto/sender-chain.ts';
import { keyEpochAt, readersOf } from '@island/protocol/space/readers.ts';
import { hashAt, type SpaceState } from '@island/protocol/space/space-state.ts';
import type { AccountId, ChannelId, SpaceId } from '@island/protocol/wire/ids.ts';
import type { Account } from '../account/account.ts';
import { createBell } from '../bell.ts';
import type { OwnPerson } from '../people/own-person.ts';
import type { Person } from '../people/people.ts';
import { Problem } from '../problem.ts';
import { keysRow, waiting } from '../sending/outbox.ts';
import type { Spaces } from '../spaces/spaces.ts';
import { type Append, type Storage, untilCommitted } from '../storage/storage.ts';
import {
  chainName,
  changeOwnChain,
  type GivenDevices,
  givenTo,
  lacksSome,
  lostSome,
  type PresentChain,
  presentChain,
} from './own-chains.ts';
import { takeChain } from './received-chains.ts';
import { batchOf, noChanges } from './rows.ts';

export interface DistributionParts {
  account: Account;
  storage: Storage;
  own: OwnPerson;
  spaces: Pick<Spaces, 'known' | 'follow' | 'lists' | 'reader'>;
  /** Unix milliseconds. */
  now: () => number;
}

/** What the next post is made with. */
export interface Prepared {
  state: SpaceState;
  /** The count of changes of members' devices that was looked up. */
  lists: number;
  /** Of the chain, in hex. */
  chain: string;
}

export interface Distribution {
  /**
   * Follows the log and the devices of members, and makes sure of the chain. `anew`: asks the island whatever was
   * found a moment ago.
   */
  prepare(
    space: SpaceId,
    channel: ChannelId,
    signal: AbortSignal,
    anew?: boolean,
  ): Promise<Prepared>;
  /** Until the island has taken all keys of a chain that nothing but the way there keeps. */
  given(chain: string, signal: AbortSignal): Promise<void>;
}

/** Milliseconds for which what was followed counts as the present. */
const recently = 2_000;
/** People looked up at a time. */
const lookups = 8;

export const channelPlaintext = (body: ChannelKeyBody, sentAt: number) => ({
  id: randomBytes(16),
  sentAt,
  body,
});

/** What a device is given that may read a chain from a place on. */
export const keyFrom = (own: Pick<PresentChain, 'chain'>, place: number, state: SpaceState) => {
  const log = { logSeq: state.seq, logHash: state.hash };
  const { chain } = own;
  return place === chain.keys.next
    ? channelKeyOf(chain, log)
    : channelKeyFrom(chain, place, noHash, log);
};

export function openDistribution(parts: DistributionParts): Distribution {
  const { account, storage, own, spaces, now } = parts;
  const followed = new Map<SpaceId, { at: number; lists: number }>();

  async function present(space: SpaceId, signal: AbortSignal, anew: boolean) {
    const last = followed.get(space);
    if (!anew && last && performance.now() - last.at < recently)
      return { state: await spaces.known(space), lists: last.lists };
    const state = await spaces.follow(space, signal);
    const lists = await spaces.lists(space, signal);
    followed.set(space, { at: performance.now(), lists });
    return { state: await spaces.known(space).catch(() => state), lists };
  }

  /** Whoever can't be proved now is left out: they ask for the chain when they see a post of it. */
  async function readers(
    state: SpaceState,
    channel: ChannelId,
    signal: AbortSignal,
  ): Promise<Person[]> {
    const found: Person[] = [];
    const left = readersOf(state, channel);
    const work = Array.from({ length: lookups }, async () => {
      for (let of = left.pop(); of !== undefined; of = left.pop()) {
        const person = await spaces.reader(state.space, of, signal).catch((error: unknown) => {
          if (signal.aborted || isSignedOut(error)) throw error;
          return undefined;
        });
        if (person) found.push(person);
      }
    });
    await Promise.all(work);
    return found;
  }

  /** The present chain if it may be posted in, or another one. */
  function chainFor(
    known: PresentChain | undefined,
    { space, channel, epoch }: { space: SpaceId; channel: ChannelId; epoch: number },
    there: ReadonlyMap<AccountId, GivenDevices>,
  ): PresentChain {
    const { generation } = account;
    const may =
      known !== undefined &&
      known.generation === generation &&
      chainOver(known.chain, epoch, now()) === undefined &&
      [...known.given].every(([of, given]) => {
        const devices = there.get(of);
        return devices !== undefined && !lostSome(given, devices);
      });
    if (may) return known;
    const chain = makeChain({ space, channel, epoch }, now());
    return { chain, steps: [], generation, given: new Map() };
  }

  const arrange = (state: SpaceState, channel: ChannelId, people: readonly Person[]) =>
    untilCommitted(async () => {
      const { space } = state;
      const epoch = keyEpochAt(state, channel, state.seq);
      const there = new Map(people.map((person) => [person.account, givenTo(person)]));
      const known = await presentChain(storage, channel);
      const chosen = chainFor(known, { space, channel, epoch }, there);
      const chain = chainName(chosen.chain);
      const fresh = known === undefined || chainName(known.chain) !== chain;
      const missing = people.filter((person) =>
        lacksSome(chosen.given.get(person.account), givenTo(person)),
      );
      // Nobody but this device itself has to be given anything.
      if (!fresh && missing.length === 0) return chain;
      const body = keyFrom(chosen, chosen.chain.keys.next, state);
      const plaintext = channelPlaintext(body, now());
      const others = missing.filter(
        ({ account: of, list }) => of !== account.account || list.devices.length > 1,
      );
      const append: Append[] = others.map(({ name, account: of }) =>
        keysRow(name, { space, channel, chain, account: of }, plaintext),
      );
      const given = new Map(chosen.given);
      for (const person of missing) given.set(person.account, givenTo(person));
      const changes = noChanges();
      await changeOwnChain(storage, changes, { ...chosen, given });
      // What this device posts it reads as everybody does, with the chain from its beginning on.
      const itself = { author: account.account, device: account.device };
      if (fresh) await takeChain(storage, changes, body, itself);
      await storage.commit({ ...batchOf(changes), append });
      return chain;
    });

  return {
    async prepare(space, channel, signal, anew = false) {
      const { state, lists } = await present(space, signal, anew);
      if (hashAt(state, state.seq) === undefined) throw new Problem('space_unknown');
      const people = await readers(state, channel, signal);
      const self = await own.present();
      const everybody = people.some((person) => person.account === self.account)
        ? people
        : [...people, self];
      return { state, lists, chain: await arrange(state, channel, everybody) };
    },
    async given(chain, signal) {
      using changed = createBell(signal);
      using _watch = storage.watch(changed.ring);
      while (!signal.aborted) {
        const rows = await waiting(storage);
        if (!rows.some(({ keys }) => keys?.chain === chain && !keys.late)) return;
        await changed.next();
      }
    },
  };
}

const isSignedOut = (error: unknown): boolean =>
  error instanceof Problem && error.code === 'signed_out';
