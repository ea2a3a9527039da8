/**
 * The body of `add-checkpoint`, c2sp.org/tlog-witness. docs/protocol/transparency.md §7
 *
 *     "old " ‖ decimal ‖ "\n" ‖ n × ( base64( hash 32 ) ‖ "\n" ) ‖ "\n" ‖ signed checkpoint        n ≤ 63
 *
 * Whether its checkpoint is one is decided later: an unknown origin is said before anything else is.
 */
import { parseDecimal, parseHash } from '@island/protocol/transparency/checkpoint.ts';
import { noteFromBytes } from '@island/protocol/transparency/note.ts';
import { TransparencyFault } from '@island/protocol/transparency/transparency-fault.ts';
import { proofMax } from '@island/protocol/transparency/tree.ts';

export interface AddCheckpoint {
  /** Size of the checkpoint that the log believes to be the newest here. */
  oldSize: number;
  proof: readonly Uint8Array[];
  /** First line of the note: who the log says that it is. */
  origin: string;
  /** As it came. */
  note: string;
}

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
