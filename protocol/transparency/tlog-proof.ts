/**
 * A proof that can be kept in a file and checked without asking anybody. docs/protocol/transparency.md §2.7, c2sp.org/tlog-proof
 *
 *     "c2sp.org/tlog-proof@v1\n" [ ‖ "extra " ‖ base64 ‖ "\n" ] ‖ "index " ‖ decimal ‖ "\n"
 *     ‖ n × { base64( hash 32 ) ‖ "\n" } ‖ "\n" ‖ the note of a checkpoint
 *
 * What is `extra` is signed by nobody.
 */
import { base64, fromBase64 } from '../wire/text.ts';
import { parseDecimal, parseHash } from './checkpoint.ts';
import { isNoteText, noteMax, parseNote } from './note.ts';
import {
  type CheckedCheckpoint,
  type CheckOptions,
  checkCheckpoint,
  type Policy,
} from './policy.ts';
import { TransparencyFault } from './transparency-fault.ts';
import { proofMax, verifyInclusion } from './tree.ts';

export interface TlogProof {
  /** For the application; at least one byte. */
  extra?: Uint8Array;
  index: number;
  /** From the leaf's sibling up. */
  proof: readonly Uint8Array[];
  /** The whole note. */
  checkpoint: string;
}

const firstLine = 'c2sp.org/tlog-proof@v1';

const refusal = () => new TransparencyFault('note_malformed');

/** Throws `note_malformed` for what has no such text. */
export function encodeTlogProof({ extra, index, proof, checkpoint }: TlogProof): string {
  const lines = [
    firstLine,
    ...(extra === undefined ? [] : [`extra ${base64(extra)}`]),
    `index ${index}`,
    ...proof.map(base64),
  ];
  const text = `${lines.join('\n')}\n\n${checkpoint}`;
  parseTlogProof(text);
  return text;
}

/** Throws `note_malformed`. */
export function parseTlogProof(text: string): TlogProof {
  if (text.length > 2 * noteMax) throw refusal();
  const end = text.indexOf('\n\n');
  const [first, ...lines] = text.slice(0, Math.max(0, end)).split('\n');
  if (first !== firstLine || !isNoteText(`${text.slice(0, end)}\n`)) throw refusal();
  const extra = lines[0]?.startsWith('extra ') ? parseExtra(lines.shift()) : undefined;
  const [key, decimal = '', ...more] = lines.shift()?.split(' ') ?? [];
  const index = parseDecimal(decimal);
  if (key !== 'index' || index === undefined || more.length > 0) throw refusal();
  if (lines.length > proofMax) throw refusal();
  const proof = lines.map((line) => parseHash(line) ?? raise());
  const checkpoint = text.slice(end + 2);
  parseNote(checkpoint);
  return { ...(extra === undefined ? {} : { extra }), index, proof, checkpoint };
}

function raise(): never {
  throw refusal();
}

function parseExtra(line = ''): Uint8Array {
  try {
    const extra = fromBase64(line.slice('extra '.length));
    if (extra.length > 0) return extra;
  } catch (cause) {
    throw new TransparencyFault('note_malformed', { cause });
  }
  throw refusal();
}

/**
 * That the entry whose leaf hash is `leaf` is in a checkpoint that satisfies the policy. Throws as
 * `checkCheckpoint`, and `inclusion_invalid`.
 */
export function verifyTlogProof(
  { index, proof, checkpoint: note }: TlogProof,
  leaf: Uint8Array,
  policy: Policy,
  options: CheckOptions,
): CheckedCheckpoint {
  const checked = checkCheckpoint(policy, note, options);
  const { size, root } = checked.checkpoint;
  verifyInclusion({ leaf, index, size, proof, root });
  return checked;
}
