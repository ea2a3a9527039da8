/**
 * What a monitor watches: places of the map. Somebody hands over the proof of their label, which says the place, or
 * the place itself; whose it is a monitor need not know. docs/operations.md §13
 */
import { basename } from 'node:path';
import { equal } from '@island/protocol/crypto/primitives.ts';
import { type Answer, fromTlogProof } from '@island/protocol/transparency/answer.ts';
import { parseCheckpoint } from '@island/protocol/transparency/checkpoint.ts';
import { labelIndex, labelKinds } from '@island/protocol/transparency/label.ts';
import type { LabelProof } from '@island/protocol/transparency/label-proof.ts';
import { eventHash, readEvent } from '@island/protocol/transparency/leaves.ts';
import { parseNote } from '@island/protocol/transparency/note.ts';
import { TransparencyFault } from '@island/protocol/transparency/transparency-fault.ts';
import { leafHash, verifyInclusion } from '@island/protocol/transparency/tree.ts';
import { proofToHash } from '@island/protocol/transparency/vrf.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { fromBase64url, fromHex, hex } from '@island/protocol/wire/text.ts';
import { Stated } from '@island/provisioning/stated.ts';
import { readGiven } from './pins.ts';

export interface Watched {
  /** What people call it. */
  title: string;
  /** `place`: nobody said of what. */
  kind: 'account' | 'name' | 'place';
  index: Uint8Array;
  /** The checkpoint with which it was handed over: the log that this person was shown. */
  note?: string;
}

/** Each place once. Throws `Stated`. */
export async function readWatched(given: readonly string[]): Promise<Watched[]> {
  const all = (await Promise.all(given.map(readOne))).flat();
  return [...new Map(all.map((one) => [hex(one.index), one])).values()];
}

async function readOne(given: string): Promise<Watched[]> {
  const index = placeOf(given);
  if (index !== undefined) {
    return [{ title: `${hex(index).slice(0, 8)}…`, kind: 'place', index }];
  }
  const text = await readGiven(given, 'the proof');
  try {
    return ofAnswer(fromTlogProof(text), basename(given));
  } catch (error) {
    if (!(error instanceof TransparencyFault || error instanceof Fault)) throw error;
    throw new Stated(
      `${given} says no place: it is no .tlog-proof of a directory, as islander directory proof prints it (${error.code}). A place itself has 64 hexadecimal digits, or 43 characters of base64url.`,
      { cause: error },
    );
  }
}

function placeOf(text: string): Uint8Array | undefined {
  if (/^[0-9a-f]{64}$/i.test(text)) return fromHex(text.toLowerCase());
  return /^[A-Za-z0-9_-]{43}$/.test(text) ? fromBase64url(text) : undefined;
}

/** Who signed the checkpoint is compared with what the monitor trusts, each time that it looks (`watching.ts`). */
function ofAnswer(answer: Answer, file: string): Watched[] {
  const { note, epoch, epochProof, labels } = answer;
  const { size, root } = parseCheckpoint(parseNote(note).text);
  verifyInclusion({ leaf: leafHash(epoch), index: size - 1, size, proof: epochProof, root });
  if (labels.length === 0) throw new Fault('malformed');
  return labels.map((label) => {
    const kind = label.kind === labelKinds.name ? 'name' : 'account';
    return { title: `${file}, ${kind}`, kind, index: shownPlace(label, size, root), note };
  });
}

function shownPlace({ vrfProof, shown }: LabelProof, size: number, root: Uint8Array): Uint8Array {
  const index = labelIndex(proofToHash(vrfProof));
  if (shown === undefined) return index;
  const { event, eventIndex, proof } = shown;
  verifyInclusion({ leaf: eventHash(event), index: eventIndex, size, proof, root });
  if (!equal(readEvent(event).index, index)) throw new TransparencyFault('map_invalid');
  return index;
}
