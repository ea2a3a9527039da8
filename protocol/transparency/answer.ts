/**
 * What a directory answers about labels, with everything that shows it: the checkpoint that witnesses signed, its
 * last entry, and of each label its place in the map, its newest entry and what that commits to.
 * docs/protocol/transparency.md §5
 *
 *     answer     = u8 1 ‖ u8 0x91 ‖ var16 note ‖ EPOCH 57 ‖ u8 n ‖ n × 32 ‖ u8 count ‖ count × labelProof
 *                  n × 32: inclusion of the EPOCH as the last entry of the checkpoint
 *     file       = tlog-proof of the EPOCH, extra = u8 1 ‖ u8 0x92 ‖ EPOCH 57 ‖ u8 count ‖ count × labelProof
 */
import { equal } from '../crypto/primitives.ts';
import { concat, Reader, utf8Bytes, Writer } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { accountId } from '../wire/ids.ts';
import { hex } from '../wire/text.ts';
import { type Checkpoint, parseCheckpoint } from './checkpoint.ts';
import { checkCommitment } from './commitment.ts';
import { accountLabel, labelIndex } from './label.ts';
import {
  type LabelProof,
  readHashes,
  readLabels,
  writeHashes,
  writeLabels,
} from './label-proof.ts';
import {
  type EpochLeaf,
  type EventLeaf,
  epochBytes,
  eventHash,
  isErasure,
  readEpoch,
  readEvent,
} from './leaves.ts';
import { mapValue, verifyAbsence, verifyMembership } from './map-proof.ts';
import { noteFromBytes, parseNote, parseVkey } from './note.ts';
import { checkCheckpoint, type PolicyCosigner, parsePolicy } from './policy.ts';
import { encodeTlogProof, parseTlogProof } from './tlog-proof.ts';
import { TransparencyFault } from './transparency-fault.ts';
import { leafHash, verifyInclusion } from './tree.ts';
import { verify as verifyVrf } from './vrf.ts';

export interface Answer {
  /** The signed note of the checkpoint. */
  note: string;
  /** The EPOCH that is its last entry, 57 bytes. */
  epoch: Uint8Array;
  /** Inclusion of the EPOCH, from the leaf's sibling up. */
  epochProof: readonly Uint8Array[];
  /** At most 255. */
  labels: readonly LabelProof[];
}

const version = 1;
const answerType = 0x91;
const extraType = 0x92;

export function encodeAnswer({ note, epoch, epochProof, labels }: Answer): Uint8Array {
  const out = new Writer(4096).u8(version).u8(answerType).var16(utf8Bytes(note)).raw(epoch);
  writeHashes(out, epochProof);
  return writeLabels(out, labels);
}

/** Form only; arrays are views of `bytes`. Throws `Fault`, and `note_malformed` for a note that is no text. */
export function readAnswer(bytes: Uint8Array): Answer {
  const from = new Reader(bytes).header(version, answerType);
  const note = noteFromBytes(from.var16());
  const epoch = from.raw(epochBytes);
  return { note, epoch, epochProof: readHashes(from), labels: readLabels(from) };
}

/** The answer as a `.tlog-proof` file. Throws `note_malformed` for an answer whose note is no checkpoint. */
export function toTlogProof({ note, epoch, epochProof, labels }: Answer): string {
  const { size } = parseCheckpoint(parseNote(note).text);
  const extra = writeLabels(new Writer(4096).u8(version).u8(extraType).raw(epoch), labels);
  return encodeTlogProof({ extra, index: size - 1, proof: epochProof, checkpoint: note });
}

/** Form only. Throws `note_malformed`, `Fault`, and `epoch_invalid` where it is of an entry that is not the last. */
export function fromTlogProof(text: string): Answer {
  const { extra, index, proof, checkpoint } = parseTlogProof(text);
  if (extra === undefined) throw new TransparencyFault('note_malformed');
  const from = new Reader(extra).header(version, extraType);
  const epoch = from.raw(epochBytes);
  const { size } = parseCheckpoint(parseNote(checkpoint).text);
  if (index !== size - 1) throw new TransparencyFault('epoch_invalid');
  return { note: checkpoint, epoch, epochProof: proof, labels: readLabels(from) };
}

/** What is known beforehand of a directory's log. */
export interface LogPins {
  /** The log's key as a vkey line; its name is the origin. */
  vkey: string;
  /** Public key of the VRF, 32 bytes. */
  vrf: Uint8Array;
  /** Text of the witness policy, and which of the log's policies it is. */
  policy: string;
  policyNumber: number;
}

/** Places that were proved before; a `Map` is one. Keys are made of the VRF's key and the label. */
export interface VrfCache {
  get(key: string): Uint8Array | undefined;
  set(key: string, index: Uint8Array): void;
}

interface ProvedPlace {
  label: Uint8Array;
  index: Uint8Array;
}

/** That the map of the epoch has nothing of the label. */
export interface ProvedAbsence extends ProvedPlace {
  present: false;
}

/** The newest state of the label in the epoch. */
export interface ProvedState extends ProvedPlace {
  present: true;
  version: number;
  event: EventLeaf;
  eventHash: Uint8Array;
  eventIndex: number;
  /** Zeros and empty where the event is an erasure. */
  opening: Uint8Array;
  state: Uint8Array;
}

export type ProvedLabel = ProvedAbsence | ProvedState;

/** A label, or what makes it of those that were proved before it; `undefined`: then there is nothing more to ask. */
export type AskedLabel = Uint8Array | ((proved: readonly ProvedLabel[]) => Uint8Array | undefined);

export interface AnswerExpectation {
  log: LogPins;
  /** Exactly the labels that were asked about, in their order. */
  labels: readonly AskedLabel[];
  /** Lets a policy pass that asks for no witness. */
  allowUnwitnessed: boolean;
  cache?: VrfCache;
  /** Unix milliseconds: an epoch that is older is `stale`. */
  notBefore?: number;
}

export interface ProvedAnswer {
  note: string;
  checkpoint: Checkpoint;
  epoch: EpochLeaf;
  witnessed: boolean;
  cosigners: readonly PolicyCosigner[];
  labels: readonly ProvedLabel[];
}

/** The account that the name before leads to; nothing where the name is nobody's, or was erased. */
export const accountOfName: AskedLabel = (proved) => {
  const name = proved.at(-1);
  if (name === undefined || !name.present || name.state.length === 0) return undefined;
  return accountLabel(accountId(hex(name.state)));
};

/**
 * Everything of docs/protocol/transparency.md §5.2. Throws `Fault` for bytes that are not in form or answer
 * something else than was asked, else `TransparencyFault`: `note_malformed`, `unknown_origin`,
 * `signature_invalid`, `quorum_missing`, `epoch_invalid`, `stale`, `vrf_invalid`, `inclusion_invalid`,
 * `map_invalid`, `commitment_invalid`. That the checkpoint follows from those seen before is for the caller.
 */
export function checkAnswer(bytes: Uint8Array, expected: AnswerExpectation): ProvedAnswer {
  return checkReadAnswer(readAnswer(bytes), expected);
}

/** The same of an answer that was read from a file. */
export function checkReadAnswer(answer: Answer, expected: AnswerExpectation): ProvedAnswer {
  const { log, labels, allowUnwitnessed, cache, notBefore = 0 } = expected;
  const { note, epoch: entry, epochProof, labels: shown } = answer;
  const options = { allowUnwitnessed, log: parseVkey(log.vkey) };
  const { checkpoint, ...checked } = checkCheckpoint(parsePolicy(log.policy), note, options);
  const epoch = lastEpoch(checkpoint, entry, epochProof);
  if (epoch.timestamp < notBefore) throw new TransparencyFault('stale');
  const proved: ProvedLabel[] = [];
  for (const asked of labels) {
    const label = typeof asked === 'function' ? asked(proved) : asked;
    if (label === undefined) continue;
    const proof = shown[proved.length];
    if (proof === undefined || proof.kind !== label[0]) throw new Fault('malformed');
    const index = placeOf(log.vrf, label, proof.vrfProof, cache);
    proved.push(checkLabel(proof, { label, index }, checkpoint, epoch));
  }
  if (shown.length !== proved.length) throw new Fault('malformed');
  const { witnessed, cosigners } = checked;
  return { note, checkpoint, epoch, witnessed, cosigners, labels: proved };
}

function lastEpoch(
  { size, root }: Checkpoint,
  entry: Uint8Array,
  proof: readonly Uint8Array[],
): EpochLeaf {
  try {
    verifyInclusion({ leaf: leafHash(entry), index: size - 1, size, proof, root });
    return readEpoch(entry);
  } catch (cause) {
    throw new TransparencyFault('epoch_invalid', { cause });
  }
}

/** A label has one place under one key: a proof that was good once need not be verified again. */
function placeOf(
  vrf: Uint8Array,
  label: Uint8Array,
  proof: Uint8Array,
  cache: VrfCache | undefined,
): Uint8Array {
  const key = hex(concat(vrf, label));
  const known = cache?.get(key);
  if (known !== undefined) return known;
  const index = labelIndex(verifyVrf(vrf, label, proof));
  cache?.set(key, index);
  return index;
}

function checkLabel(
  { mapProof, shown }: LabelProof,
  { label, index }: ProvedPlace,
  { size, root }: Checkpoint,
  { mapRoot }: EpochLeaf,
): ProvedLabel {
  if (shown === undefined) {
    verifyAbsence({ root: mapRoot, index, proof: mapProof });
    return { present: false, label, index };
  }
  const { eventIndex, proof, opening, state } = shown;
  const hash = eventHash(shown.event);
  verifyInclusion({ leaf: hash, index: eventIndex, size, proof, root });
  const event = readEvent(shown.event);
  const { version } = event;
  const value = mapValue(version, eventIndex, hash);
  verifyMembership({ root: mapRoot, index, value, proof: mapProof });
  // The map says where the newest event of this place is; what stands there must be of this place.
  if (!equal(event.index, index)) throw new TransparencyFault('map_invalid');
  checkOpening(event, label, opening, state);
  return {
    present: true,
    label,
    index,
    version,
    event,
    eventHash: hash,
    eventIndex,
    opening,
    state,
  };
}

/** Throws `commitment_invalid`. An erasure is shown with zeros and no state. */
export function checkOpening(
  event: EventLeaf,
  label: Uint8Array,
  opening: Uint8Array,
  state: Uint8Array,
): void {
  if (!isErasure(event)) {
    checkCommitment(event.commitment, { label, version: event.version, opening, state });
  } else if (state.length > 0 || opening.some((byte) => byte !== 0)) {
    throw new TransparencyFault('commitment_invalid');
  }
}
