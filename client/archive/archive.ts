/**
 * The archive of the account on its island: what this home adds to it and takes from it.
 * docs/protocol/archive.md §5
 *
 * One process of a home at a time. A segment is committed before it is sent and sent again until it is
 * in the archive, or another one has taken its place there; only then its rows are settled, or written
 * into the next one. An island that shows less than it has shown before, or anything else, is refused.
 */
import { encodeEntries } from '@island/protocol/crypto/archive-entry.ts';
import { readSegment, sealSegment } from '@island/protocol/crypto/archive-segment.ts';
import type { DeviceList } from '@island/protocol/crypto/device-list.ts';
import { equal } from '@island/protocol/crypto/primitives.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import { type Account, openAccount, readAccount } from '../account/account.ts';
import { needKeys } from '../account/account-keys.ts';
import { openPastLists } from '../account/past-lists.ts';
import { backoff, pause } from '../backoff.ts';
import type { People } from '../people/people.ts';
import { Problem } from '../problem.ts';
import type { Session } from '../sign-in/session.ts';
import { type Storage, untilCommitted } from '../storage/storage.ts';
import { Behind, type Own, openChain } from './chain.ts';
import { collectEntries } from './entries.ts';
import { importSegments } from './import.ts';
import { readyState } from './migration.ts';
import {
  type ArchiveState,
  type Head,
  type Held,
  hasPending,
  type OutgoingSegment,
  outgoingBatch,
  outgoingPlace,
  readOutgoing,
  settleRows,
  stateExpected,
  stateRow,
} from './rows.ts';

export interface ArchiveParts {
  account: Pick<Account, 'account' | 'device' | 'dsk'>;
  storage: Storage;
  session: Session;
  people: Pick<People, 'known'>;
  /** Adopts newer lists and keys of this account: a segment may be of an epoch not known here. */
  renew?: (signal?: AbortSignal) => Promise<unknown>;
}

export interface Progress {
  /** Segments that were read, and that there are. */
  read: number;
  of: number;
  /** Messages that are new here. */
  messages: number;
}

export interface Archive {
  /**
   * Reads what other devices have added, and closes the archive to devices removed since. Resolves with
   * the number of messages that are new here. Throws the Problems of `openChain`, and what a call throws.
   */
  sync(signal?: AbortSignal, onProgress?: (progress: Progress) => void): Promise<number>;
  /** Writes everything that is to be archived. Throws as `sync` does, and `archive_full`. */
  flush(signal?: AbortSignal): Promise<void>;
  /** Whether something is to be archived. */
  pending(): Promise<boolean>;
}

const fenceEntries = encodeEntries([]);
/** Others that may come first with a segment before this device gives up for now. */
const tries = 16;

export function openArchive(parts: ArchiveParts): Archive {
  const { account, storage, session } = parts;
  const lists = openPastLists({ storage, session });
  let opened: { row: Uint8Array; present: DeviceList } | undefined;
  let last: Promise<unknown> = Promise.resolve();

  /** As the storage has it now: other processes adopt lists and keys, too. */
  async function own(): Promise<Own> {
    const record = await readAccount(storage);
    if (!record) throw new Problem('not_registered', { home: storage.place });
    if (!opened || !equal(opened.row, record.list))
      opened = { row: record.list, present: openAccount(record).list };
    const keys = await needKeys(storage);
    return { account: account.account, present: opened.present, keys, lists };
  }

  const options = (signal: AbortSignal | undefined) => (signal ? { signal } : {});

  function alone<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    const turn = last.then(async () => {
      using _section = await storage.lock('archive', signal);
      return await work();
    });
    last = turn.catch(() => undefined);
    return turn;
  }

  /** Imports what is behind `held`; answers the state after it, and how many messages it brought. */
  async function readOn(
    signal: AbortSignal | undefined,
    onProgress?: (progress: Progress) => void,
  ): Promise<number> {
    let held = await readyState(storage);
    const head = await session.call('archiveHead', {}, options(signal));
    checkHead(held.value, head);
    let messages = 0;
    while (held.value.seq < head.seq) {
      const path = { after: String(held.value.seq) };
      const { segments } = await session.call('archiveRead', {}, { path, ...options(signal) });
      if (segments.length === 0) throw new Problem('archive_broken');
      const chain = await openUpToDate(segments, held.value, signal);
      const done = await untilCommitted(async () =>
        importSegments(storage, account.account, await readyState(storage), chain),
      );
      held = done.state;
      messages += done.messages;
      onProgress?.({ read: held.value.seq, of: Math.max(head.seq, held.value.seq), messages });
    }
    if (held.value.seq === head.seq) checkHead(held.value, head);
    if (!held.value.caughtUp) {
      const put = [stateRow({ ...held.value, caughtUp: true })];
      await storage.commit({ put, expect: [stateExpected(held.version)] });
    }
    return messages;
  }

  async function openUpToDate(
    segments: readonly Uint8Array[],
    state: ArchiveState,
    signal: AbortSignal | undefined,
  ) {
    try {
      return await openChain(segments, state, await own(), signal);
    } catch (error) {
      if (!(error instanceof Behind)) throw error;
    }
    await parts.renew?.(signal);
    try {
      return await openChain(segments, state, await own(), signal);
    } catch (error) {
      // The island does not know the list or the key under which it took this.
      if (error instanceof Behind) throw new Problem('archive_forged', {}, { cause: error });
      throw error;
    }
  }

  /** The segment that is on its way, or one of what is to be archived; `fence`: also of nothing. */
  async function nextSegment(
    fence: boolean,
    signal: AbortSignal | undefined,
  ): Promise<Held<OutgoingSegment> | undefined> {
    const kept = await readOutgoing(storage);
    const now = await own();
    const { present, keys } = now;
    if (kept) {
      const { listEpoch, arkEpoch } = readSegment(kept.value.segment);
      if (listEpoch === present.epoch && arkEpoch === keys.arkEpoch) return kept;
      // Whoever has been removed since has that key: it may not be used any more, if it was not.
      await readOn(signal);
      const still = await readOutgoing(storage);
      if (still) await storage.commit({ remove: [outgoingPlace] });
    }
    const { entries, rows } = await collectEntries(storage, parts.people);
    if (!entries && !fence) {
      if (rows.length > 0) await storage.commit(await settleRows(storage, rows));
      return undefined;
    }
    const { value: state } = await readyState(storage);
    const { account: id, device, dsk } = account;
    const head = { account: id, device, seq: state.seq + 1, prevHash: state.hash };
    const epochs = { listEpoch: present.epoch, arkEpoch: keys.arkEpoch };
    const segment = sealSegment({ ...head, ...epochs }, entries ?? fenceEntries, {
      ark: keys.ark,
      dsk,
    });
    const value = { segment, rows };
    const { version } = await storage.commit(outgoingBatch(value));
    return { value, version };
  }

  /** The island has it: the rows are settled and the chain is longer. */
  const settle = ({ value, version }: Held<OutgoingSegment>): Promise<unknown> =>
    untilCommitted(async () => {
      const held = await readyState(storage);
      const { seq, hash, listEpoch, arkEpoch } = readSegment(value.segment);
      const { remove, expect } = await settleRows(storage, value.rows);
      await storage.commit({
        put: [stateRow({ ...held.value, seq, hash, listEpoch, arkEpoch })],
        remove: [...remove, outgoingPlace],
        expect: [...expect, stateExpected(held.version), { ...outgoingPlace, version }],
      });
    });

  async function write(signal: AbortSignal | undefined, fence: boolean): Promise<void> {
    const { value: state } = await readyState(storage);
    // What the account's keys vouch for is read before anything is put behind it.
    if (!state.caughtUp || state.floor) await readOn(signal);
    let fencing = fence;
    for (let attempt = 0; ; ) {
      const outgoing = await nextSegment(fencing, signal);
      if (!outgoing) return;
      const segment = base64url(outgoing.value.segment);
      try {
        await session.call('archiveAppend', { segment }, options(signal));
      } catch (error) {
        if (!(error instanceof Fault)) throw error;
        attempt += 1;
        if (error.code === 'archive_moved') await takeIn(outgoing, signal);
        else if (isOutdated(error) && attempt < tries) await parts.renew?.(signal);
        else throw error;
        if (attempt === tries) throw new Fault('unavailable', undefined, { cause: error });
        await pause(backoff(attempt) / 4, signal);
        signal?.throwIfAborted();
        fencing &&= await isOpen(signal);
        continue;
      }
      await settle(outgoing);
      fencing = false;
    }
  }

  /** Another device was first; the island that says so has to show it. */
  async function takeIn(
    outgoing: Held<OutgoingSegment>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    await readOn(signal);
    const still = await readOutgoing(storage);
    if (still?.version === outgoing.version) throw new Problem('archive_broken');
  }

  /** Whether a device that was removed could still write under a list of before. */
  async function isOpen(signal: AbortSignal | undefined): Promise<boolean> {
    const { value: state } = await readyState(storage);
    const { present } = await own();
    if (state.listEpoch >= present.epoch || present.epoch === 1) return false;
    const before = await lists.at(Math.max(state.listEpoch, 1), present, signal);
    const removed = present.revoked.some(
      ({ device }) => !before.revoked.some((gone) => gone.device === device),
    );
    // The list names no more than the last removals.
    const missing = before.devices.some(
      ({ device }) => !present.devices.some((cert) => cert.device === device),
    );
    return removed || missing;
  }

  return {
    pending: () => hasPending(storage),
    flush: (signal) => alone(signal, () => write(signal, false)),
    sync: (signal, onProgress) =>
      alone(signal, async () => {
        const messages = await readOn(signal, onProgress);
        if (await isOpen(signal)) await write(signal, true);
        return messages;
      }),
  };
}

/** The archive has segments of a newer list or key: the same is made anew under those. */
const isOutdated = ({ code }: Fault): boolean => code === 'stale_list' || code === 'stale_record';

/** An archive never gets shorter, and what was in it stays. */
function checkHead({ seq, hash, floor }: ArchiveState, head: Head): void {
  const known = floor && floor.seq > seq ? floor : { seq, hash };
  if (head.seq < known.seq) throw new Problem('archive_rolled_back');
  if (head.seq === known.seq && !equal(head.hash, known.hash))
    throw new Problem('archive_rolled_back');
}
