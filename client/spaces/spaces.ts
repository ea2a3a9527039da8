/** The servers that this home's person is in: beginning, joining, changing and leaving them. docs/protocol/channel.md §3 */
import { ed25519, equal, randomBytes } from '@island/protocol/crypto/primitives.ts';
import {
  noEntry,
  openEntry,
  proveInvited,
  type SpaceEntry,
  signEntry,
  spaceIdOf,
} from '@island/protocol/space/entry.ts';
import type { SpaceOp } from '@island/protocol/space/space-op.ts';
import { hashAt, isSameIdentity, type SpaceState } from '@island/protocol/space/space-state.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import {
  type AccountId,
  type ChannelId,
  channelId,
  type SpaceId,
} from '@island/protocol/wire/ids.ts';
import {
  formatIslandLink,
  parseIslandLink,
  type SpaceLink,
} from '@island/protocol/wire/island-link.ts';
import { base64url, hex } from '@island/protocol/wire/text.ts';
import type { Account } from '../account/account.ts';
import type { OwnPerson } from '../people/own-person.ts';
import type { Person } from '../people/people.ts';
import { Problem } from '../problem.ts';
import type { Session } from '../sign-in/session.ts';
import { type Storage, untilCommitted } from '../storage/storage.ts';
import { rootFingerprint } from '../transport/root-fingerprint.ts';
import type { Actors } from './actors.ts';
import type { Following, ShownInvite } from './following.ts';
import { knownSpaces, readSpace, spaceBatch, verifiedEntries } from './space-rows.ts';

export interface Spaces {
  /** Those that I am in, as this home has verified them. */
  all(): Promise<SpaceState[]>;
  /** By what it is called, or by its id. Throws `space_unknown`. */
  find(title: string): Promise<SpaceState>;
  known(space: SpaceId): Promise<SpaceState>;
  /** Its log as this home has verified it, from the first entry on. */
  log(space: SpaceId): AsyncIterable<SpaceEntry>;
  /** Asks the island what is new. Throws as `Following.follow` does. */
  follow(space: SpaceId, signal?: AbortSignal): Promise<SpaceState>;
  /** Asks which spaces there are, and follows each. */
  refresh(signal?: AbortSignal): Promise<SpaceState[]>;
  /**
   * The proved devices of a member that may be given keys; `undefined` where the account is no member, was begun anew
   * since it came, or has ended.
   */
  reader(space: SpaceId, account: AccountId, signal?: AbortSignal): Promise<Person | undefined>;
  /** Looks up whose devices changed. Resolves with the count that a post names. */
  lists(space: SpaceId, signal?: AbortSignal): Promise<number>;
  /** Signs the next entry. Throws what the island and `checkPermitted` refuse it with. */
  act(space: SpaceId, op: SpaceOp, signal?: AbortSignal): Promise<number>;
  /** Begins one, with a channel to talk in. Throws `forbidden`, `space_full`. */
  create(title: string, signal?: AbortSignal): Promise<SpaceState>;
  /** A link by which others come. `expires`: Unix seconds, 0 never; `uses`: 0 any number; `role`: 0 none. */
  invite(
    space: SpaceId,
    terms: { expires: number; uses: number; role: number },
    signal?: AbortSignal,
  ): Promise<string>;
  /** Throws `bad_space_link`, `banned`, `joining_locked`, `space_invite_refused`, and what following throws. */
  join(link: string, how?: { bot: boolean }, signal?: AbortSignal): Promise<SpaceState>;
}

export interface SpacesParts {
  account: Account;
  storage: Storage;
  session: Session;
  own: OwnPerson;
  actors: Actors;
  following: Following;
  /** Unix milliseconds. */
  now: () => number;
}

export const newChannelId = (): ChannelId => channelId(hex(randomBytes(16)));

/** A text channel as it begins. */
export const plainChannel = (name: string) =>
  ({
    ...{ op: 'channel', channel: newChannelId(), kind: 'text', name, topic: '', parent: undefined },
    ...{ position: 0, slowSeconds: 0, history: false, overrides: [] },
  }) as const satisfies SpaceOp;

export function openSpaces(parts: SpacesParts): Spaces {
  const { account: self, storage, session, own, actors, following, now } = parts;
  const { account, device, dsk } = self;

  /** Signs what follows the newest entry that is known, and hands it to the island; others may have been first. */
  async function act(
    space: SpaceId,
    op: SpaceOp,
    signal?: AbortSignal,
    invite?: ShownInvite,
  ): Promise<number> {
    for (;;) {
      const state = await following.known(space);
      if ((await readSpace(storage, space)).forked)
        throw new Problem('space_forked', { title: state.title });
      const before = state.seq;
      const entry = await signed(state, op);
      try {
        const request = { entry: base64url(entry) };
        const { seq } = await session.call('appendEntry', request, signal && { signal });
        await following.took(entry);
        return seq;
      } catch (error) {
        if (!(error instanceof Fault) || error.code !== 'log_moved') throw error;
        const after = await following.follow(space, signal, invite);
        // It was taken, and the answer to that was lost.
        if (equal(hashAt(after, before + 1) ?? noEntry, openEntry(entry).hash)) return before + 1;
        // An island that says so without showing what is new would be asked for ever.
        if (after.seq === before) throw error;
      }
    }
  }

  async function signed(state: SpaceState, op: SpaceOp): Promise<Uint8Array> {
    const { list } = await own.present();
    const time = Math.max(Math.floor(now() / 1000), state.time);
    const place = { space: state.space, seq: state.seq + 1, prev: state.hash, time };
    return signEntry({ ...place, actor: account, device, listEpoch: list.epoch, op }, dsk);
  }

  const mine = async (): Promise<SpaceState[]> => {
    const known = (await knownSpaces(storage)).filter(({ member }) => member);
    return Promise.all(known.map(({ space }) => following.known(space)));
  };

  async function reader(space: SpaceId, of: AccountId, signal?: AbortSignal) {
    const member = (await following.known(space)).members.get(of);
    if (member === undefined) return undefined;
    try {
      const person = await actors.person(member.name, of, signal);
      return isSameIdentity(member, person.list) ? person : undefined;
    } catch (error) {
      if (error instanceof Problem && lost.has(error.code)) return undefined;
      throw error;
    }
  }

  return {
    all: mine,
    known: (space) => following.known(space),
    log: (space) => verifiedEntries(storage, space),
    follow: (space, signal) => following.follow(space, signal),
    reader,
    act,

    async find(title) {
      const all = await mine();
      const found = all.filter((state) => state.title === title || state.space === title);
      const [only] = found;
      if (only === undefined || found.length > 1) throw new Problem('space_unknown');
      return only;
    },

    async refresh(signal) {
      const { spaces } = await session.call('mySpaces', {}, signal && { signal });
      for (const { space, seq } of spaces) {
        const known = await readSpace(storage, space);
        if (known.seq < seq && !known.forked) await following.follow(space, signal);
      }
      const there = new Set(spaces.map(({ space }) => space));
      for (const known of await knownSpaces(storage))
        if (known.member && !there.has(known.space)) await leftBehind(known.space);
      return mine();
    },

    async lists(space, signal) {
      const { lists: after } = await readSpace(storage, space);
      const asked = { space, after };
      const { lists, accounts } = await session.call('spaceLists', asked, signal && { signal });
      if (lists === after) return lists;
      const { members } = await following.follow(space, signal);
      for (const changed of accounts) {
        const member = members.get(changed);
        if (member) await renewed(member.name, changed, signal);
      }
      await untilCommitted(async () => {
        const row = await readSpace(storage, space);
        await storage.commit(spaceBatch({ ...row, lists }));
      });
      return lists;
    },

    async create(title, signal) {
      const { name, list } = await own.present();
      const nonce = randomBytes(16);
      const space = spaceIdOf(nonce, account, list.aik);
      const time = Math.floor(now() / 1000);
      const resets = list.resetCounter;
      const op = { op: 'create', nonce, aik: list.aik, name, resets, title } as const;
      const place = { space, seq: 1, prev: noEntry, time };
      const entry = signEntry({ ...place, actor: account, device, listEpoch: list.epoch, op }, dsk);
      await session.call('createSpace', { entry: base64url(entry) }, signal && { signal });
      await following.follow(space, signal);
      await act(space, plainChannel('general'), signal);
      return following.known(space);
    },

    async invite(space, terms, signal) {
      const seed = randomBytes(32);
      const { public: key } = ed25519.fromSeed(seed);
      await act(space, { op: 'invite', key, ...terms }, signal);
      const { address, root } = self.pinned;
      const caFingerprint = rootFingerprint(root);
      return formatIslandLink({ kind: 'space', address, caFingerprint, space, key: seed });
    },

    async join(text, how = { bot: false }, signal) {
      const { space, key: seed } = spaceLink(text, self.pinned.address);
      const key = ed25519.fromSeed(seed);
      const { name, list } = await own.present();
      const { aik, resetCounter: resets } = list;
      const proof = proveInvited(key, { space, account, aik });
      const shown = { key: base64url(key.public), aik: base64url(aik), proof: base64url(proof) };
      const state = await following.follow(space, signal, shown);
      if (state.members.has(account)) return state;
      const op = {
        op: 'join',
        name,
        aik,
        resets,
        bot: how.bot,
        invite: key.public,
        proof,
      } as const;
      await act(space, op, signal, shown);
      return following.known(space);
    },
  };

  /** The island names it no more: what was there stays to be read. */
  async function leftBehind(space: SpaceId): Promise<void> {
    await untilCommitted(async () => {
      const row = await readSpace(storage, space);
      await storage.commit(spaceBatch({ ...row, member: false }));
    });
  }

  /** Who can't be looked up as who they were is given no keys: `reader` says so, when it comes to it. */
  async function renewed(name: string, of: AccountId, signal?: AbortSignal): Promise<void> {
    try {
      await actors.refresh(name, of, signal);
    } catch (error) {
      if (!(error instanceof Problem && lost.has(error.code))) throw error;
    }
  }
}

/** What a person can be who has no devices that keys may be given to. */
const lost = new Set(['identity_changed', 'person_ended']);

/** Throws `bad_space_link` for anything but an invite to a server of this island. */
function spaceLink(text: string, address: string): SpaceLink {
  try {
    const link = parseIslandLink(text);
    if (link.kind === 'space' && link.address === address) return link;
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
  }
  throw new Problem('bad_space_link');
}
