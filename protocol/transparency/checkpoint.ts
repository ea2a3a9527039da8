/**
 * Checkpoints: what a log says about itself. docs/protocol/transparency.md §2.3, c2sp.org/tlog-checkpoint
 *
 *     text = origin ‖ "\n" ‖ decimal size ‖ "\n" ‖ base64( root 32 ) ‖ "\n"
 *
 * No extension lines: nobody audits them, and ML-DSA cosignatures do not cover them.
 */
import { utf8Bytes } from '../wire/bytes.ts';
import { base64, fromBase64 } from '../wire/text.ts';
import { isNoteText, type NoteSigner, type NoteVerifier, signNote, verifyNote } from './note.ts';
import { TransparencyFault } from './transparency-fault.ts';

export interface Checkpoint {
  /** Who the log is. At most 255 bytes of UTF-8. */
  origin: string;
  /** Number of leaves, below 2^53. */
  size: number;
  /** 32 bytes. */
  root: Uint8Array;
}

const isOrigin = (origin: string): boolean =>
  origin !== '' && !origin.includes('\n') && utf8Bytes(origin).length <= 255;

/** A decimal without leading zeroes below 2^53, or `undefined`. */
export function parseDecimal(text: string): number | undefined {
  if (!/^(?:0|[1-9][0-9]{0,15})$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** A SHA-256 hash as one line of base64, or `undefined`. */
export function parseHash(text: string): Uint8Array | undefined {
  // 44 characters are the only length: nothing else is decoded.
  if (text.length !== 44) return undefined;
  try {
    const bytes = fromBase64(text);
    return bytes.length === 32 ? bytes : undefined;
  } catch {
    return undefined;
  }
}

/** The text of the note. Throws `note_malformed` for an origin, size or root that cannot stand in one. */
export function encodeCheckpoint({ origin, size, root }: Checkpoint): string {
  const text = `${origin}\n${size}\n${base64(root)}\n`;
  const counts = Number.isSafeInteger(size) && size >= 0;
  if (!isOrigin(origin) || !counts || root.length !== 32 || !isNoteText(text)) {
    throw new TransparencyFault('note_malformed');
  }
  return text;
}

/** Throws `note_malformed`. */
export function parseCheckpoint(text: string): Checkpoint {
  const [origin = '', decimal = '', encoded = '', after, ...more] = text.split('\n');
  const size = parseDecimal(decimal);
  const root = parseHash(encoded);
  // One empty string behind the last line feed and nothing after it: three lines.
  const three = after === '' && more.length === 0 && isNoteText(text);
  if (!three || !isOrigin(origin) || size === undefined || root === undefined) {
    throw new TransparencyFault('note_malformed');
  }
  return { origin, size, root };
}

export const signCheckpoint = (checkpoint: Checkpoint, ...signers: readonly NoteSigner[]): string =>
  signNote(encodeCheckpoint(checkpoint), ...signers);

/**
 * A checkpoint that the log of `log` signed; says nothing of witnesses. Throws `note_malformed`,
 * `unknown_origin` where it is of another log, `signature_invalid`.
 */
export function openCheckpoint(note: string, log: NoteVerifier): Checkpoint {
  const end = note.indexOf('\n');
  if (note.slice(0, Math.max(0, end)) !== log.vkey.name) {
    // What is no checkpoint at all is said to be that first.
    parseCheckpoint(note.slice(0, note.lastIndexOf('\n\n') + 1));
    throw new TransparencyFault('unknown_origin');
  }
  return parseCheckpoint(verifyNote(note, [log]).text);
}
