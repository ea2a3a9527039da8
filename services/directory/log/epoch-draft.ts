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
  isErasure,
  noEvent,
  operatorKinds,
  readEvent,
} from '@island/protocol/transparency/leaves.ts';
import { mapValue } from '@island/protocol/transparency/map-proof.ts';
import type { LabelMap } from '@island/protocol/transparency/map-tree.ts';
import { inclusionProof, rootAt } from '@island/protocol/transparency/tree-proofs.ts';
import { prove } from '@island/protocol/transparency/vrf.ts';
import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import type { DirectoryStore } from '../database.ts';
import type { GrownEntries, LogEntries } from './log-entries.ts';
import { positionOf } from './log-epochs.ts';
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

/** The newest event of a label. */
export interface LabelChange {
  id: number;
  label: Uint8Array;
  place: Uint8Array;
  /** Absent where place and proof are stored already. */
  proof?: Uint8Array;
  version: number;
  /** The EVENT. */
  entry: Uint8Array;
}

export interface EpochDraft {
  epoch: Epoch;
  /** The EPOCH, and its inclusion as the last entry. */
  leaf: Uint8Array;
  inclusion: readonly Uint8Array[];
  labels: readonly LabelChange[];
  /** The EVENT of each event behind that of the epoch before, in their order. */
  events: readonly Uint8Array[];
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
  /** The EVENT, where the log before this one had it. */
  entry: Uint8Array | null;
  /** That of the label's event before it. */
  former: Uint8Array | null;
}

/** Events of one epoch: what waits longer than the work on so many makes up the next. */
export const eventsPerEpoch = 4096;
/** Of one question to the database. */
const eventsPerPage = 128;
/** Between two turns of the event loop, so that answers need not wait: events 20 µs each, proofs of the VRF 0.4 ms. */
const eventsPerTurn = 32;
const proofsPerTurn = 2;
/** Nodes of the map: 3 µs each. */
const nodesPerTurn = 192;

/** Policies that the log does not have yet. */
const newPolicies = async (store: DirectoryStore, before: Epoch | undefined) =>
  (await store.rows('SELECT number, text FROM policies WHERE number > ? ORDER BY number', [
    before?.policy ?? 0,
  ])) as unknown as { number: number; text: string }[];

const newEvents = async (store: DirectoryStore, after: number) =>
  (await store.rows(
    `SELECT e.seq, e.version, e.flags, e.opening, coalesce(e.state, lists.bytes) AS state,
       l.id, l.label, l.place, e.entry, former.entry AS former
     FROM log_events e JOIN log_labels l ON l.id = e.label
     LEFT JOIN log_events former ON former.label = e.label AND former.version = e.version - 1
     LEFT JOIN lists ON e.state IS NULL AND lists.account = lower(hex(substr(l.label, 2)))
       AND lists.epoch = e.version
     WHERE e.seq > ? ORDER BY e.seq LIMIT ?`,
    [after, eventsPerPage],
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
  const { store, keys, map, hashes } = parts;
  const policies = await newPolicies(store, before);
  // The first epoch has no events: a log begins with who vouches for it.
  const events = before === undefined ? [] : await newEvents(store, before.lastEvent);
  if (policies.length + events.length === 0 && !always) return undefined;
  const size = before?.size ?? 0;
  const leaves = policies.map(({ number, text }) =>
    encodeOperator({ kind: operatorKinds.policy, number, hash: sha256(utf8Bytes(text)) }),
  );
  if (before === undefined)
    leaves.push(
      encodeOperator({ kind: operatorKinds.vrf, number: 1, hash: sha256(keys.vrf.public) }),
    );
  const added = await addEvents(parts, events, size, leaves);
  const made = {
    timestamp: Math.max(now, before?.timestamp ?? 0),
    mapRoot: map.root,
    mapCount: map.count,
  };
  const leaf = encodeEpoch({ ...made, firstEvent: size });
  leaves.push(leaf);
  const tree = await hashes.grow(size, leaves);
  const root = await rootAt(tree.size, tree.read);
  const note = signCheckpoint({ origin: keys.origin, size: tree.size, root }, keys.signer);
  return {
    epoch: {
      ...made,
      ...{ number: (before?.number ?? 0) + 1, size: tree.size, root, note },
      lastEvent: added.last ?? before?.lastEvent ?? 0,
      policy: policies.at(-1)?.number ?? before?.policy ?? 0,
    },
    leaf,
    inclusion: await inclusionProof(tree.size - 1, tree.size, tree.read),
    labels: [...added.labels.values()],
    events: added.events,
    entries: await parts.entries.grow(size, leaves),
    tree,
  };
}

/** Puts each event, and what follows, into the map, and its EVENT behind `leaves`. */
async function addEvents(
  parts: DraftParts,
  first: readonly NewEvent[],
  size: number,
  leaves: Uint8Array[],
): Promise<Added> {
  const { map } = parts;
  const added: Added = { labels: new Map(), events: [], last: undefined };
  const { labels, events } = added;
  for (let page = first; page.length > 0; ) {
    for (const event of page) {
      const change = eventOf(parts, event, labels.get(event.id) ?? (await formerOf(parts, event)));
      labels.set(event.id, change);
      events.push(change.entry);
      const position = size + leaves.push(change.entry) - 1;
      map.set(change.place, mapValue(change.version, position, eventHash(change.entry)));
      const perTurn = event.place === null ? proofsPerTurn : eventsPerTurn;
      if (events.length % perTurn === 0) await turn();
    }
    added.last = page.at(-1)?.seq;
    if (page.length < eventsPerPage || events.length >= eventsPerEpoch) break;
    page = await newEvents(parts.store, added.last ?? 0);
  }
  while (!map.hashSome(nodesPerTurn)) await turn();
  return added;
}

interface Added {
  /** The newest of each label. */
  labels: Map<number, LabelChange>;
  events: Uint8Array[];
  last: number | undefined;
}

type Former = Omit<LabelChange, 'id' | 'label'>;

/** The label's event before this one, as it is in the log. */
async function formerOf(
  { store, entries }: DraftParts,
  { id, version, former }: NewEvent,
): Promise<Former | undefined> {
  if (version === 1) return undefined;
  const entry = former ?? (await entries.entry(await positionOf(store, id, version - 1)));
  return { place: readEvent(entry).index, version: version - 1, entry };
}

function eventOf(
  { keys }: DraftParts,
  { id, label, version, flags, opening, state, place: stored, entry: kept }: NewEvent,
  former: Former | undefined,
): LabelChange {
  if ((former?.version ?? 0) + 1 !== version) throw new Error('a version of a label is missing');
  const known: Pick<Former, 'place' | 'proof'> | undefined =
    former ?? (stored ? { place: stored } : undefined);
  const { place, proof } = known ?? proveLabel(keys, label);
  const entry =
    kept ??
    encodeEvent({
      ...{ flags, version, index: place },
      prevEvent: former ? eventHash(former.entry) : noEvent,
      commitment: isErasure({ flags }) ? noEvent : commit({ label, version, opening, state }),
    });
  return { id, label, place, ...(proof && { proof }), version, entry };
}

/** Where a label lies in the map, and the proof of it: the same each time. */
export function proveLabel(
  { vrf }: LogKeys,
  label: Uint8Array,
): { place: Uint8Array; proof: Uint8Array } {
  const { output, proof } = prove(vrf, label);
  return { place: labelIndex(output), proof };
}
