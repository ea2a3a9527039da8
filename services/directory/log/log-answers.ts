/**
 * What the published log says of labels, with all that proves it. docs/protocol/transparency.md §5, §6
 *
 * Answers are of one published epoch as a whole. What an event was never changes, so what is read of it is kept;
 * what is proved of it is made anew, from hashes in memory.
 */
import { encodeAnswer } from '@island/protocol/transparency/answer.ts';
import { accountLabel, labelKinds, nameLabel } from '@island/protocol/transparency/label.ts';
import type { LabelProof } from '@island/protocol/transparency/label-proof.ts';
import type { MapSnapshot } from '@island/protocol/transparency/map-tree.ts';
import { inclusionProof } from '@island/protocol/transparency/tree-proofs.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { type AccountId, accountId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { hex } from '@island/protocol/wire/text.ts';
import type { DirectoryStore } from '../database.ts';
import { proveLabel } from './epoch-draft.ts';
import { positionOfEvent } from './label-map.ts';
import type { LogEntries } from './log-entries.ts';
import type { LogHashes } from './log-hashes.ts';
import type { LogKeys } from './log-keys.ts';
import { newestKept } from './newest-kept.ts';

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
  /** The newest version of an account that is published; 0 for none. */
  versionOf(account: AccountId, at: PublishedEpoch): Promise<number>;
  /** A label has something newer from now on. */
  forget(label: Uint8Array): void;
}

interface KnownLabel {
  place: Uint8Array;
  proof: Uint8Array;
  /** Its newest event; absent when the published log has none. */
  newest?: Step & { position: number };
}

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
  const kept = newestKept<KnownLabel>(mostLabels);
  /** Counts what was forgotten: what was read before that is not kept. */
  let forgotten = 0;

  async function known(label: Uint8Array, { lastEvent }: PublishedEpoch): Promise<KnownLabel> {
    const name = hex(label);
    const before = kept.get(name);
    if (before !== undefined) return before;
    const since = forgotten;
    const [row] = (await store.rows(
      `SELECT l.place, l.proof, e.opening, coalesce(e.state, lists.bytes) AS state,
         ${positionOfEvent} AS position
       FROM log_labels l
       LEFT JOIN log_events e ON e.label = l.id AND e.version = (
         SELECT version FROM log_events WHERE label = l.id AND seq <= ? ORDER BY version DESC LIMIT 1)
       LEFT JOIN lists ON e.state IS NULL AND lists.account = ? AND lists.epoch = e.version
       WHERE l.label = ?`,
      [lastEvent, name.slice(2), label],
    )) as unknown as Partial<LabelRow>[];
    const { place, proof, position } = row ?? {};
    const at = place && proof ? { place, proof } : proveLabel(keys, label);
    const found: KnownLabel =
      typeof position === 'number'
        ? { ...at, newest: { position, ...(await stepOf({ ...row, position })) } }
        : at;
    if (since === forgotten) kept.set(name, found);
    return found;
  }

  async function stepOf({ position, opening, state }: EventRow): Promise<Step> {
    const event = await entries.entry(position);
    // What was erased is shown as nothing.
    return opening
      ? { event, opening, state: state ?? none }
      : { event, opening: noOpening, state: none };
  }

  async function shown(
    kind: LabelProof['kind'],
    label: KnownLabel,
    { size, map }: PublishedEpoch,
  ): Promise<LabelProof> {
    const { place, proof, newest } = label;
    const mapProof = map.prove(place);
    if (newest === undefined) return { kind, vrfProof: proof, mapProof };
    const { position, event, opening, state } = newest;
    const inclusion = await inclusionProof(position, size, hashes.read);
    return {
      ...{ kind, vrfProof: proof, mapProof },
      shown: { eventIndex: position, event, proof: inclusion, opening, state },
    };
  }

  const answer = (at: PublishedEpoch, labels: readonly LabelProof[]): Uint8Array => {
    const { note, epoch, epochProof } = at;
    return encodeAnswer({ note, epoch, epochProof, labels });
  };

  async function accountOf(name: string, at: PublishedEpoch) {
    const label = await known(nameLabel(name), at);
    const { state } = label.newest ?? {};
    return { label, account: state?.length === 16 ? accountId(hex(state)) : undefined };
  }

  return {
    async ofName(name, at) {
      const { label, account } = await accountOf(name, at);
      const labels = [await shown(labelKinds.name, label, at)];
      if (account !== undefined)
        labels.push(await shown(labelKinds.account, await known(accountLabel(account), at), at));
      return answer(at, labels);
    },
    async ofAccount(account, at) {
      const label = await known(accountLabel(account), at);
      return answer(at, [await shown(labelKinds.account, label, at)]);
    },
    async history(name, after, at) {
      const { account } = await accountOf(name, at);
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
    async versionOf(account, { lastEvent }) {
      const [row] = await store.rows(
        `SELECT e.version FROM log_labels l JOIN log_events e ON e.label = l.id
         WHERE l.label = ? AND e.seq <= ? ORDER BY e.version DESC LIMIT 1`,
        [accountLabel(account), lastEvent],
      );
      return typeof row?.['version'] === 'number' ? row['version'] : 0;
    },
    forget(label) {
      forgotten += 1;
      kept.delete(hex(label));
    },
  };
}

interface EventRow {
  position: number;
  opening?: Uint8Array | null;
  state?: Uint8Array | null;
}

interface LabelRow extends EventRow {
  place: Uint8Array | null;
  proof: Uint8Array | null;
}
