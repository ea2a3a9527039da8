/**
 * A checkpoint as two people compare it: who sees the same digits has seen the same log. docs/protocol/transparency.md §8
 *
 *     hash = SHA-256( "PI/1/log-code" ‖ 0x00 ‖ u64 size ‖ root 32 )
 *     code = 6 groups of 5 digits: 5 bytes of the hash each, as a number modulo 100,000
 */
import { sha256Of } from '@island/protocol/crypto/primitives.ts';
import { utf8Bytes, Writer } from '@island/protocol/wire/bytes.ts';

const label = utf8Bytes('PI/1/log-code\0');

export function logCode({ size, root }: { size: number; root: Uint8Array }): string[] {
  const hash = sha256Of(label, new Writer(40).u64(size).raw(root).done());
  return Array.from({ length: 6 }, (_, i) => {
    let group = 0;
    for (const byte of hash.subarray(5 * i, 5 * i + 5)) group = group * 256 + byte;
    return String(group % 100_000).padStart(5, '0');
  });
}
