/**
 * The next epoch of the log: the entries of all that is new, and the EPOCH behind them. Made in memory; nothing of it
 * is stored or shown before `log-epochs.ts` commits it as a whole. docs/protocol/transparency.md §6
 *
 *     epoch = OPERATOR of each new policy (in the first epoch: policy 1, VRF key 1) ‖ EVENT of each new event ‖ EPOCH
 */
import { setImmediate as turn } from 'node:timers/promises';
import { sha256 } from '@island/protocol/crypto/primitives.ts';
import { signCheckpoint } from '@island/protocol/transparency/checkpoint.ts';
import { commit } from '@island/protocol/transparency/commitment.ts';
import { labelIndex } from '@island/protocol/transparency/label.ts';
import {
  encodeEpoch,
  encodeEvent,
  encodeOperator,
  eventHash,
  noEvent,
  operatorKinds,
} from '@island/protocol/transparency/leaves.ts';
import { mapValue } from '@island/protocol/transparency/map-proof.ts';
import type { LabelMap } from '@island/protocol/transparency/map-tree.ts';
import { leafHash } from '@island/protocol/transparency/tree.ts';
import { inclusionProof, rootAt } from '@island/protocol/transparency/tree-proofs.ts';
import { prove } from '@island/protocol/transparency/vrf.ts';
import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import type { DirectoryStore } from '../database.ts';
import type { GrownEntries, LogEntries } from './log-entries.ts';
import type { GrownTree, LogHashes } from './log-hashes.ts';
import type { LogKeys } from './log-keys.ts';

/** A row of `log_epochs`. */
export interface Epoch {
  number: number;
  /** Entries of the log with it. */
  size: number;
  /** The newest event in the log. */
  lastEvent: number;
  policy: number;
  /** Unix milliseconds. */
  timestamp: number;
  root: Uint8Array;
  mapRoot: Uint8Array;
  mapCount: number;
  /** As the log signed it. */
  note: string;
}

/** The newest event of a label, as `log_labels` keeps it. */
export interface LabelChange {
  id: number;
  label: Uint8Array;
  place: Uint8Array;
  proof: Uint8Array;
  version: number;
  position: number;
  hash: Uint8Array;
}

export interface EpochDraft {
  epoch: Epoch;
  /** The EPOCH, and its inclusion as the last entry. */
  leaf: Uint8Array;
  inclusion: readonly Uint8Array[];
  labels: readonly LabelChange[];
  entries: GrownEntries;
  tree: GrownTree;
}

export interface DraftParts {
  store: DirectoryStore;
  keys: LogKeys;
  hashes: LogHashes;
  entries: LogEntries;
  /** Of the newest epoch: gets the new events. */
  map: LabelMap;
}

interface NewEvent {
  seq: number;
  version: number;
  flags: number;
  opening: Uint8Array;
  state: Uint8Array;
  id: number;
  label: Uint8Array;
  place: Uint8Array | null;
  proof: Uint8Array | null;
  known: number;
  hash: Uint8Array | null;
}

/** Events of one epoch: what waits longer than the work on so many makes up the next. */
export const eventsPerEpoch = 4096;
/** Proofs of the VRF between two turns of the event loop, 0.3 ms each. */
const proofsPerTurn = 8;

/** What the log would gather now. */
async function gather(store: DirectoryStore, before: Epoch | undefined) {
  const policies = (await store.rows(
    'SELECT number, text FROM policies WHERE number > ? ORDER BY number',
    [before?.policy ?? 0],
  )) as unknown as { number: number; text: string }[];
  // The first epoch has no events: a log begins with who vouches for it.
  const events = before === undefined ? [] : await newEvents(store, before.lastEvent);
  return { policies, events };
}

const newEvents = async (store: DirectoryStore, after: number) =>
  (await store.rows(
    `SELECT e.seq, e.version, e.flags, e.opening, coalesce(e.state, lists.bytes) AS state,
       l.id, l.label, l.place, l.proof, l.version AS known, l.hash
     FROM log_events e JOIN log_labels l ON l.id = e.label
     LEFT JOIN lists ON e.state IS NULL AND lists.account = lower(hex(substr(l.label, 2)))
       AND lists.epoch = e.version
     WHERE e.seq > ? ORDER BY e.seq LIMIT ?`,
    [after, eventsPerEpoch],
  )) as unknown as NewEvent[];

/**
 * `undefined` when there is nothing new, unless `always`. What it puts into the map stays there: a draft that could
 * not be stored has to be stored later, never made anew.
 * @param now Unix milliseconds
 */
export async function draftEpoch(
  parts: DraftParts,
  before: Epoch | undefined,
  { now, always }: { now: number; always: boolean },
): Promise<EpochDraft | undefined> {
  const { policies, events } = await gather(parts.store, before);
  if (policies.length + events.length === 0 && !always) return undefined;
  const { keys, map, hashes } = parts;
  const size = before?.size ?? 0;
  const leaves = policies.map(({ number, text }) =>
    encodeOperator({ kind: operatorKinds.policy, number, hash: sha256(utf8Bytes(text)) }),
  );
  if (before === undefined)
    leaves.push(
      encodeOperator({ kind: operatorKinds.vrf, number: 1, hash: sha256(keys.vrf.public) }),
    );
  const labels = await addEvents(parts, events, size, leaves);
  for (const { place, version, position, hash } of labels.values())
    map.set(place, mapValue(version, position, hash));
  const made = {
    timestamp: Math.max(now, before?.timestamp ?? 0),
    mapRoot: Uint8Array.from(map.root),
    mapCount: map.count,
  };
  const leaf = encodeEpoch({ ...made, firstEvent: size });
  leaves.push(leaf);
  const tree = await hashes.grow(size, leaves.map(leafHash));
  const root = await rootAt(tree.size, tree.read);
  const note = signCheckpoint({ origin: keys.origin, size: tree.size, root }, keys.signer);
  return {
    epoch: {
      ...made,
      ...{ number: (before?.number ?? 0) + 1, size: tree.size, root, note },
      lastEvent: events.at(-1)?.seq ?? before?.lastEvent ?? 0,
      policy: policies.at(-1)?.number ?? before?.policy ?? 0,
    },
    leaf,
    inclusion: await inclusionProof(tree.size - 1, tree.size, tree.read),
    labels: [...labels.values()],
    entries: await parts.entries.grow(size, leaves),
    tree,
  };
}

/** Appends an EVENT for each to `leaves`. @returns the newest of each label */
async function addEvents(
  { keys }: DraftParts,
  events: readonly NewEvent[],
  size: number,
  leaves: Uint8Array[],
): Promise<Map<number, LabelChange>> {
  const labels = new Map<number, LabelChange>();
  let proofs = 0;
  for (const event of events) {
    const { id, label, version, flags, opening, state } = event;
    const before = labels.get(id) ?? placeOf(event);
    const { place, proof } = before ?? proved();
    if ((before?.version ?? 0) + 1 !== version) throw new Error('a version of a label is missing');
    const entry = encodeEvent({
      flags,
      index: place,
      version,
      prevEvent: before?.hash ?? noEvent,
      commitment: commit({ label, version, opening, state }),
    });
    const position = size + leaves.push(entry) - 1;
    labels.set(id, { id, label, place, proof, version, position, hash: eventHash(entry) });
    if (proofs === proofsPerTurn) {
      proofs = 0;
      await turn();
    }

    function proved() {
      proofs += 1;
      const { output, proof } = prove(keys.vrf, label);
      return { place: labelIndex(output), proof };
    }
  }
  return labels;
}

const placeOf = ({ place, proof, known, hash }: NewEvent) =>
  place === null || proof === null || hash === null
    ? undefined
    : { place, proof, version: known, hash };
