/**
 * What every decoder must survive, as one test: cut, lengthened, altered, random and over-long
 * input gets a fault with a stable code and nothing else. A failure prints fast-check's seed.
 */
import * as fc from 'fast-check';
import type { Test } from 'tap';
import { concat } from '../bytes.ts';
import { Fault, type FaultCode, isFaultCode } from '../fault.ts';

interface Decoder<Value> {
  decode(bytes: Uint8Array): Value;
  /** For input that decodes: must give the same bytes again, or one value would have two encodings. */
  encode?(value: Value): Uint8Array;
  /** Well-formed inputs. */
  samples: readonly Uint8Array[];
  /** Any alteration must be refused, because a signature or a tag covers everything. */
  authentic?: boolean;
  /** Codes of faults of another class that may come out besides those of `Fault`. */
  otherFault?(error: unknown): boolean;
  /** Without the two bytes version and type in front. */
  headless?: boolean;
}

/** How often fast-check tries each property. */
const runs = 250;

/** Prefix lengths that are tried of a long sample. */
const cuts = 400;

export async function fuzzDecoder<Value>(t: Test, decoder: Decoder<Value>): Promise<void> {
  const { decode, encode, samples, authentic = false, otherFault } = decoder;

  /** The fault's code, `undefined` if the input decodes, and a thrown error for anything else. */
  function verdict(bytes: Uint8Array): FaultCode | 'other' | undefined {
    try {
      const value = decode(bytes);
      if (encode !== undefined && !same(encode(value), bytes)) {
        throw new Error('decodes, but encodes to other bytes');
      }
      return undefined;
    } catch (error) {
      if (error instanceof Fault && isFaultCode(error.code)) return error.code;
      if (otherFault?.(error) === true) return 'other';
      throw error;
    }
  }

  for (const sample of samples) {
    t.equal(verdict(sample), undefined, 'a well-formed input decodes');
    const step = Math.max(1, Math.floor(sample.length / cuts));
    for (let length = 0; length < sample.length; length += step) {
      if (verdict(sample.subarray(0, length)) === undefined)
        t.fail(`accepts ${length} bytes of it`);
    }
    const longer = verdict(concat(sample, Uint8Array.of(0)));
    t.ok(longer === 'trailing_bytes' || longer === 'too_large', `a trailing byte: ${longer}`);
    if (decoder.headless !== true) checkHeader(t, sample, verdict);
    const hostile = Uint8Array.from(sample);
    for (let at = 2; at + 4 <= sample.length; at += step) {
      hostile.set(sample);
      hostile.fill(0xff, at, at + 4);
      verdict(hostile);
    }
  }
  const endless = concat(samples[0] ?? new Uint8Array(2), new Uint8Array(4_000_000));
  t.ok(verdict(endless), 'four million bytes more are refused');

  await fc.assert(
    fc.property(altered(samples), (bytes) => {
      const answer = verdict(bytes);
      return !(authentic && answer === undefined);
    }),
    { numRuns: runs * 2 },
  );
  const head = (samples[0] ?? new Uint8Array(2)).subarray(0, 2);
  await fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2048 }), fc.boolean(), (bytes, withHead) => {
      verdict(withHead ? concat(head, bytes) : bytes);
    }),
    { numRuns: runs },
  );
}

function checkHeader(
  t: Test,
  sample: Uint8Array,
  verdict: (bytes: Uint8Array) => FaultCode | 'other' | undefined,
): void {
  const other = Uint8Array.from(sample);
  for (const version of [0, 2, 0xff]) {
    other[0] = version;
    t.equal(verdict(other), 'unknown_version', `version ${version}`);
  }
  other.set(sample);
  for (const type of [0x00, 0x7f, 0xff]) {
    other[1] = type;
    t.equal(verdict(other), 'unknown_type', `type ${type}`);
  }
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** A sample with up to eight bytes replaced, and perhaps some cut out or put in; never the sample itself. */
function altered(samples: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const edit = fc.record({
    at: fc.nat(),
    kind: fc.constantFrom('replace', 'replace', 'cut', 'insert'),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 4 }),
  });
  return fc
    .tuple(fc.constantFrom(...samples), fc.array(edit, { minLength: 1, maxLength: 8 }))
    .map(([sample, edits]) => {
      let bytes = Uint8Array.from(sample);
      for (const { at, kind, bytes: with_ } of edits) {
        const place = at % (bytes.length + 1);
        const before = bytes.subarray(0, place);
        const after = bytes.subarray(kind === 'insert' ? place : place + with_.length);
        bytes = Uint8Array.from(concat(before, kind === 'cut' ? new Uint8Array(0) : with_, after));
      }
      return { sample, bytes };
    })
    .filter(({ sample, bytes }) => !same(sample, bytes))
    .map(({ bytes }) => bytes);
}
