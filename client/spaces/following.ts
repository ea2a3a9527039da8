/**
 * Following the log of a space: every entry from the first on, verified, kept, and never another one in its place.
 * docs/protocol/channel.md §3.2
 *
 * Invariant: an entry is in the storage only once it was verified. What the island shows instead of one that is there
 * latches the space: nothing of it is taken any more, here or after a restart.
 */
import { equal } from '@island/protocol/crypto/primitives.ts';
import { openEntry, type SpaceEntry } from '@island/protocol/space/entry.ts';
import { applyEntry, beginSpace, type SpaceState } from '@island/protocol/space/space-state.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId, SpaceId } from '@island/protocol/wire/ids.ts';
import type { RequestText } from '@island/protocol/wire/routes.ts';
import { Problem } from '../problem.ts';
import type { Session } from '../sign-in/session.ts';
import { type Storage, untilCommitted } from '../storage/storage.ts';
import type { Actors } from './actors.ts';
import { channelRows, foldSpace, type KnownSpace, readSpace, spaceBatch } from './space-rows.ts';
import { vouches } from './vouching.ts';

export interface FollowingParts {
  account: { account: AccountId };
  storage: Storage;
  session: Session;
  actors: Actors;
}

export type ShownInvite = RequestText<'spaceLog'>['invite'];

export interface Following {
  /** As far as this home has verified it. Throws `space_unknown`. */
  known(space: SpaceId): Promise<SpaceState>;
  /**
   * Asks the island for what is new, and takes what holds. `invite`: of whoever is no member yet. Throws
   * `space_forked`, `space_forged`, `not_found`, and what proving people throws: what was verified before stays.
   */
  follow(space: SpaceId, signal?: AbortSignal, invite?: ShownInvite): Promise<SpaceState>;
  /** The island took an entry that this device signed: also by whoever is no member behind it. */
  took(bytes: Uint8Array): Promise<void>;
}

/** Entries that are held in memory because nobody has vouched for them yet. */
const mostWaiting = 5_000;

export function openFollowing({ account, storage, session, actors }: FollowingParts): Following {
  const states = new Map<SpaceId, SpaceState>();
  const turns = new Map<SpaceId, Promise<unknown>>();

  /** The rows are the truth: another process of this home may have gone on. */
  async function present(space: SpaceId): Promise<{ row: KnownSpace; state?: SpaceState }> {
    const row = await readSpace(storage, space);
    const there = states.get(space);
    if (there?.seq === row.seq) return { row, state: there };
    if (row.seq === 0) return { row };
    const state = await foldSpace(storage, space, row.seq);
    if (state === undefined) return { row };
    states.set(space, state);
    return { row, state };
  }

  const forked = async (row: KnownSpace, state: SpaceState | undefined): Promise<Problem> => {
    await untilCommitted(async () => {
      const now = await readSpace(storage, row.space);
      await storage.commit(spaceBatch({ ...now, forked: true }));
    });
    return new Problem('space_forked', { title: state?.title ?? row.space });
  };

  /**
   * The entries, each verified by who made it, and what they come to. One of an account that has ended can't be
   * proved any more: it counts when somebody who can be proved went on from it, who could have done the same
   * (vouching.ts); or anybody, of what this home is shown when it first asks. What is not sure changes nothing.
   */
  async function verified(
    state: SpaceState | undefined,
    entries: readonly SpaceEntry[],
    first: boolean,
    signal: AbortSignal | undefined,
  ): Promise<{ sure: readonly SpaceEntry[]; state: SpaceState | undefined }> {
    await actors.meet(entries, signal);
    let [ahead, kept, sure] = [state, state, 0];
    let unproved: SpaceEntry[] = [];
    for (const [at, entry] of entries.entries()) {
      const word = await actors.verify(entry, ahead, signal);
      if (word === 'later') break;
      if (word === 'ended') unproved.push(entry);
      else unproved = first ? [] : unproved.filter((each) => !vouches(kept, entry.actor, each));
      if (unproved.length > 0 && ahead === kept) ahead = ahead && structuredClone(ahead);
      ahead = followedBy(ahead, entry);
      if (unproved.length === 0) [kept, sure] = [ahead, at + 1];
    }
    return { sure: entries.slice(0, sure), state: kept };
  }

  async function take(
    space: SpaceId,
    signal?: AbortSignal,
    invite?: ShownInvite,
  ): Promise<SpaceState> {
    let first: boolean | undefined;
    /** Shown, and not sure yet: somebody further on may vouch for them. */
    let waiting: SpaceEntry[] = [];
    for (;;) {
      const { row, state } = await present(space);
      if (row.forked) throw new Problem('space_forked', { title: state?.title ?? space });
      first ??= row.seq === 0;
      waiting = waiting.filter(({ seq }) => seq > row.seq);
      const after = row.seq + waiting.length;
      const request = { space, after, ...(invite && { invite }) };
      const answer = await session.call('spaceLog', request, signal && { signal });
      if (answer.seq < row.seq) throw await forked(row, state);
      const more = answer.entries.map(openEntry);
      const entries = [...waiting, ...more];
      const [next] = entries;
      if (next === undefined || more.length === 0) {
        if (state === undefined) throw new Fault('not_found');
        return state;
      }
      if (entries.some((entry) => entry.space !== space)) throw new Fault('malformed');
      const follows = next.seq === row.seq + 1 && (!state || equal(next.prev, state.hash));
      if (!follows) throw await forked(row, state);
      // From here on the state in memory may be ahead of the rows.
      states.delete(space);
      const found = await verified(state, entries, first, signal);
      const last = found.sure.at(-1);
      if (last && found.state) await keep(row, found.state, found.sure);
      waiting = entries.slice(found.sure.length);
      const all = (entries.at(-1)?.seq ?? 0) >= answer.seq || waiting.length > mostWaiting;
      if (!all) continue;
      if (found.state) return found.state;
      throw new Problem('space_forged', { title: space, name: '?' });
    }
  }

  async function keep(row: KnownSpace, state: SpaceState, entries: readonly SpaceEntry[]) {
    const member = state.members.has(account.account) && !state.closed;
    const batch = spaceBatch({ ...row, seq: state.seq, member }, entries);
    const places = await channelRows(storage, row.space, entries);
    if (places === undefined) throw new Problem('space_forged', { title: state.title, name: '?' });
    await storage.commit({
      put: [...batch.put, ...places.put],
      expect: [...batch.expect, ...places.expect],
    });
    states.set(row.space, state);
  }

  /** One after the other: what is verified twice is stored once. */
  function inTurn<T>(space: SpaceId, work: () => Promise<T>): Promise<T> {
    const turn = (turns.get(space) ?? Promise.resolve()).then(() => untilCommitted(work));
    const settled = turn.catch(() => undefined);
    turns.set(space, settled);
    void settled.then(() => turns.get(space) === settled && turns.delete(space));
    return turn;
  }

  return {
    took(bytes) {
      const entry = openEntry(bytes);
      return inTurn(entry.space, async () => {
        const { row, state } = await present(entry.space);
        // Others were followed meanwhile, and it with them.
        if (!state || state.seq >= entry.seq) return;
        states.delete(entry.space);
        applyEntry(state, entry);
        await keep(row, state, [entry]);
      });
    },
    async known(space) {
      const { state } = await present(space);
      if (state === undefined) throw new Problem('space_unknown');
      return state;
    },
    follow: (space, signal, invite) => inTurn(space, () => take(space, signal, invite)),
  };
}

/** Whoever signed it, what may not follow is no entry of the log: the island would have refused it. */
function followedBy(state: SpaceState | undefined, entry: SpaceEntry): SpaceState {
  try {
    if (state === undefined) return beginSpace(entry);
    applyEntry(state, entry);
    return state;
  } catch (cause) {
    if (!(cause instanceof Fault)) throw cause;
    const name = state?.members.get(entry.actor)?.name ?? '?';
    throw new Problem('space_forged', { title: state?.title ?? entry.space, name }, { cause });
  }
}
