import * as fc from 'fast-check';
import t from 'tap';
import { Fault } from './fault.ts';
import { base64url, fromBase64url, fromHex, hex } from './text.ts';

const malformed = { name: 'Fault', code: 'malformed' };

t.test('bytes come back from both spellings', async (t) => {
  await fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      t.same(fromBase64url(base64url(bytes)), bytes);
      t.same(fromHex(hex(bytes)), bytes);
    }),
    { numRuns: 60 },
  );
});

t.test('base64url agrees with another implementation', async (t) => {
  await fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      t.equal(base64url(bytes), Buffer.from(bytes).toString('base64url'));
    }),
    { numRuns: 60 },
  );
});

t.test('JSON malleability: one value has one spelling', async (t) => {
  for (const text of ['AA==', 'AA=', 'AB', 'A', 'AA AA', 'AA\n', '+/AA', 'ÄA', 'A A', '\0\0']) {
    t.throws(() => fromBase64url(text), malformed, JSON.stringify(text));
  }
  for (const text of ['0', 'AB', '0x00', ' 00', '00\n', 'gg', '00 00']) {
    t.throws(() => fromHex(text), malformed, JSON.stringify(text));
  }
});

t.test('any text decodes to bytes that spell it again, or is malformed', async () => {
  await fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
      try {
        return base64url(fromBase64url(text)) === text;
      } catch (error) {
        return error instanceof Fault && error.code === 'malformed';
      }
    }),
  );
});

t.test('a megabyte of bad text is refused at once', async (t) => {
  const started = performance.now();
  t.throws(() => fromHex('0'.repeat(999_999)), malformed);
  t.throws(() => fromBase64url('='.repeat(1_000_000)), malformed);
  t.ok(performance.now() - started < 2000);
});
