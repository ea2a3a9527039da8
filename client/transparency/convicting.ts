/**
 * What shows others that the log of the island contradicts itself, out of what this home was shown. Nothing is
 * evidence before it convicts here as it will elsewhere. docs/protocol/transparency.md §8.7, §9.1
 *
 * What is not signed convicts nobody: an answer is not, only the checkpoint in it is.
 */
import { sha256 } from '@island/protocol/crypto/primitives.ts';
import type { Answer, LogPins } from '@island/protocol/transparency/answer.ts';
import { parseCheckpoint } from '@island/protocol/transparency/checkpoint.ts';
import { verifyEvidence } from '@island/protocol/transparency/conviction.ts';
import {
  type Evidence,
  formatEvidence,
  type ShownEntry,
  type ShownLeaf,
} from '@island/protocol/transparency/evidence.ts';
import { accountLabel, labelIndex, nameLabel } from '@island/protocol/transparency/label.ts';
import type { LabelProof } from '@island/protocol/transparency/label-proof.ts';
import {
  encodeOperator,
  eventHash,
  operatorKinds,
  readEvent,
} from '@island/protocol/transparency/leaves.ts';
import { parseNote } from '@island/protocol/transparency/note.ts';
import {
  decodeEntries,
  tilePath,
  tileReader,
  widthIn,
} from '@island/protocol/transparency/tiles.ts';
import {
  consistencyProof,
  inclusionProof,
  rootAt,
} from '@island/protocol/transparency/tree-proofs.ts';
import { verify } from '@island/protocol/transparency/vrf.ts';
import { accountId } from '@island/protocol/wire/ids.ts';
import * as s from '@island/protocol/wire/schema.ts';
import { hex } from '@island/protocol/wire/text.ts';
import * as v from 'valibot';
import { bytes64 } from '../storage/record.ts';
import type { Head, HeadConflict } from './head.ts';
import type { LogFiles } from './log-files.ts';

/** The event of a label as it was shown: kept, it contradicts what is shown later. */
export const testimony = v.strictObject({
  note: v.string(),
  eventIndex: s.count,
  event: bytes64,
  proof: v.array(bytes64),
  /** Of what the event commits to, which is kept elsewhere; rows of before have none. */
  opening: v.optional(bytes64),
});
export type Testimony = v.InferOutput<typeof testimony>;

/** One label of an answer. */
export interface ShownLabel {
  answer: Answer;
  proof: LabelProof;
  label: Uint8Array;
  /** Its place. */
  index: Uint8Array;
}

/** The files are those of whoever is accused: they may be gone. */
export interface Court {
  pins: LogPins;
  files: LogFiles;
  signal: AbortSignal | undefined;
}

type Found = Promise<string | undefined>;

/** The text of what is put together, where it convicts. */
async function convict({ pins }: Court, make: () => Evidence | Promise<Evidence>): Found {
  try {
    const text = formatEvidence(await make());
    verifyEvidence(text, pins);
    return text;
  } catch {
    return undefined;
  }
}

export function testimonyOf({
  answer: { note },
  proof: { shown },
}: ShownLabel): Testimony | undefined {
  if (!shown) return undefined;
  const { eventIndex, event, proof, opening } = shown;
  return { note, eventIndex, event, proof: [...proof], opening };
}

/** Two checkpoints that are not one history, or times that run backwards. */
export async function evidenceOf({ fault, known, shown }: HeadConflict, court: Court): Found {
  const [older, newer] = known.size < shown.size ? [known, shown] : [shown, known];
  switch (fault.code) {
    case 'forked':
      return convict(court, () => ({ kind: 'fork', notes: [known.note, shown.note], leaves: [] }));
    case 'rolled_back':
      // A smaller checkpoint was signed rightly once; who called it the largest after this one, or changed it, is guilty.
      return (
        (await convict(court, () => ({
          kind: 'rollback',
          notes: [newer.note, older.note],
          leaves: [],
        }))) ?? rewritten(older, newer, court)
      );
    case 'epoch_invalid':
      return convict(court, async () => {
        const at = [older.size - 1, newer.size - 1];
        const leaves = await Promise.all(at.map((index) => entryOf(newer, index, court)));
        return { kind: 'time', notes: [newer.note], leaves };
      });
    default:
      return rewritten(older, newer, court);
  }
}

const rewritten = (older: Head, newer: Head, court: Court): Found =>
  convict(court, async () => {
    const read = readerOf(newer, court);
    const root = await rootAt(older.size, read);
    const proof = await consistencyProof(older.size, newer.size, read);
    return {
      kind: 'rewrite',
      notes: [older.note, newer.note],
      leaves: [],
      prefix: { root, proof },
    };
  });

/** An event that was shown, and a later epoch whose map does not have it. */
export const hidden = (then: Testimony, now: ShownLabel, court: Court): Found =>
  convict(court, () => ({
    kind: 'hidden',
    notes: [then.note, now.answer.note],
    leaves: [leafOf(then, 0), epochOf(now.answer, 1)],
    map: entryIn(now.index, now.proof),
  }));

/** Two events of one label that can't be in one history. */
export const broken = (then: Testimony, now: ShownLabel, court: Court): Found =>
  convict(court, () => {
    const later = testimonyOf(now) ?? then;
    const leaves = [leafOf(then, 0), leafOf(later, 1)];
    return { kind: 'version', notes: [then.note, later.note], leaves };
  });

/** A device list, and one behind it that the account has not signed. `list`: what the first commits to. */
export const unauthorised = (
  then: Testimony,
  list: Uint8Array,
  now: ShownLabel,
  court: Court,
): Found =>
  convict(court, () => {
    const { label } = now;
    const { shown } = now.proof;
    const later = testimonyOf(now);
    if (!shown || !later || !then.opening) throw new RangeError();
    return {
      kind: 'unauthorised',
      notes: [then.note, later.note],
      leaves: [leafOf(then, 0), leafOf(later, 1)],
      states: [
        { label, opening: then.opening, state: list },
        { label, opening: shown.opening, state: shown.state },
      ],
    };
  });

/** A name that leads to somebody else, without having been given back. */
export const rebound = ({ answer, proof, label }: ShownLabel, court: Court): Found =>
  convict(court, async () => {
    const { shown, vrfProof } = proof;
    if (!shown) throw new RangeError();
    const vrfKey = court.pins.vrf;
    const leaf = encodeOperator({ kind: operatorKinds.vrf, number: 1, hash: sha256(vrfKey) });
    const checkpoint = parseCheckpoint(parseNote(answer.note).text);
    // The second entry of every log says the key.
    const path = await inclusionProof(1, checkpoint.size, readerOf(checkpoint, court));
    const { eventIndex, event, opening, state } = shown;
    return {
      kind: 'rebound',
      notes: [answer.note],
      leaves: [
        { note: 0, index: 1, leaf, proof: path },
        { note: 0, index: eventIndex, leaf: event, proof: shown.proof },
      ],
      opened: { label, vrfKey, vrfProof, opening, state },
    };
  });

/** A checkpoint that does not end with an epoch, or a map that names an entry which is another. */
export async function unfounded(answer: Answer, name: string, court: Court): Found {
  const checkpoint = parseCheckpoint(parseNote(answer.note).text);
  const notes = [answer.note];
  for (const [i, proof] of answer.labels.entries()) {
    const { shown } = proof;
    const owner = answer.labels[0]?.shown?.state;
    if (!shown || !owner) continue;
    const found = await convict(court, async () => ({
      kind: 'unlogged',
      notes,
      leaves: [await entryOf(checkpoint, shown.eventIndex, court), epochOf(answer, 0)],
      map: entryIn(placeOf(i === 0 ? nameLabel(name) : labelOf(owner), proof, court), proof),
    }));
    if (found) return found;
  }
  return convict(court, async () => ({
    kind: 'end',
    notes,
    leaves: [await entryOf(checkpoint, checkpoint.size - 1, court)],
  }));
}

const labelOf = (account: Uint8Array): Uint8Array => accountLabel(accountId(hex(account)));

const placeOf = (label: Uint8Array, { vrfProof }: LabelProof, { pins }: Court): Uint8Array =>
  labelIndex(verify(pins.vrf, label, vrfProof));

const leafOf = ({ eventIndex, event, proof }: Testimony, note: number): ShownLeaf => ({
  ...{ note, index: eventIndex, leaf: event, proof },
});

function epochOf({ note, epoch, epochProof }: Answer, number: number): ShownLeaf {
  const { size } = parseCheckpoint(parseNote(note).text);
  return { note: number, index: size - 1, leaf: epoch, proof: epochProof };
}

function entryIn(index: Uint8Array, { mapProof, shown }: LabelProof): ShownEntry {
  if (!shown) return { index, proof: mapProof };
  const { eventIndex, event } = shown;
  const { version } = readEvent(event);
  return { index, proof: mapProof, newest: { version, eventIndex, eventHash: eventHash(event) } };
}

type Tree = Pick<Head, 'size' | 'root'>;

const readerOf = (tree: Tree, { files, signal }: Court) =>
  tileReader(tree, (path) => files.read(path, signal));

/** An entry as the log serves it, with the proof that it is in the tree. */
async function entryOf(tree: Tree, index: number, court: Court): Promise<ShownLeaf> {
  const bundle = Math.floor(index / 256);
  const width = widthIn(tree.size, 'entries', bundle);
  const path = tilePath({ level: 'entries', index: bundle, width });
  const entries = decodeEntries(await court.files.read(path, court.signal), width);
  const leaf = entries[index % 256] ?? new Uint8Array(0);
  return {
    note: 0,
    index,
    leaf,
    proof: await inclusionProof(index, tree.size, readerOf(tree, court)),
  };
}
