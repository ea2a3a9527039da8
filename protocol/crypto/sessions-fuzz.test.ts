/** Decoders of messages, fields and stored sessions: any bytes give a value or a stable code, never a change. */
import fc from 'fast-check';
import t from 'tap';
import { concat, Reader, utf8Bytes } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { limits } from '../wire/limits.ts';
import { CryptoFault } from './crypto-fault.ts';
import { readFields } from './handshake-fields.ts';
import { equal } from './primitives.ts';
import { readMessage } from './session.ts';
import { PeerSessions } from './sessions.ts';
import { codeOf, line, start } from './testing/devices.ts';

const text = utf8Bytes('text');
const { alice, bob, a, b } = line(false);
a.start(bob.bundle(), start);
const first = a.encrypt(text, start).message;
bob.commit(b.decrypt(first, start, bob));
for (const message of [b.encrypt(text, start).message]) a.decrypt(message, start, alice);
b.encrypt(text, start);
a.decrypt(b.encrypt(text, start).message, start, alice);
const ordinary = b.encrypt(text, start).message;
const stored = Uint8Array.from(a.encode());
const options = { ours: alice.own, peer: bob.party, generation: 1 };

const decoders: Record<
  string,
  { valid: readonly Uint8Array[]; decode: (bytes: Uint8Array) => unknown }
> = {
  message: { valid: [first, ordinary], decode: readMessage },
  fields: {
    valid: [first.subarray(18, 18 + 1153)],
    decode: (bytes) => {
      const from = new Reader(bytes);
      readFields(from);
      from.end();
    },
  },
  'stored sessions': {
    valid: [stored],
    decode: (bytes) => PeerSessions.decode(bytes, options, start),
  },
};

/** True when `work` succeeds or throws one of the closed set of codes. */
function stable(work: () => unknown): boolean {
  try {
    work();
    return true;
  } catch (error) {
    if (error instanceof Fault || error instanceof CryptoFault) return error.code !== 'internal';
    throw error;
  }
}

for (const [name, { valid, decode }] of Object.entries(decoders)) {
  t.test(`M1 the decoder of a ${name} answers any bytes with a value or a stable code`, (t) => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), (bytes) => stable(() => decode(bytes))),
      { numRuns: 300 },
    );
    for (const good of valid) {
      t.doesNotThrow(() => decode(good));
      fc.assert(
        fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
          const bytes = Uint8Array.from(good);
          bytes[at] = (bytes[at] ?? 0) ^ flip;
          return stable(() => decode(bytes));
        }),
        { numRuns: 400 },
      );
      t.equal(
        codeOf(() => decode(new Uint8Array(0))),
        'truncated',
      );
    }
    t.end();
  });
}

t.test('M1 truncated, trailing, oversize and unknown: each has its code', (t) => {
  const cut = (bytes: Uint8Array) =>
    Array.from({ length: 40 }, (_, i) => bytes.subarray(0, Math.floor((bytes.length * i) / 40)));
  for (const part of cut(stored))
    t.equal(
      codeOf(() => PeerSessions.decode(part, options, start)),
      'truncated',
    );
  for (const part of cut(first))
    t.equal(
      codeOf(() => readMessage(part)),
      'truncated',
    );
  t.equal(
    codeOf(() => PeerSessions.decode(concat(stored, Uint8Array.of(0)), options, start)),
    'trailing_bytes',
  );
  t.equal(
    codeOf(() => readMessage(new Uint8Array(limits.envelopeBytes + 1))),
    'too_large',
  );
  for (const [at, code] of [
    [0, 'unknown_version'],
    [1, 'unknown_type'],
  ] as const) {
    for (const [good, decode] of [
      [stored, (x: Uint8Array) => PeerSessions.decode(x, options, start)],
      [first, readMessage],
    ] as const) {
      const changed = Uint8Array.from(good);
      changed[at] = 0x7f;
      t.equal(
        codeOf(() => decode(changed)),
        code,
      );
    }
  }
  t.end();
});

t.test(
  'M1 pitfall: state change on failed decrypt: any bytes whatsoever leave the stored state as it was',
  (t) => {
    const before = Uint8Array.from(a.encode());
    const attempts = fc.oneof(
      fc.uint8Array({ maxLength: 2000 }),
      fc
        .tuple(fc.constantFrom(first, ordinary), fc.nat(2000), fc.integer({ min: 1, max: 255 }))
        .map(([good, at, flip]) => {
          const bytes = Uint8Array.from(good);
          bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ flip;
          return bytes;
        }),
      fc
        .tuple(fc.constantFrom(first, ordinary), fc.uint8Array({ minLength: 1, maxLength: 20 }))
        .map(([good, more]) => concat(good, more)),
      fc
        .tuple(fc.constantFrom(first, ordinary), fc.nat(2000))
        .map(([good, end]) => good.subarray(0, end % good.length)),
    );
    fc.assert(
      fc.property(attempts, (bytes) => {
        const failed = codeOf(() => a.decrypt(bytes, start, alice)) !== 'none';
        return failed && equal(a.encode(), before);
      }),
      { numRuns: 600 },
    );
    t.same(a.decrypt(ordinary, start, alice).plaintext, text);
    t.end();
  },
);
