/**
 * Cosignatures: a witness says when it saw which checkpoint as the largest of a log.
 * docs/protocol/transparency.md §2.4, c2sp.org/tlog-cosignature
 *
 *     signature = u64 timestamp, seconds ‖ 64 bytes of Ed25519 (type 0x04) or 2,420 of ML-DSA-44 (type 0x06)
 *
 *     0x04 signs  "cosignature/v1\n" ‖ "time " ‖ decimal timestamp ‖ "\n" ‖ text of the checkpoint
 *     0x06 signs  "subtree/v1\n\0" ‖ var8 cosigner name ‖ u64 timestamp ‖ var8 origin
 *                 ‖ u64 start = 0 ‖ u64 end = size ‖ root 32
 */
import {
  type DsaPair,
  ed25519,
  mldsa44,
  type Random,
  type SigningPair,
} from '../crypto/primitives.ts';
import { concat, Reader, utf8Bytes, Writer } from '../wire/bytes.ts';
import { parseCheckpoint } from './checkpoint.ts';
import {
  keyTypes,
  makeVkey,
  type NoteSignature,
  type NoteVerifier,
  noteVerifier,
  type Vkey,
} from './note.ts';
import { TransparencyFault } from './transparency-fault.ts';

/** Signs checkpoints for one key; `timestamp` in seconds, above 0. */
export interface Cosigner {
  readonly vkey: Vkey;
  /** `text` of a checkpoint. Throws `note_malformed` where it is none. */
  cosign(text: string, timestamp: number): NoteSignature;
  /** The same; what takes long is done in another thread where there is one. */
  cosignAside(text: string, timestamp: number): Promise<NoteSignature>;
}

const subtreeLabel = utf8Bytes('subtree/v1\n\0');

const v1Message = (text: string, timestamp: number): Uint8Array =>
  utf8Bytes(`cosignature/v1\ntime ${timestamp}\n${text}`);

function subtreeMessage(name: string, text: string, timestamp: number): Uint8Array {
  const { origin, size, root } = parseCheckpoint(text);
  const writer = new Writer().raw(subtreeLabel);
  var8(writer, name).u64(timestamp);
  return var8(writer, origin).u64(0).u64(size).raw(root).done();
}

function var8(writer: Writer, text: string): Writer {
  const bytes = utf8Bytes(text);
  if (bytes.length < 1 || bytes.length > 255) throw new TransparencyFault('note_malformed');
  return writer.u8(bytes.length).raw(bytes);
}

type Signs<Signature> = (text: string, timestamp: number) => Signature;

function cosigner(
  vkey: Vkey,
  signs: Signs<Uint8Array>,
  aside: Signs<Promise<Uint8Array>>,
): Cosigner {
  const { name, keyId } = vkey;
  const check = (text: string, timestamp: number): void => {
    if (!Number.isSafeInteger(timestamp) || timestamp <= 0)
      throw new TransparencyFault('note_malformed');
    parseCheckpoint(text);
  };
  const stamped = (timestamp: number, signature: Uint8Array): NoteSignature => {
    return { name, keyId, signature: concat(new Writer(8).u64(timestamp).done(), signature) };
  };
  return {
    vkey,
    cosign(text, timestamp) {
      check(text, timestamp);
      return stamped(timestamp, signs(text, timestamp));
    },
    async cosignAside(text, timestamp) {
      check(text, timestamp);
      return stamped(timestamp, await aside(text, timestamp));
    },
  };
}

/** Type 0x04. The key MUST serve no other cosigner: its name is not in what it signs. */
export function ed25519Cosigner(name: string, pair: SigningPair): Cosigner {
  const signs: Signs<Uint8Array> = (text, timestamp) =>
    ed25519.sign(pair, v1Message(text, timestamp));
  const vkey = makeVkey(name, keyTypes.cosignature, pair.public);
  return cosigner(vkey, signs, async (text, timestamp) => signs(text, timestamp));
}

/** Type 0x06. */
export const mldsaCosigner = (name: string, pair: DsaPair, random?: Random): Cosigner =>
  cosigner(
    makeVkey(name, keyTypes.mldsaCosignature, pair.public),
    (text, timestamp) => mldsa44.sign(pair, subtreeMessage(name, text, timestamp), random),
    async (text, timestamp) => {
      const message = subtreeMessage(name, text, timestamp);
      return random === undefined
        ? mldsa44.signAside(pair, message)
        : mldsa44.sign(pair, message, random);
    },
  );

/** Seconds, or `undefined` where there is no time below 2^53 in front of the signature. */
export function cosignatureTime(signature: Uint8Array): number | undefined {
  if (signature.length < 8) return undefined;
  try {
    return new Reader(signature.subarray(0, 8)).u64();
  } catch {
    // A time that no clock shows: the signature counts as wrong.
    return undefined;
  }
}

/** For a vkey of type 0x04 or 0x06. Throws `vkey_malformed` for another. A time of 0 is refused: it says nothing of "largest". */
export function cosignatureVerifier(vkey: Vkey): NoteVerifier {
  if (vkey.type === keyTypes.ed25519) throw new TransparencyFault('vkey_malformed');
  const message = vkey.type === keyTypes.cosignature ? v1Message : subtreeOf(vkey.name);
  const verifies = vkey.type === keyTypes.cosignature ? ed25519.verify : mldsa44.verify;
  return {
    vkey,
    verify(text, signature) {
      const timestamp = cosignatureTime(signature);
      if (timestamp === undefined || timestamp === 0 || !isCheckpoint(text)) return false;
      return verifies(vkey.key, message(text, timestamp), signature.subarray(8));
    },
  };
}

const subtreeOf = (name: string) => (text: string, timestamp: number) =>
  subtreeMessage(name, text, timestamp);

function isCheckpoint(text: string): boolean {
  try {
    parseCheckpoint(text);
    return true;
  } catch {
    return false;
  }
}

/** The verifier of a vkey, whatever its type. */
export const verifierOf = (vkey: Vkey): NoteVerifier =>
  vkey.type === keyTypes.ed25519 ? noteVerifier(vkey) : cosignatureVerifier(vkey);
