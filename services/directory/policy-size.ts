/**
 * How long a checkpoint gets with the signatures of its witnesses: it has to fit into every answer of the directory.
 * docs/protocol/transparency.md §5, §7.3
 *
 *     note = text of the checkpoint ‖ "\n" ‖ line of the log ‖ line of each witness        ≤ 65,535 bytes, 128 lines
 *     line = "— " ‖ name ‖ " " ‖ base64( key id 4 ‖ time 8 ‖ signature 64 or 2,420 ) ‖ "\n"
 *
 * Invariant: no policy is taken under which a checkpoint could get longer, whoever signs it. The epoch that brings a
 * policy has signatures of the one before as well.
 */
import {
  formatVkey,
  keyTypes,
  signatureLine,
  signaturesMax,
} from '@island/protocol/transparency/note.ts';
import type { Policy, PolicyWitness } from '@island/protocol/transparency/policy.ts';
import { utf8Bytes } from '@island/protocol/wire/bytes.ts';

/** Of the var16 before the note. */
const noteBytesMax = 65_535;
/** The checkpoint with the line of its log, whose origin and signature are of fixed lengths; rounded up. */
const headBytes = 512;

/** Whether a checkpoint that all witnesses of these policies have signed can be in an answer. */
export function fitsAnswers(...policies: readonly Policy[]): boolean {
  const lines = new Map<string, number>();
  for (const witness of policies.flatMap(({ witnesses }) => witnesses))
    lines.set(formatVkey(witness.vkey), lineBytes(witness));
  const bytes = [...lines.values()].reduce((sum, length) => sum + length, headBytes);
  return bytes <= noteBytesMax && lines.size < signaturesMax;
}

function lineBytes({ vkey: { name, keyId, type } }: PolicyWitness): number {
  const signature = new Uint8Array(type === keyTypes.mldsaCosignature ? 8 + 2420 : 8 + 64);
  return utf8Bytes(signatureLine({ name, keyId, signature })).length;
}
