import * as fc from 'fast-check';
import t from 'tap';
import { concat, Reader, Writer } from './bytes.ts';

t.test('every field comes back as it was written', async (t) => {
  await fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 0xff }),
      fc.integer({ min: 0, max: 0xffff }),
      fc.integer({ min: 0, max: 0xffff_ffff }),
      fc.maxSafeNat(),
      fc.uint8Array({ maxLength: 600 }),
      fc.string({ unit: 'binary', maxLength: 100 }),
      (u8, u16, u32, u64, bytes, text) => {
        const written = new Writer(1).u8(u8).u16(u16).u32(u32).u64(u64).var16(bytes).var32(bytes);
        const from = new Reader(written.text16(text).raw(bytes).done());
        t.equal(from.u8(), u8);
        t.equal(from.u16(), u16);
        t.equal(from.u32(), u32);
        t.equal(from.u64(), u64);
        t.same(from.var16(), bytes);
        t.same(from.var32(600), bytes);
        t.equal(from.text16(), text);
        t.same(from.raw(bytes.length), bytes);
        from.end();
      },
    ),
    { numRuns: 60 },
  );
});

t.test('numbers are big-endian', async (t) => {
  const bytes = new Writer().u16(0x0102).u32(0x03040506).u64(0x0708090a0b0c).done();
  t.same([...bytes], [1, 2, 3, 4, 5, 6, 0, 0, 7, 8, 9, 10, 11, 12]);
});

t.test('reading past the end is `truncated`, a byte too many `trailing_bytes`', async (t) => {
  t.throws(() => new Reader(Uint8Array.of(1)).u16(), { name: 'Fault', code: 'truncated' });
  t.throws(() => new Reader(new Uint8Array(7)).u64(), { name: 'Fault', code: 'truncated' });
  t.throws(() => new Reader(Uint8Array.of(0, 9, 1)).var16(), { name: 'Fault', code: 'truncated' });
  t.throws(() => new Reader(Uint8Array.of(1)).end(), { name: 'Fault', code: 'trailing_bytes' });
});

t.test('a length above the limit is refused before anything is read', async (t) => {
  t.throws(() => new Reader(Uint8Array.of(0xff, 0xff, 0xff, 0xff)).var32(10), {
    name: 'Fault',
    code: 'too_large',
  });
  t.throws(() => new Reader(Uint8Array.of(0, 11)).var16(10), { name: 'Fault', code: 'too_large' });
  t.throws(() => new Writer().var16(new Uint8Array(0x10000)), { name: 'Fault', code: 'too_large' });
});

t.test('a number above 2^53 - 1 is refused: it would be rounded', async (t) => {
  t.throws(() => new Reader(Uint8Array.of(0, 0x20, 0, 0, 0, 0, 0, 0)).u64(), {
    name: 'Fault',
    code: 'malformed',
  });
  const largest = new Writer().u64(Number.MAX_SAFE_INTEGER).done();
  t.equal(new Reader(largest).u64(), Number.MAX_SAFE_INTEGER);
});

t.test('text is strict UTF-8 with one encoding', async (t) => {
  const text = (...bytes: number[]) =>
    new Reader(Uint8Array.of(0, bytes.length, ...bytes)).text16();
  t.throws(() => text(0xff), { name: 'Fault', code: 'malformed' });
  t.throws(() => text(0xc0, 0x80), { name: 'Fault', code: 'malformed' });
  t.throws(() => text(0xed, 0xa0, 0x80), { name: 'Fault', code: 'malformed' });
  t.throws(() => new Writer().text16('\ud800'), { name: 'Fault', code: 'malformed' });
  t.equal(text(0xef, 0xbb, 0xbf, 0x61), '\ufeffa', 'a byte order mark is not dropped');
});

t.test('the header names one version and one type', async (t) => {
  t.throws(() => new Reader(Uint8Array.of(2, 7)).header(1, 7), {
    name: 'Fault',
    code: 'unknown_version',
  });
  t.throws(() => new Reader(Uint8Array.of(1, 8)).header(1, 7), {
    name: 'Fault',
    code: 'unknown_type',
  });
  t.equal(new Reader(Uint8Array.of(1, 7, 9)).header(1, 7).left, 1);
});

t.test('fields read from a Buffer are plain bytes that `slice` copies', async (t) => {
  const buffer = Buffer.from([1, 2, 3, 4]);
  const field = new Reader(buffer.subarray(1)).raw(2);
  t.equal(Object.getPrototypeOf(field), Uint8Array.prototype);
  field.slice()[0] = 9;
  t.same([...buffer], [1, 2, 3, 4]);
});

t.test('concat joins in order', async (t) => {
  t.same([...concat(Uint8Array.of(1), new Uint8Array(0), Uint8Array.of(2, 3))], [1, 2, 3]);
});
