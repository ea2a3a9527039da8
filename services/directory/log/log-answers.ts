/**
 * What the published log says of labels, with all that proves it. docs/protocol/transparency.md §5, §6
 *
 * Answers are of one published epoch as a whole. What an event was never changes, so what is read of it is kept;
 * what is proved of it is made anew, from hashes in memory.
 */
import { encodeAnswer } from '@island/protocol/transparency/answer.ts';
import { accountLabel, labelKinds, nameLabel } from '@island/protocol/transparency/label.ts';
import type { LabelProof } from '@island/protocol/transparency/label-proof.ts';
import { isErasure, readEvent } from '@island/protocol/transparency/leaves.ts';
import type { MapSnapshot } from '@island/protocol/transparency/map-snapshot.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { type AccountId, accountId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { hex } from '@island/protocol/wire/text.ts';
import type { DirectoryStore } from '../database.ts';
import { proveLabel } from './epoch-draft.ts';
import { erasedLabel } from './erased-labels.ts';
import type { LogEntries } from './log-entries.ts';
import { positionOfEvent } from './log-epochs.ts';
import type { LogHashes } from './log-hashes.ts';
import type { LogKeys } from './log-keys.ts';
import { oftenKept } from './newest-kept.ts';

/** A published epoch, as long as somebody answers from it. */
export interface PublishedEpoch {
  number: number;
  size: number;
  lastEvent: number;
  policy: number;
  /** Unix milliseconds. */
  timestamp: number;
  /** With the signatures of witnesses. */
  note: string;
  /** The EPOCH and its inclusion. */
  epoch: Uint8Array;
  epochProof: readonly Uint8Array[];
  map: MapSnapshot;
}

/** One version of a label, with what opens its entry. */
export interface Step {
  event: Uint8Array;
  opening: Uint8Array;
  state: Uint8Array;
}

export interface LogAnswers {
  /** Of a name, and of the account that it leads to. */
  ofName(name: string, at: PublishedEpoch): Promise<Uint8Array>;
  ofAccount(account: AccountId, at: PublishedEpoch): Promise<Uint8Array>;
  /** Versions of a name's account. Throws `unknown_person`. */
  history(name: string, after: number, at: PublishedEpoch): Promise<Step[]>;
  /** Of an account that was ended: that it was, and its versions after one. Throws `not_found`. */
  ended(
    account: AccountId,
    after: number,
    at: PublishedEpoch,
  ): Promise<{ answer: Uint8Array; steps: Step[] }>;
  /** The newest version of an account that is published; 0 for none. */
  versionOf(account: AccountId, at: PublishedEpoch): Promise<number>;
  /** An epoch is published from now on, in which these labels have something newer. */
  goOn(number: number, changed: readonly Uint8Array[]): void;
}

interface KnownLabel {
  place: Uint8Array;
  proof: Uint8Array;
  /** Its newest event; absent when the published log has none. */
  newest?: Step & { position: number };
}

interface Asked {
  kind: LabelProof['kind'];
  label: KnownLabel;
}

/** By label, in hex. */
type Loaded = Map<string, KnownLabel>;

/** Up to 5 kB each, mostly less than 1. */
const mostLabels = 8192;
const none = new Uint8Array(0);
const noOpening = new Uint8Array(16);

export function openLogAnswers(parts: {
  store: DirectoryStore;
  keys: LogKeys;
  hashes: LogHashes;
  entries: LogEntries;
}): LogAnswers {
  const { store, keys, hashes, entries } = parts;
  const kept = oftenKept<KnownLabel>(mostLabels);
  /** The newest epoch: what is kept is of it. */
  let newest = 0;

  /** The label, and with a name the account that has it: one question for both. */
  async function load(label: Uint8Array, { lastEvent }: PublishedEpoch): Promise<Loaded> {
    const name = label[0] === labelKinds.name ? Buffer.from(label.subarray(1)).toString() : '';
    const rows = (await store.rows(
      `SELECT l.label, l.place, l.proof, e.entry, e.opening,
         coalesce(e.state, lists.bytes) AS state, ${positionOfEvent} AS position
       FROM log_labels l
       LEFT JOIN log_events e ON e.label = l.id AND e.version = (
         SELECT version FROM log_events WHERE label = l.id AND seq <= ? ORDER BY version DESC LIMIT 1)
       LEFT JOIN lists ON e.state IS NULL AND lists.account = lower(hex(substr(l.label, 2)))
         AND lists.epoch = e.version
       WHERE l.label IN (?, (SELECT unhex('01' || account) FROM names WHERE name = ?))`,
      [lastEvent, label, name],
    )) as unknown as LabelRow[];
    const found: Loaded = new Map();
    for (const row of rows) found.set(hex(row.label), await labelOf(row));
    // Also that there is none, or none any more.
    if (!found.has(hex(label))) found.set(hex(label), await erasedOrNone(label, lastEvent));
    return found;
  }

  /** Of a label that was erased its place alone is known. */
  async function erasedOrNone(label: Uint8Array, lastEvent: number): Promise<KnownLabel> {
    const at = proveLabel(keys, label);
    const [row] = (await store.rows(
      `SELECT l.place, e.entry, e.opening, NULL AS state, ${positionOfEvent} AS position
       FROM log_labels l JOIN log_events e ON e.label = l.id AND e.version = (
         SELECT version FROM log_events WHERE label = l.id AND seq <= ? ORDER BY version DESC LIMIT 1)
       WHERE l.label = ?`,
      [lastEvent, erasedLabel(at.place)],
    )) as unknown as Omit<LabelRow, 'label' | 'proof'>[];
    return row === undefined ? at : labelOf({ ...row, label, proof: at.proof });
  }

  /** @param loaded what the same answer has loaded before, and gets what this loads */
  async function known(label: Uint8Array, at: PublishedEpoch, loaded: Loaded): Promise<KnownLabel> {
    const name = hex(label);
    // Kept is what the newest epoch says: whoever answers from another one finds that out.
    const before = at.number === newest ? kept.get(name) : undefined;
    if (before !== undefined) return before;
    if (!loaded.has(name)) for (const [key, each] of await load(label, at)) loaded.set(key, each);
    const found = loaded.get(name);
    if (found === undefined) throw new Fault('internal');
    // Of an epoch that was overtaken nothing is kept.
    if (at.number === newest) kept.set(name, found);
    return found;
  }

  async function labelOf(row: LabelRow): Promise<KnownLabel> {
    const { label, place, proof, position, entry } = row;
    const at = place && proof ? { place, proof } : proveLabel(keys, label);
    if (typeof position !== 'number') return at;
    const event = entry ?? (await entries.entry(position));
    return { ...at, newest: { position, ...opened(event, row) } };
  }

  async function stepOf(row: EventRow): Promise<Step> {
    return opened(await entries.entry(row.position), row);
  }

  /** A name, and perhaps the account that it leads to; or an account. */
  async function answer(at: PublishedEpoch, asked: readonly Asked[]): Promise<Uint8Array> {
    const { note, epoch, epochProof, size, map } = at;
    const positions = asked.flatMap(({ label }) => label.newest?.position ?? []);
    const inclusions = await hashes.inclusions(positions, size);
    const labels = asked.map(({ kind, label: { place, proof: vrfProof, newest } }): LabelProof => {
      const mapProof = map.prove(place);
      if (newest === undefined) return { kind, vrfProof, mapProof };
      const { position: eventIndex, event, opening, state } = newest;
      // It was erased since this epoch: the next one says so.
      if (state.length === 0 && !isErasure(readEvent(event))) throw new Fault('unavailable');
      const proof = inclusions.shift() ?? [];
      return { kind, vrfProof, mapProof, shown: { eventIndex, event, proof, opening, state } };
    });
    return encodeAnswer({ note, epoch, epochProof, labels });
  }

  async function accountOf(name: string, at: PublishedEpoch, loaded: Loaded) {
    const label = await known(nameLabel(name), at, loaded);
    const { state } = label.newest ?? {};
    return { label, account: state?.length === 16 ? accountId(hex(state)) : undefined };
  }

  return {
    async ofName(name, at) {
      const loaded: Loaded = new Map();
      const { label, account } = await accountOf(name, at, loaded);
      const asked: Asked[] = [{ kind: labelKinds.name, label }];
      if (account !== undefined)
        asked.push({
          kind: labelKinds.account,
          label: await known(accountLabel(account), at, loaded),
        });
      return answer(at, asked);
    },
    async ofAccount(account, at) {
      const label = await known(accountLabel(account), at, new Map());
      return answer(at, [{ kind: labelKinds.account, label }]);
    },
    async history(name, after, at) {
      const { account } = await accountOf(name, at, new Map());
      if (account === undefined) throw new Fault('unknown_person');
      const rows = (await store.rows(
        `SELECT e.opening, coalesce(e.state, lists.bytes) AS state, ${positionOfEvent} AS position
         FROM log_labels l JOIN log_events e ON e.label = l.id
         LEFT JOIN lists ON e.state IS NULL AND lists.account = ? AND lists.epoch = e.version
         WHERE l.label = ? AND e.version > ? AND e.seq <= ? ORDER BY e.version LIMIT ?`,
        [account, accountLabel(account), after, at.lastEvent, limits.listsPerAnswer],
      )) as unknown as EventRow[];
      return Promise.all(rows.map(stepOf));
    },
    async ended(account, after, at) {
      const label = await known(accountLabel(account), at, new Map());
      if (label.newest === undefined || !isErasure(readEvent(label.newest.event)))
        throw new Fault('not_found');
      const rows = (await store.rows(
        `SELECT ${positionOfEvent} AS position FROM log_labels l JOIN log_events e ON e.label = l.id
         WHERE l.label IN (?, ?) AND e.version > ? AND e.seq <= ? ORDER BY e.version LIMIT ?`,
        [
          ...[accountLabel(account), erasedLabel(label.place)],
          ...[after, at.lastEvent, limits.listsPerAnswer],
        ],
      )) as unknown as { position: number }[];
      const steps = rows.map(({ position }) => stepOf({ position, opening: null, state: null }));
      const shown = await answer(at, [{ kind: labelKinds.account, label }]);
      return { answer: shown, steps: await Promise.all(steps) };
    },
    async versionOf(account, { lastEvent }) {
      const [row] = await store.rows(
        `SELECT e.version FROM log_labels l JOIN log_events e ON e.label = l.id
         WHERE l.label = ? AND e.seq <= ? ORDER BY e.version DESC LIMIT 1`,
        [accountLabel(account), lastEvent],
      );
      return typeof row?.['version'] === 'number' ? row['version'] : 0;
    },
    goOn(number, changed) {
      newest = number;
      for (const label of changed) kept.delete(hex(label));
    },
  };
}

/** What was erased is shown as nothing. */
const opened = (event: Uint8Array, { opening, state }: Omit<EventRow, 'position'>): Step =>
  opening === null
    ? { event, opening: noOpening, state: none }
    : { event, opening, state: state ?? none };

interface EventRow {
  position: number;
  opening: Uint8Array | null;
  state: Uint8Array | null;
}

interface LabelRow extends Omit<EventRow, 'position'> {
  label: Uint8Array;
  place: Uint8Array | null;
  proof: Uint8Array | null;
  /** The newest event that is published. */
  entry: Uint8Array | null;
  position: number | null;
}
