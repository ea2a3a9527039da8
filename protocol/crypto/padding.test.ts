import * as fc from 'fast-check';
import t from 'tap';
import { longestPlaintext, pad, paddedSizes, unpad } from './padding.ts';

t.test('any plaintext up to the longest comes back, from one of six sizes', async (t) => {
  await fc.assert(
    fc.property(fc.uint8Array({ maxLength: longestPlaintext, size: 'max' }), (plaintext) => {
      const padded = pad(plaintext);
      t.ok(paddedSizes.some((size) => size === padded.length));
      t.same(unpad(padded), plaintext);
    }),
    { numRuns: 60 },
  );
});

t.test('lengths around each size take the smallest that fits', async (t) => {
  t.equal(pad(new Uint8Array(0)).length, 256);
  for (const size of paddedSizes) {
    t.equal(pad(new Uint8Array(size - 1)).length, size);
    if (size < 8192) t.equal(pad(new Uint8Array(size)).length, size * 2);
  }
  t.throws(() => pad(new Uint8Array(8192)), { name: 'Fault', code: 'too_large' });
});

t.test('a plaintext that ends like padding is not shortened', async (t) => {
  for (const end of [[0x80], [0x80, 0], [0, 0], [0x80, 0x80]]) {
    const plaintext = Uint8Array.of(1, ...end);
    t.same(unpad(pad(plaintext)), plaintext);
  }
});

t.test('malleability: other paddings of the same plaintext are malformed', async (t) => {
  const good = pad(Uint8Array.of(1, 2, 3));
  const larger = new Uint8Array(512);
  larger.set(good);
  const dirty = Uint8Array.from(good);
  dirty[255] = 1;
  const wrong = [larger, dirty, good.subarray(1), new Uint8Array(256), new Uint8Array(0)];
  for (const bytes of wrong) {
    t.throws(() => unpad(bytes), { name: 'Fault', code: 'malformed' }, `${bytes.length} bytes`);
  }
});

t.test('fuzz: any bytes unpad to what pads to them, or are malformed', async (t) => {
  const length = fc.constantFrom(0, 1, 255, 256, 257, 512);
  const bytes = length.chain((n) => fc.uint8Array({ minLength: n, maxLength: n }));
  await fc.assert(
    fc.property(bytes, fc.nat(512), (random, zeros) => {
      const input = Uint8Array.from(random);
      input.fill(0, Math.max(0, input.length - zeros));
      try {
        t.same(pad(unpad(input)), input);
      } catch (error) {
        t.match(error, { name: 'Fault', code: 'malformed' });
      }
    }),
    { numRuns: 200 },
  );
});
