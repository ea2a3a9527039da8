/**
 * What is shown of one label. docs/protocol/transparency.md §5.1
 *
 *     labelProof = u8 1 ‖ u8 0x90 ‖ u8 kind ‖ vrfProof 80 ‖ var16 mapProof ‖ u8 present
 *                  [ ‖ u64 eventIndex ‖ EVENT 102 ‖ u8 n ‖ n × 32 ‖ opening 16 ‖ var16 state ]     present = 1
 *
 * kind is that of the label (label.ts). The label itself is not said: who asked knows it. An erasure
 * is shown with an opening of zeros and no state.
 */
import type { Reader, Writer } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { openingBytes } from './commitment.ts';
import { type LabelKind, labelKinds } from './label.ts';
import { eventBytes } from './leaves.ts';
import { proofMax } from './tree.ts';
import { vrfProofBytes } from './vrf.ts';

/** The newest entry of a label. */
export interface ShownEvent {
  /** Its index in the log. */
  eventIndex: number;
  /** The EVENT as it is in the log, 102 bytes. */
  event: Uint8Array;
  /** Inclusion in the checkpoint, from the leaf's sibling up. */
  proof: readonly Uint8Array[];
  /** 16 bytes. */
  opening: Uint8Array;
  state: Uint8Array;
}

export interface LabelProof {
  kind: LabelKind;
  /** 80 bytes. */
  vrfProof: Uint8Array;
  /** As `prove` of the map gives it (map-proof.ts). */
  mapProof: Uint8Array;
  /** Missing where the map has nothing of the label. */
  shown?: ShownEvent;
}

const version = 1;
const labelType = 0x90;

export function writeHashes(out: Writer, hashes: readonly Uint8Array[]): void {
  out.u8(hashes.length);
  for (const hash of hashes) out.raw(hash);
}

export function readHashes(from: Reader): Uint8Array[] {
  const count = from.u8();
  if (count > proofMax) throw new Fault('too_large');
  return Array.from({ length: count }, () => from.raw(32));
}

export function writeLabels(out: Writer, labels: readonly LabelProof[]): Uint8Array {
  if (labels.length > 255) throw new Fault('too_large');
  out.u8(labels.length);
  for (const { kind, vrfProof, mapProof, shown } of labels) {
    out.u8(version).u8(labelType).u8(kind).raw(vrfProof).var16(mapProof);
    out.u8(shown === undefined ? 0 : 1);
    if (shown === undefined) continue;
    out.u64(shown.eventIndex).raw(shown.event);
    writeHashes(out, shown.proof);
    out.raw(shown.opening).var16(shown.state);
  }
  return out.done();
}

export function readLabels(from: Reader): LabelProof[] {
  const labels = Array.from({ length: from.u8() }, () => readLabelProof(from));
  from.end();
  return labels;
}

function readLabelProof(from: Reader): LabelProof {
  const said = from.header(version, labelType).u8();
  const kind = Object.values(labelKinds).find((each) => each === said);
  if (kind === undefined) throw new Fault('unknown_type');
  const proofs = { kind, vrfProof: from.raw(vrfProofBytes), mapProof: from.var16() };
  const present = from.u8();
  if (present > 1) throw new Fault('malformed');
  if (present === 0) return proofs;
  const entry = { eventIndex: from.u64(), event: from.raw(eventBytes), proof: readHashes(from) };
  return { ...proofs, shown: { ...entry, opening: from.raw(openingBytes), state: from.var16() } };
}
