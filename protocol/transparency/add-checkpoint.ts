/**
 * What a witness is asked, c2sp.org/tlog-witness: the body of `add-checkpoint`, and whether it leads on from what the
 * witness has. docs/protocol/transparency.md §7
 *
 *     "old " ‖ decimal ‖ "\n" ‖ n × ( base64( hash 32 ) ‖ "\n" ) ‖ "\n" ‖ signed checkpoint        n ≤ 63
 *
 * Whether its checkpoint is one is decided later: an unknown origin is said before anything else is.
 */
import { equal } from '../crypto/primitives.ts';
import { utf8Bytes } from '../wire/bytes.ts';
import { base64 } from '../wire/text.ts';
import { parseDecimal, parseHash } from './checkpoint.ts';
import { noteFromBytes } from './note.ts';
import { TransparencyFault } from './transparency-fault.ts';
import { emptyRoot, proofMax, verifyConsistency } from './tree.ts';

export interface AddCheckpoint {
  /** Size of the checkpoint that the log believes to be the newest here. */
  oldSize: number;
  proof: readonly Uint8Array[];
  /** First line of the note: who the log says that it is. */
  origin: string;
  /** As it came. */
  note: string;
}

export const addCheckpointBody = (
  old: number,
  proof: readonly Uint8Array[],
  note: string,
): Uint8Array =>
  utf8Bytes(`old ${old}\n${proof.map((hash) => `${base64(hash)}\n`).join('')}\n${note}`);

/** Throws `note_malformed`. */
export function parseAddCheckpoint(body: Uint8Array): AddCheckpoint {
  const refuse = () => new TransparencyFault('note_malformed');
  const text = noteFromBytes(body);
  const end = text.indexOf('\n\n');
  if (end < 0) throw refuse();
  const [first = '', ...lines] = text.slice(0, end).split('\n');
  const oldSize = parseDecimal(first.startsWith('old ') ? first.slice(4) : '');
  if (oldSize === undefined || lines.length > proofMax) throw refuse();
  const proof = lines.map((line) => {
    const hash = parseHash(line);
    if (hash === undefined) throw refuse();
    return hash;
  });
  const note = text.slice(end + 2);
  const origin = note.slice(0, Math.max(0, note.indexOf('\n')));
  if (origin === '') throw refuse();
  return { oldSize, proof, origin, note };
}

interface Tree {
  size: number;
  root: Uint8Array;
}

/** That one tree begins with another, by the proof that came with it. Throws `consistency_invalid`. */
export function checkGrowth(
  { proof }: Pick<AddCheckpoint, 'proof'>,
  { size, root }: Tree,
  head: Tree,
): void {
  const fault = () => new TransparencyFault('consistency_invalid');
  if (size === 0 && !equal(root, emptyRoot)) throw fault();
  if (head.size === 0) {
    // The empty tree is the beginning of every other.
    if (proof.length > 0) throw fault();
    return;
  }
  const old = { oldSize: head.size, oldRoot: head.root };
  verifyConsistency({ ...old, newSize: size, newRoot: root, proof });
}
