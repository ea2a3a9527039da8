/** One file of vectors: made from a seed, committed, and reproduced by a test. docs/protocol/encoding.md §7 */
import { cryptoFaults } from '../crypto/crypto-fault.ts';
import { transparencyFaults } from '../transparency/transparency-fault.ts';
import { isFaultCode } from '../wire/fault.ts';
import { hex } from '../wire/text.ts';

export interface VectorFile {
  /** `<name>.json`, beside this file. */
  name: string;
  /** The text that the vectors belong to. */
  document: string;
  make(): unknown;
}

/** JSON as it is committed: bytes as hex, one field a line, a line feed at the end. */
export async function vectorText(file: VectorFile): Promise<string> {
  const content = { document: file.document, ...Object(await file.make()) };
  return `${JSON.stringify(content, bytesAsHex, 2)}\n`;
}

function bytesAsHex(_key: string, value: unknown): unknown {
  return value instanceof Uint8Array ? hex(value) : value;
}

/** Input that must be refused, with the code that it is refused with. */
export interface Refused {
  why: string;
  bytes: Uint8Array;
  fault: string;
}

/** Runs `decode` on input that it must refuse and records the code. */
export function refused(
  why: string,
  bytes: Uint8Array,
  decode: (bytes: Uint8Array) => unknown,
): Refused {
  try {
    decode(bytes);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    const others = { ...cryptoFaults, ...transparencyFaults };
    const known = isFaultCode(code) || Object.hasOwn(others, String(code));
    if (known) return { why, bytes, fault: String(code) };
    throw error;
  }
  throw new Error(`not refused: ${why}`);
}

/** What every structure of PI/1 refuses alike. */
export function refusedForms(bytes: Uint8Array, decode: (bytes: Uint8Array) => unknown): Refused[] {
  const longer = new Uint8Array(bytes.length + 1);
  longer.set(bytes);
  return [
    refused('a trailing byte', longer, decode),
    refused('the last byte missing', bytes.subarray(0, -1), decode),
    refused('version 2', changed(bytes, 0, 2), decode),
    refused('type 0', changed(bytes, 1, 0), decode),
  ];
}

/** A copy with other bytes from `at` on. */
export function changed(bytes: Uint8Array, at: number, ...values: number[]): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy.set(values, at < 0 ? bytes.length + at : at);
  return copy;
}
