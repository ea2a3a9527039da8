/**
 * Bytes on the bus: strict CBOR. docs/architecture.md §1
 *
 *     request, event:  the value of the contract's schema
 *     answer:          [1, value]  or  [0, code, details or null]
 */
import { Fault, isFaultCode } from '@island/protocol/wire/fault.ts';
import { decode as decodeAs } from '@island/protocol/wire/schema.ts';
import { decode, encode } from 'cborg';
import * as v from 'valibot';

/** NATS `max_payload`; nothing larger is handed to the client library. */
export const busBytes = 1_048_576;

const strict = {
  strict: true,
  allowIndefinite: false,
  allowUndefined: false,
  allowBigInt: false,
  allowNaN: false,
  allowInfinity: false,
  rejectDuplicateMapKeys: true,
} as const;

/** @throws Fault `too_large` */
export function toBytes(value: unknown): Uint8Array {
  const bytes = encode(value, { ignoreUndefinedProperties: true });
  if (bytes.length > busBytes) throw new Fault('too_large');
  return bytes;
}

/** @throws Fault `malformed` for whatever is not strict CBOR, also what nests too deep for the stack */
export function fromBytes(bytes: Uint8Array): unknown {
  try {
    // A plain view: decoding a Buffer would yield Buffers, whose `slice` shares memory.
    return decode(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length), strict);
  } catch {
    throw new Fault('malformed');
  }
}

const details = v.record(v.string(), v.union([v.number(), v.array(v.number())]));
const answer = v.union([
  v.strictTuple([v.literal(1), v.unknown()]),
  v.strictTuple([v.literal(0), v.string(), v.nullable(details)]),
]);

export const answerBytes = (value: unknown): Uint8Array => toBytes([1, value]);

export const faultBytes = (fault: Fault): Uint8Array =>
  toBytes([0, fault.code, fault.details ?? null]);

/** The answer's value; @throws the Fault it carries, or `internal` when it is neither. */
export function readAnswer(bytes: Uint8Array): unknown {
  let read: v.InferOutput<typeof answer>;
  try {
    read = decodeAs(answer, fromBytes(bytes));
  } catch (cause) {
    throw new Fault('internal', undefined, { cause });
  }
  if (read[0] === 1) return read[1];
  const [, code, more] = read;
  throw isFaultCode(code) ? new Fault(code, more ?? undefined) : new Fault('internal');
}
