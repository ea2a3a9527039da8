/**
 * Everything that can be told from the entries of a log alone, entry by entry: the map of every epoch is made anew
 * from our own labels, and nothing that a server calls unchanged is taken over. docs/protocol/transparency.md §9.2
 *
 * What is found is noted, and the replay goes on with what the log says, so that one wrong entry is one finding.
 */
import { listFlags } from '@island/protocol/crypto/account-state.ts';
import { equal } from '@island/protocol/crypto/primitives.ts';
import {
  type EpochLeaf,
  type EventLeaf,
  eventHash,
  isErasure,
  type LogLeaf,
  leafTypes,
  type OperatorLeaf,
  operatorBytes,
  operatorKinds,
  readLeaf,
} from '@island/protocol/transparency/leaves.ts';
import { mapValue } from '@island/protocol/transparency/map-proof.ts';
import { createMap } from '@island/protocol/transparency/map-tree.ts';
import { type Cause, type Finding, finding } from './findings.ts';
import type { LabelTable } from './label-table.ts';

/** What the operator announced. */
export interface Announced {
  kind: number;
  number: number;
  /** Number of the entry. */
  entry: number;
  hash: Uint8Array;
}

/** What is kept between two runs, beside the labels. Counts are of the whole log. */
export interface Tally {
  /** Entries that were replayed, and the bytes that they take in our file. */
  entries: number;
  bytes: number;
  events: number;
  epochs: number;
  /** Identity keys that were replaced without their own consent. */
  resets: number;
  erasures: number;
  /** The newest epoch, and the number of its entry; -1 before the first. */
  epoch: { entry: number; timestamp: number; mapRoot: Uint8Array };
  announced: Announced[];
}

export const noTally = (): Tally => ({
  entries: 0,
  bytes: 0,
  events: 0,
  epochs: 0,
  resets: 0,
  erasures: 0,
  epoch: { entry: -1, timestamp: 0, mapRoot: new Uint8Array(32) },
  announced: [],
});

/** Where a finding convicts by two entries, the number of the other one. */
export interface Found extends Finding {
  other?: number;
}

export interface Replay {
  readonly tally: Tally;
  readonly found: readonly Found[];
  /** How many findings there were; only the first of them are kept. */
  readonly count: number;
  /** The next entry. */
  take(bytes: Uint8Array): void;
}

const mostKept = 100;
/** A log that announces without end takes no memory without end. */
const mostAnnounced = 1000;

/** `now`: milliseconds, by which epochs are in the future. */
export function openReplay(labels: LabelTable, tally: Tally, now: number): Replay {
  const map = createMap();
  const found: Found[] = [];
  let count = 0;
  /** From the first epoch whose map is wrong on, all others are. */
  let mapLost = false;
  for (const [index, { version, eventIndex, eventHash: hash }] of labels.entries()) {
    map.set(index, mapValue(version, eventIndex, hash));
  }

  const note = (cause: Cause, more?: string, other?: number): void => {
    count++;
    if (found.length === mostKept) return;
    const entry = tally.entries;
    const base = finding(cause, { entry, ...(more === undefined ? {} : { more }) });
    found.push(other === undefined ? base : { ...base, other });
  };

  function takeEvent(event: EventLeaf, bytes: Uint8Array): void {
    const known = labels.get(event.index);
    checkChain(event, known);
    tally.events++;
    if ((event.flags & listFlags.reset) !== 0) tally.resets++;
    if (isErasure(event)) tally.erasures++;
    const newest = {
      version: event.version,
      eventIndex: tally.entries,
      eventHash: eventHash(bytes),
      erased: isErasure(event),
    };
    labels.set(event.index, newest);
    map.set(event.index, mapValue(newest.version, newest.eventIndex, newest.eventHash));
  }

  function checkChain(event: EventLeaf, known: ReturnType<LabelTable['get']>): void {
    const { version, prevEvent } = event;
    const before = known?.version ?? 0;
    const other = known?.eventIndex;
    const versions = `Version ${version} comes after ${before === 0 ? 'none' : `version ${before}`}.`;
    if (known?.erased) note('erased_goes_on', `It was erased in entry ${other}.`, other);
    else if (version === before) note('version_repeated', `It is version ${version} again.`, other);
    else if (version < before) note('version_backwards', versions, other);
    else if (version > before + 1) note('version_skipped', versions, other);
    else if (known !== undefined && !equal(prevEvent, known.eventHash)) {
      note('chain_broken', `Version ${version} names another entry than ${other}.`, other);
    }
  }

  function takeEpoch(epoch: EpochLeaf): void {
    const { entries, epoch: before } = tally;
    tally.epochs++;
    const begins = before.entry + 1;
    if (epoch.firstEvent !== begins) {
      // What contradicts it: an epoch behind the beginning that it names, or no epoch in front of that.
      const early = epoch.firstEvent < begins;
      const other = early ? before.entry : Math.min(epoch.firstEvent, entries) - 1;
      note('span_wrong', `It says ${epoch.firstEvent}, and begins at ${begins}.`, other);
    }
    if (epoch.timestamp < before.timestamp) {
      note(
        'time_backwards',
        `${instant(epoch.timestamp)} after ${instant(before.timestamp)}.`,
        before.entry,
      );
    }
    if (epoch.timestamp > now + tolerance) note('time_ahead', `${instant(epoch.timestamp)}.`);
    if (epoch.mapCount !== map.count) {
      note('map_count_wrong', `It says ${epoch.mapCount}, and has ${map.count}.`);
    }
    if (!mapLost && !equal(epoch.mapRoot, map.root)) {
      mapLost = true;
      note('map_root_wrong', 'Epochs behind it were not compared.');
    }
    tally.epoch = { entry: entries, timestamp: epoch.timestamp, mapRoot: map.root };
  }

  function takeOperator({ kind, number, hash }: OperatorLeaf): void {
    const before = tally.announced.findLast((one) => one.kind === kind);
    if (number !== (before?.number ?? 0) + 1) {
      note(
        'operator_number_wrong',
        `${number} comes after ${before?.number ?? 'none'}.`,
        before?.entry,
      );
    }
    const announced = { kind, number, entry: tally.entries, hash: Uint8Array.from(hash) };
    // Of everything but policies only the newest is asked for.
    const kept = tally.announced.filter(
      (one) => one.kind !== kind || kind === operatorKinds.policy,
    );
    tally.announced = [...kept.slice(-mostAnnounced), announced];
  }

  return {
    tally,
    found,
    get count() {
      return count;
    },
    take(bytes) {
      const leaf = read(bytes);
      if (tally.entries < beginning.length && !beginning[tally.entries]?.(leaf))
        note('beginning_invalid');
      if (leaf === undefined) note(isVrfKey(bytes) ? 'vrf_changed' : 'entry_malformed');
      else if (leaf.type === leafTypes.event) takeEvent(leaf, bytes);
      else if (leaf.type === leafTypes.epoch) takeEpoch(leaf);
      else takeOperator(leaf);
      tally.entries++;
      tally.bytes += 2 + bytes.length;
    },
  };
}

/** Clocks differ by less, milliseconds. */
const tolerance = 10 * 60_000;

const isFirst = (leaf: LogLeaf | undefined, kind: number): boolean =>
  leaf?.type === leafTypes.operator && leaf.kind === kind && leaf.number === 1;

/** How every log begins. */
const beginning: readonly ((leaf: LogLeaf | undefined) => boolean)[] = [
  (leaf) => isFirst(leaf, operatorKinds.policy),
  (leaf) => isFirst(leaf, operatorKinds.vrf),
  (leaf) => leaf?.type === leafTypes.epoch || isFirst(leaf, operatorKinds.predecessor),
];

/** An OPERATOR of the VRF's kind, which none is but the first. */
const isVrfKey = ([type, kind, ...rest]: Uint8Array): boolean =>
  type === leafTypes.operator && kind === operatorKinds.vrf && rest.length === operatorBytes - 2;

function read(bytes: Uint8Array): LogLeaf | undefined {
  try {
    return readLeaf(bytes);
  } catch {
    return undefined;
  }
}

const instant = (ms: number): string =>
  ms <= 8.64e15 ? new Date(ms).toISOString() : `the millisecond ${ms}`;
