/**
 * Random bytes that are the same every time, for vectors and tests only. docs/protocol/encoding.md §7
 *
 *     block i = SHA-256( "PI/1/test-random" ‖ 0x00 ‖ seed ‖ 0x00 ‖ u32 i ),  i = 0, 1, …
 *
 * A request takes the next bytes of the stream of blocks.
 */

import { type Random, sha256 } from '../crypto/primitives.ts';
import { utf8Bytes, Writer } from '../wire/bytes.ts';

export function seededRandom(seed: string): Random {
  const head = utf8Bytes(`PI/1/test-random\0${seed}\0`);
  let block = new Uint8Array(0);
  let next = 0;
  return (length) => {
    const out = new Uint8Array(length);
    for (let at = 0; at < length; ) {
      if (block.length === 0) {
        block = Uint8Array.from(sha256(new Writer().raw(head).u32(next++).done()));
      }
      const part = block.subarray(0, length - at);
      out.set(part, at);
      at += part.length;
      block = block.subarray(part.length);
    }
    return out;
  };
}
