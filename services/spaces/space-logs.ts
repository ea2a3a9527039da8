/**
 * The logs of all spaces: entries that were found right, stored one after the other, and what they come to.
 * docs/protocol/channel.md §3
 *
 * Invariant: a state in memory is that of the stored entries. An entry is checked, stored, and only then applied, one
 * at a time for each space.
 */

import { equal } from '@island/protocol/crypto/primitives.ts';
import { openEntry, type SpaceEntry } from '@island/protocol/space/entry.ts';
import { lostBy } from '@island/protocol/space/readers.ts';
import { checkPermitted } from '@island/protocol/space/rules.ts';
import {
  applyEntry,
  beginSpace,
  hashAt,
  type SpaceState,
} from '@island/protocol/space/space-state.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { AccountId, DeviceId, SpaceId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { hex } from '@island/protocol/wire/text.ts';
import type { Bus } from '../kit/bus.ts';
import { type Clock, unixDay, unixSeconds } from '../kit/clock.ts';
import type { Statements } from '../kit/store-handle.ts';
import { checkActor, checkIdentity, type Identity } from './actors.ts';
import { mayBegin } from './beginners.ts';
import { spaces } from './contract.ts';
import { idBytes, type SpacesStore } from './database.ts';
import { writeEffects } from './entry-effects.ts';
import type { SealedRows } from './sealed-rows.ts';

export interface Actor {
  account: AccountId;
  device: DeviceId;
}

export interface SpaceLogs {
  /** @throws not_found */
  stateOf(space: SpaceId): Promise<SpaceState>;
  /** The same for a member. @throws not_found also for whoever is none */
  stateFor(space: SpaceId, account: AccountId): Promise<SpaceState>;
  create(by: Actor, bytes: Uint8Array): Promise<void>;
  /** Resolves after the commit. */
  append(by: Actor, bytes: Uint8Array): Promise<number>;
  /** Entries behind `after`, as many as fit into one answer. */
  entries(space: SpaceId, after: number): Promise<Uint8Array[]>;
  /** What is in memory of it is forgotten: its rows were changed. */
  forget(space: SpaceId): void;
}

/** Seconds that an actor's clock may be ahead of ours. */
const mostAhead = 300;
/** States in memory, and entries that they come from: what a state takes grows with these. */
const mostLoaded = 1_000;
const mostEntries = 1_000_000;
const pageBytes = 400 * 1024;

export function openSpaceLogs(parts: {
  store: SpacesStore;
  bus: Bus;
  clock: Clock;
  rows: SealedRows;
}): SpaceLogs {
  const { store, bus, clock, rows } = parts;
  const loaded = new Map<SpaceId, Promise<SpaceState>>();
  const turns = new Map<SpaceId, Promise<unknown>>();

  async function load(space: SpaceId): Promise<SpaceState> {
    let state: SpaceState | undefined;
    for (let after = 0; ; ) {
      const page = await entries(space, after);
      for (const bytes of page) {
        const entry = openEntry(bytes);
        if (state === undefined) state = beginSpace(entry);
        else applyEntry(state, entry);
        after = entry.seq;
      }
      if (page.length === 0) break;
    }
    if (state === undefined) throw new Fault('not_found');
    return state;
  }

  function stateOf(space: SpaceId): Promise<SpaceState> {
    const there = loaded.get(space);
    const state = there ?? load(space);
    loaded.delete(space);
    loaded.set(space, state);
    if (there) return state;
    state.then(
      () => makeRoom(space),
      () => loaded.get(space) === state && loaded.delete(space),
    );
    return state;
  }

  /** What was asked for longest ago goes first; nothing that an entry is being added to, or that was just asked for. */
  async function makeRoom(newest: SpaceId): Promise<void> {
    let held = 0;
    for (const state of await Promise.allSettled(loaded.values()))
      if (state.status === 'fulfilled') held += state.value.seq;
    for (const [space, state] of loaded) {
      if (loaded.size <= mostLoaded && held <= mostEntries) return;
      if (space === newest || turns.has(space)) continue;
      loaded.delete(space);
      held -= (await state.catch(() => undefined))?.seq ?? 0;
    }
  }

  async function entries(space: SpaceId, after: number): Promise<Uint8Array[]> {
    const of = idBytes(space);
    const found = await store.rows<{ seq: number; entry: Buffer }>(
      'SELECT seq, entry FROM entries WHERE space = ? AND seq > ? ORDER BY seq LIMIT 500',
      [of, after],
    );
    const page: Uint8Array[] = [];
    let bytes = 0;
    for (const { seq, entry } of found) {
      bytes += entry.length;
      if (bytes > pageBytes) break;
      const opened = rows.open(of, seq, entry);
      if (opened === undefined) throw new Fault('internal');
      page.push(opened);
    }
    return page;
  }

  /** One entry of a space at a time; other spaces don't wait. */
  async function inTurn<T>(space: SpaceId, work: () => Promise<T>): Promise<T> {
    const turn = (turns.get(space) ?? Promise.resolve()).then(work);
    const settled = turn.catch(() => undefined);
    turns.set(space, settled);
    try {
      return await turn;
    } finally {
      if (turns.get(space) === settled) turns.delete(space);
    }
  }

  async function opened(
    by: Actor,
    bytes: Uint8Array,
  ): Promise<{ entry: SpaceEntry; identity: Identity }> {
    const entry = openEntry(bytes);
    if (entry.actor !== by.account || entry.device !== by.device) throw new Fault('forbidden');
    if (entry.time > unixSeconds(clock) + mostAhead) throw new Fault('space_invalid');
    const identity = await checkActor(bus, entry);
    return { entry, identity };
  }

  async function put(sql: Statements, entry: SpaceEntry, sealed: Buffer): Promise<void> {
    const space = idBytes(entry.space);
    await sql.run('INSERT INTO entries (space, seq, entry) VALUES (?, ?, ?)', [
      space,
      entry.seq,
      sealed,
    ]);
    await sql.run('UPDATE spaces SET seq = ?, bytes = bytes + ? WHERE space = ?', [
      entry.seq,
      entry.bytes.length,
      space,
    ]);
    await writeEffects(sql, entry, unixDay(clock));
  }

  async function countSpaces(sql: Statements, entry: SpaceEntry): Promise<void> {
    if (entry.op.op !== 'create' && entry.op.op !== 'join') return;
    const account = idBytes(entry.actor);
    const [{ count = 0 } = {}] = await sql.rows<{ count: number }>(
      'SELECT count(*) AS count FROM memberships WHERE account = ?',
      [account],
    );
    const [{ begun = 0 } = {}] = await sql.rows<{ begun: number }>(
      'SELECT count(*) AS begun FROM spaces WHERE owner = ? AND ended IS NULL',
      [account],
    );
    const many = entry.op.op === 'create' && begun >= limits.spacesBegun;
    if (count >= limits.spacesEach || many) throw new Fault('space_full');
  }

  async function mustStand(sql: Statements, space: Buffer): Promise<number> {
    const [row] = await sql.rows<{ lists: number; ended: number | null }>(
      'SELECT lists, ended FROM spaces WHERE space = ?',
      [space],
    );
    if (row === undefined) throw new Fault('not_found');
    if (row.ended !== null) throw new Fault('space_closed');
    return row.lists;
  }

  return {
    stateOf,
    async stateFor(space, account) {
      const state = await stateOf(space);
      if (!state.members.has(account)) throw new Fault('not_found');
      return state;
    },
    entries,
    forget: (space) => void loaded.delete(space),

    async create(by, bytes) {
      const { entry } = await opened(by, bytes);
      const { space } = entry;
      const state = beginSpace(entry);
      const sealed = (await rows.sealer())(idBytes(space), 1, bytes);
      await inTurn(space, async () => {
        const made = await store.write(async (_db, sql) => {
          const id = idBytes(space);
          const [there] = await sql.rows('SELECT seq FROM spaces WHERE space = ?', [id]);
          // A space is begun by one account alone, so this is the same request again, or a second beginning.
          if (there) return false;
          if (!(await mayBegin(sql, by.account))) throw new Fault('forbidden');
          await countSpaces(sql, entry);
          await sql.run(
            'INSERT INTO spaces (space, seq, owner, lists, bytes) VALUES (?, 1, ?, 0, 0)',
            [id, idBytes(by.account)],
          );
          await put(sql, entry, sealed);
          return true;
        });
        if (made) loaded.set(space, Promise.resolve(state));
        else if (!equal((await stateOf(space)).hashes[0] ?? bytes, entry.hash))
          throw new Fault('space_invalid');
      });
    },

    async append(by, bytes) {
      const { entry, identity } = await opened(by, bytes);
      const { space, seq, op } = entry;
      const seal = await rows.sealer();
      return inTurn(space, async () => {
        const state = await stateOf(space);
        // The answer was lost, and others went on meanwhile.
        if (equal(hashAt(state, seq) ?? entry.prev, entry.hash)) return seq;
        // Whoever is no member learns nothing of a space but what their invite shows.
        if (op.op !== 'join' && !state.members.has(by.account)) throw new Fault('not_found');
        checkIdentity(state, entry, identity);
        checkPermitted(state, entry);
        if (op.op === 'join') {
          const { expires = 0 } = state.invites.get(hex(op.invite)) ?? {};
          if (expires > 0 && unixSeconds(clock) > expires) throw new Fault('space_invite_refused');
        }
        const sealed = seal(idBytes(space), seq, bytes);
        const written = store.write(async (_db, sql) => {
          const count = await mustStand(sql, idBytes(space));
          await countSpaces(sql, entry);
          await put(sql, entry, sealed);
          return count;
        });
        // Whether a write that failed was made after all, its rows know.
        const lists = await written.catch((error: unknown) => {
          if (!(error instanceof Fault)) loaded.delete(space);
          throw error;
        });
        applyEntry(state, entry);
        bus.publish(spaces, 'moved', space, { seq, lists });
        for (const [channel, accounts] of lostBy(state, seq))
          bus.publish(spaces, 'shut', channel, { accounts });
        if (op.op === 'removePosts')
          bus.publish(spaces, 'removed', op.channel, { seqs: [...op.seqs] });
        return seq;
      });
    },
  };
}
