/**
 * For tests: the history behind a log that may lie: events of labels, epochs, and a map that need not be what the
 * events make. Everything that happened can happen again, up to a moment, to another history.
 */
import { listFlags } from '@island/protocol/crypto/account-state.ts';
import { sha256 } from '@island/protocol/crypto/primitives.ts';
import { commit } from '@island/protocol/transparency/commitment.ts';
import { type LabelKind, labelIndex } from '@island/protocol/transparency/label.ts';
import type { LabelProof } from '@island/protocol/transparency/label-proof.ts';
import {
  type EpochLeaf,
  type EventLeaf,
  eventHash,
  noEvent,
  type OperatorLeaf,
} from '@island/protocol/transparency/leaves.ts';
import { mapValue } from '@island/protocol/transparency/map-proof.ts';
import { createMap } from '@island/protocol/transparency/map-tree.ts';
import { inclusionProof } from '@island/protocol/transparency/tree-proofs.ts';
import { prove } from '@island/protocol/transparency/vrf.ts';
import { type DirectoryLog, directoryLog } from '@island/protocol/vectors/directory-log.ts';
import { fromHex, hex } from '@island/protocol/wire/text.ts';

export interface Version {
  version: number;
  at: number;
  event: Uint8Array;
  state: Uint8Array;
}

/** Whom the log asks to sign, and who does. */
export interface Signing {
  policy: string;
  by: readonly string[];
  /** More signatures, or fewer, before a checkpoint is shown. */
  note: (note: string) => string;
}

export interface OddHistory {
  readonly log: DirectoryLog;
  readonly policy: string;
  /** Of the newest epoch. */
  readonly note: string;
  /** How many were published. */
  readonly epochs: number;
  signing: Signing;
  newest(label: Uint8Array): Version | undefined;
  /** By number. */
  versions(label: Uint8Array): Map<number, Version>;
  /** A version of a label, which is the newest from then on. Nothing where it is that already. */
  say(label: Uint8Array, version: number, state: Uint8Array, said?: Partial<EventLeaf>): void;
  erase(label: Uint8Array): void;
  operator(said: Partial<OperatorLeaf>): void;
  /** The map goes back to a version of before; to none, with 0. */
  revert(label: Uint8Array, version: number): void;
  publish(said?: Partial<EpochLeaf>): Promise<void>;
  proofOf(kind: LabelKind, label: Uint8Array): Promise<LabelProof>;
  /** The same up to that many epochs, and what was not published behind the last. */
  branch(epochs?: number): Promise<OddHistory>;
}

/** As good as any in a test. */
export const opening = sha256(fromHex('00')).subarray(0, 16);
const noOpening = new Uint8Array(16);
const unwitnessed: Signing = { policy: 'quorum none\n', by: [], note: (note) => note };

export function oddHistory(signing: Partial<Signing>, now: () => number): OddHistory {
  const started = { ...unwitnessed, ...signing };
  const log = directoryLog({ policy: started.policy });
  const versions = new Map<string, Map<number, Version>>();
  const newest = new Map<string, Version>();
  const places = new Map<string, { index: Uint8Array; proof: Uint8Array }>();
  const happened: ((again: OddHistory) => void | Promise<void>)[] = [];
  let map = createMap();
  let note = '';
  let epochs = 0;

  function placeOf(label: Uint8Array): { index: Uint8Array; proof: Uint8Array } {
    const known = places.get(hex(label));
    if (known) return known;
    const { output, proof } = prove(log.vrf, label);
    const place = { index: labelIndex(output), proof };
    places.set(hex(label), place);
    return place;
  }

  function put(label: Uint8Array, { version, at, event }: Version): void {
    map.set(placeOf(label).index, mapValue(version, at, eventHash(event)));
  }

  function versionsOf(label: Uint8Array): Map<number, Version> {
    const key = hex(label);
    const known = versions.get(key) ?? new Map<number, Version>();
    versions.set(key, known);
    return known;
  }

  function enter(
    label: Uint8Array,
    version: number,
    state: Uint8Array,
    said: Partial<EventLeaf>,
  ): void {
    const known = versionsOf(label);
    const before = known.get(version - 1);
    const at = log.event(placeOf(label).index, {
      version,
      commitment: commit({ label, version, opening, state }),
      ...(version > 1 && before && { prevEvent: eventHash(before.event) }),
      ...said,
    });
    const made = { version, at, event: log.entries[at] ?? new Uint8Array(0), state };
    known.set(version, made);
    newest.set(hex(label), made);
    put(label, made);
  }

  const self: OddHistory = {
    log,
    policy: started.policy,
    signing: started,
    get note() {
      return note;
    },
    get epochs() {
      return epochs;
    },
    newest: (label) => newest.get(hex(label)),
    versions: versionsOf,
    say(label, version, state, said = {}) {
      const there = newest.get(hex(label));
      const same = there?.version === version && hex(there.state) === hex(state);
      if (same && Object.keys(said).length === 0) return;
      happened.push((again) => again.say(label, version, state, said));
      enter(label, version, state, said);
    },
    erase(label) {
      happened.push((again) => again.erase(label));
      const version = (newest.get(hex(label))?.version ?? 0) + 1;
      const said = { flags: listFlags.erase, commitment: noEvent };
      enter(label, version, new Uint8Array(0), said);
    },
    operator(said) {
      happened.push((again) => again.operator(said));
      log.operator(said);
    },
    revert(label, version) {
      happened.push((again) => again.revert(label, version));
      const before = versionsOf(label).get(version);
      if (before) {
        newest.set(hex(label), before);
        return put(label, before);
      }
      newest.delete(hex(label));
      map = createMap();
      for (const [key, each] of newest) put(fromHex(key), each);
    },
    async publish(said = {}) {
      const timestamp = said.timestamp ?? now();
      happened.push((again) => again.publish({ ...said, timestamp }));
      log.epoch({ mapRoot: map.root, mapCount: map.count, ...said, timestamp });
      const seconds = Math.floor(timestamp / 1000);
      note = self.signing.note(await log.checkpoint({ by: self.signing.by, seconds }));
      epochs += 1;
    },
    async proofOf(kind, label) {
      const { index, proof } = placeOf(label);
      const there = newest.get(hex(label));
      const proved = { kind, vrfProof: proof, mapProof: map.prove(index) };
      if (!there) return proved;
      const { at: eventIndex, event, state } = there;
      const path = await inclusionProof(eventIndex, log.size, log.read);
      const open = state.length > 0 ? opening : noOpening;
      return { ...proved, shown: { eventIndex, event, proof: path, opening: open, state } };
    },
    async branch(until = epochs) {
      const other = oddHistory(self.signing, now);
      for (const each of happened) {
        if (other.epochs === until) break;
        await each(other);
      }
      return other;
    },
  };
  return self;
}
