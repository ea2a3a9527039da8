/** Bytes as text: base64url without padding, base64 with padding where another's format wants it, and lower-case hex. Strict both ways. docs/protocol/encoding.md §2 */
import { base32nopad, base64 as base64Coder, base64urlnopad, hex as hexCoder } from '@scure/base';
import { Fault } from './fault.ts';

export const base64url = (bytes: Uint8Array): string => base64urlnopad.encode(bytes);

/** One spelling for one value: padding, white space and non-zero spare bits are refused. */
export function fromBase64url(text: string): Uint8Array {
  try {
    return base64urlnopad.decode(text);
  } catch {
    throw new Fault('malformed');
  }
}

/** RFC 4648 §4, with padding: what the texts of C2SP use. */
export const base64 = (bytes: Uint8Array): string => base64Coder.encode(bytes);

/** One spelling for one value, as `fromBase64url`. */
export function fromBase64(text: string): Uint8Array {
  try {
    return base64Coder.decode(text);
  } catch {
    throw new Fault('malformed');
  }
}

/** RFC 4648 §6, lower-case and without padding: names that are made of hashes. One way only. */
export const base32 = (bytes: Uint8Array): string => base32nopad.encode(bytes).toLowerCase();

export const hex = (bytes: Uint8Array): string => hexCoder.encode(bytes);

export function fromHex(text: string): Uint8Array {
  if (!/^(?:[0-9a-f]{2})*$/.test(text)) throw new Fault('malformed');
  return hexCoder.decode(text);
}
