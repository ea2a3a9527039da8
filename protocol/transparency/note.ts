/**
 * Signed notes: text, an empty line, signature lines. docs/protocol/transparency.md §2.2, c2sp.org/signed-note
 *
 *     note      = text ‖ "\n" ‖ n × line                     text ends with a line feed
 *     line      = "— " ‖ name ‖ " " ‖ base64( keyId 4 ‖ signature ) ‖ "\n"
 *     vkey      = name ‖ "+" ‖ hex( keyId 4 ) ‖ "+" ‖ base64( type u8 ‖ public key )
 *     keyId     = SHA-256( name ‖ "\n" ‖ type u8 ‖ public key )[0..4)
 *
 * The text of a note means nothing until a key that was known beforehand has signed it.
 */
import { ed25519, type SigningPair, sha256Of } from '../crypto/primitives.ts';
import { concat, utf8Bytes } from '../wire/bytes.ts';
import { base64, fromBase64, fromHex, hex } from '../wire/text.ts';
import { TransparencyFault } from './transparency-fault.ts';

/** A note longer than this is not looked at, bytes; 128 signatures of the largest kind fit. */
export const noteMax = 524_288;
export const signaturesMax = 128;

/** What a key signs, by the type byte of its vkey, and how long the public key is. */
export const keyTypes = { ed25519: 0x01, cosignature: 0x04, mldsaCosignature: 0x06 } as const;
export type KeyType = (typeof keyTypes)[keyof typeof keyTypes];
const publicLength: Record<KeyType, number> = { 1: 32, 4: 32, 6: 1312 };

export interface NoteSignature {
  name: string;
  /** 4 bytes. */
  keyId: Uint8Array;
  /** What follows the key id: 64 bytes of Ed25519, or a timestamp and a signature of §2.4. */
  signature: Uint8Array;
}

export interface Note {
  /** Ends with a line feed. */
  text: string;
  signatures: readonly NoteSignature[];
}

export interface Vkey {
  name: string;
  keyId: Uint8Array;
  type: KeyType;
  /** Public key: 32 bytes, or 1,312 of ML-DSA-44. */
  key: Uint8Array;
}

/** What checks the signatures of one key. `cosignature.ts` makes those of cosigners. */
export interface NoteVerifier {
  readonly vkey: Vkey;
  /** Never throws. */
  verify(text: string, signature: Uint8Array): boolean;
}

export interface NoteSigner {
  readonly vkey: Vkey;
  sign(text: string): Uint8Array;
}

const isName = (name: string): boolean =>
  name.length > 0 && name.isWellFormed() && !/[\p{White_Space}+]/u.test(name) && isClean(name);

/** Valid UTF-8 without control characters but the line feed. */
const isClean = (text: string): boolean => {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x20 && unit !== 0x0a) return false;
  }
  return text.isWellFormed();
};

const fits = (text: string): boolean => text.length <= noteMax && utf8Bytes(text).length <= noteMax;

export const isNoteText = (text: string): boolean =>
  text.endsWith('\n') && fits(text) && isClean(text);

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Bytes as they came over the wire. Throws `note_malformed` where they are too many or no UTF-8. */
export function noteFromBytes(bytes: Uint8Array): string {
  if (bytes.length > noteMax) throw new TransparencyFault('note_malformed');
  try {
    return strictUtf8.decode(bytes);
  } catch {
    throw new TransparencyFault('note_malformed');
  }
}

/** Throws `note_malformed`. A note has at least one signature. */
export function parseNote(note: string): Note {
  if (!fits(note) || !isClean(note)) throw new TransparencyFault('note_malformed');
  const end = note.lastIndexOf('\n\n');
  if (end < 0) throw new TransparencyFault('note_malformed');
  return { text: note.slice(0, end + 1), signatures: parseSignatureLines(note.slice(end + 2)) };
}

/** One or more signature lines alone, as a witness answers them. Throws `note_malformed`. */
export function parseSignatureLines(lines: string): NoteSignature[] {
  const refuse = () => new TransparencyFault('note_malformed');
  if (lines.length > noteMax || !lines.endsWith('\n')) throw refuse();
  const each = lines.slice(0, -1).split('\n');
  if (each.length > signaturesMax) throw refuse();
  return each.map((line) => {
    const [dash, name, encoded, ...more] = line.split(' ');
    if (dash !== '—' || name === undefined || encoded === undefined || more.length > 0) {
      throw refuse();
    }
    const bytes = decoded(encoded, 'note_malformed');
    if (!isName(name) || bytes.length < 5) throw refuse();
    return { name, keyId: bytes.subarray(0, 4), signature: bytes.subarray(4) };
  });
}

function decoded(text: string, code: 'note_malformed' | 'vkey_malformed'): Uint8Array {
  try {
    return fromBase64(text);
  } catch (cause) {
    throw new TransparencyFault(code, { cause });
  }
}

export const signatureLine = ({ name, keyId, signature }: NoteSignature): string =>
  `— ${name} ${base64(concat(keyId, signature))}\n`;

/** Throws `note_malformed` where the text or a name cannot stand in a note. */
export function formatNote({ text, signatures }: Note): string {
  if (!isNoteText(text) || signatures.length === 0 || signatures.length > signaturesMax) {
    throw new TransparencyFault('note_malformed');
  }
  if (!signatures.every(({ name, keyId }) => isName(name) && keyId.length === 4)) {
    throw new TransparencyFault('note_malformed');
  }
  return `${text}\n${signatures.map(signatureLine).join('')}`;
}

/** First four bytes of a hash: they tell keys apart, they do not bind one. */
export const keyId = (name: string, type: KeyType, key: Uint8Array): Uint8Array =>
  sha256Of(utf8Bytes(`${name}\n`), Uint8Array.of(type), key).slice(0, 4);

export const sameKeyId = (a: Uint8Array, b: Uint8Array): boolean => hex(a) === hex(b);

/** Throws `vkey_malformed` where the name or the length of the key does not fit. */
export function makeVkey(name: string, type: KeyType, key: Uint8Array): Vkey {
  if (!isName(name) || key.length !== publicLength[type]) {
    throw new TransparencyFault('vkey_malformed');
  }
  return { name, keyId: keyId(name, type, key), type, key };
}

export const formatVkey = (vkey: Vkey): string =>
  `${vkey.name}+${hex(vkey.keyId)}+${base64(concat(Uint8Array.of(vkey.type), vkey.key))}`;

/** Throws `vkey_malformed`; also where the id is not that of the key. */
export function parseVkey(text: string): Vkey {
  const refuse = () => new TransparencyFault('vkey_malformed');
  if (text.length > 4096) throw refuse();
  // Base64 has plus signs of its own; a name has none.
  const [, name = '', id = '', encoded = ''] = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/u.exec(text) ?? [];
  const bytes = decoded(encoded, 'vkey_malformed');
  const type = Object.values(keyTypes).find((known) => known === bytes[0]);
  if (type === undefined) throw refuse();
  const vkey = makeVkey(name, type, bytes.subarray(1));
  if (!sameKeyId(vkey.keyId, fromHex(id))) throw refuse();
  return vkey;
}

/** Signs whole texts, type 0x01: a log's own signature. */
export const noteSigner = (name: string, pair: SigningPair): NoteSigner => ({
  vkey: makeVkey(name, keyTypes.ed25519, pair.public),
  sign: (text) => ed25519.sign(pair, utf8Bytes(text)),
});

/** For a vkey of type 0x01. Throws `vkey_malformed` for another. */
export function noteVerifier(vkey: Vkey): NoteVerifier {
  if (vkey.type !== keyTypes.ed25519) throw new TransparencyFault('vkey_malformed');
  return {
    vkey,
    verify: (text, signature) => ed25519.verify(vkey.key, utf8Bytes(text), signature),
  };
}

export const signatureOf = (text: string, signer: NoteSigner): NoteSignature => {
  const { name, keyId } = signer.vkey;
  return { name, keyId, signature: signer.sign(text) };
};

/** A note of `text` that the signers sign, in their order. */
export const signNote = (text: string, ...signers: readonly NoteSigner[]): string =>
  formatNote({ text, signatures: signers.map((signer) => signatureOf(text, signer)) });

/** The note with further signature lines behind; one that it has already is left out. */
export function addSignatures(note: string, more: readonly NoteSignature[]): string {
  const { text, signatures } = parseNote(note);
  const lines = new Set([...signatures, ...more].map(signatureLine));
  return formatNote({ text, signatures: [...lines].flatMap((line) => parseSignatureLines(line)) });
}

export interface VerifiedSignature {
  vkey: Vkey;
  signature: Uint8Array;
}

/**
 * Those signatures of a note that known keys made. Signatures of others are passed over. Throws
 * `note_malformed`, and `signature_invalid` where a signature in the name of a known key is wrong.
 */
export function knownSignatures(
  { text, signatures }: Note,
  known: readonly NoteVerifier[],
): VerifiedSignature[] {
  const verified: VerifiedSignature[] = [];
  for (const { name, keyId, signature } of signatures) {
    const asked = known.filter(({ vkey }) => vkey.name === name && sameKeyId(vkey.keyId, keyId));
    // Two known keys of one name and id: it is enough that one of them signed.
    const signer = asked.find((verifier) => verifier.verify(text, signature));
    if (signer !== undefined) verified.push({ vkey: signer.vkey, signature });
    else if (asked.length > 0) throw new TransparencyFault('signature_invalid');
  }
  return verified;
}

/** Text and signatures of a note that at least one known key signed. Throws as `knownSignatures`, and `signature_invalid`. */
export function verifyNote(
  note: string,
  known: readonly NoteVerifier[],
): { text: string; verified: VerifiedSignature[] } {
  const parsed = parseNote(note);
  const verified = knownSignatures(parsed, known);
  if (verified.length === 0) throw new TransparencyFault('signature_invalid');
  return { text: parsed.text, verified };
}
