/** The code by which people compare what they were shown. docs/protocol/transparency.md §8.8 */
import { createHash } from 'node:crypto';
import t from 'tap';
import { logCode } from './log-code.ts';

t.test('K2: the code is that of the document', async (t) => {
  const root = Uint8Array.from({ length: 32 }, (_, i) => i);
  const size = 1_000_003;
  t.equal(logCode({ size, root }).join(' '), '10323 42461 42050 49645 43948 09586');

  const counted = Buffer.alloc(8);
  counted.writeBigUInt64BE(BigInt(size));
  const hash = createHash('sha256').update('PI/1/log-code\0').update(counted).update(root).digest();
  const groups = Array.from({ length: 6 }, (_, i) => hash.readUIntBE(5 * i, 5) % 100_000);
  t.same(logCode({ size, root }).map(Number), groups, 'as anybody else computes it');
});

t.test('K2: another size or another root is another code', async (t) => {
  const root = new Uint8Array(32);
  const codes = [1, 2, 256, 2 ** 40].map((size) => logCode({ size, root }).join(' '));
  codes.push(logCode({ size: 1, root: Uint8Array.of(1, ...root.subarray(1)) }).join(' '));
  t.equal(new Set(codes).size, codes.length);
  for (const code of codes) t.match(code, /^\d{5}( \d{5}){5}$/);
});
