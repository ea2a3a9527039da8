/**
 * Hides the length of a plaintext among six sizes: ISO/IEC 7816-4, 0x80 and then zeros, up to
 * the next size. docs/protocol/dm.md §3
 */
import { Fault } from '../wire/fault.ts';

export const paddedSizes = [256, 512, 1024, 2048, 4096, 8192] as const;

/** The longest plaintext that can be padded, bytes. */
export const longestPlaintext = 8191;

const sizeFor = (length: number): number | undefined => paddedSizes.find((size) => length < size);

/** At most `longestPlaintext` bytes, else `too_large`. Answers a new array of one of the padded sizes. */
export function pad(plaintext: Uint8Array): Uint8Array {
  const size = sizeFor(plaintext.length);
  if (size === undefined) throw new Fault('too_large');
  const out = new Uint8Array(size);
  out.set(plaintext);
  out[plaintext.length] = 0x80;
  return out;
}

/**
 * A view of the plaintext inside `padded`. Throws `malformed` unless `pad` would give exactly these
 * bytes: one plaintext has one padding, so that a longer one can't carry hidden information.
 */
export function unpad(padded: Uint8Array): Uint8Array {
  let end = padded.length - 1;
  while (end >= 0 && padded[end] === 0) end--;
  if (end < 0 || padded[end] !== 0x80 || sizeFor(end) !== padded.length) {
    throw new Fault('malformed');
  }
  return padded.subarray(0, end);
}
