/**
 * Memory given back before the collector comes. Every call of a cipher and every read of a socket makes an array
 * whose bytes lie outside the heap: at a hundred megabytes a second the collector would look through the whole heap
 * many times a second for the sake of a few of them.
 */

/** Bytes below which the collector is as well left to it. */
const least = 4096;

/** Nobody may look at `bytes` afterwards: they are empty then. Of few bytes, or a view of something larger, nothing happens. */
export function release(bytes: Uint8Array): void {
  if (bytes.byteLength < least) return;
  const { buffer } = bytes;
  if (buffer instanceof ArrayBuffer && buffer.byteLength === bytes.byteLength) buffer.transfer(0);
}
