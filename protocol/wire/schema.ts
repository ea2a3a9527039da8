/**
 * What valibot lacks: bytes. On the bus they travel as bytes (CBOR), in HTTP JSON as base64url
 * text. Unknown input is `unknown` until `decode` has seen it; types are inferred from schemas.
 */
import * as v from 'valibot';
import { Fault } from './fault.ts';
import { accountId, channelId, deviceId, envelopeId, personName, spaceId } from './ids.ts';
import { fromBase64url } from './text.ts';

/** Any view of bytes, also a Node Buffer. */
const anyBytes = v.custom<Uint8Array>((value) => value instanceof Uint8Array);

/** Bytes of exactly `length`, as bytes. */
export const bytes = (length: number) =>
  v.pipe(
    anyBytes,
    v.check((value) => value.length === length),
  );

/** Bytes of at most `max`, as bytes. */
export const bytesUpTo = (max: number) =>
  v.pipe(
    anyBytes,
    v.check((value) => value.length <= max),
  );

/** Bytes of exactly `length`, as base64url text; decodes to bytes. */
export const text64 = (length: number) =>
  v.pipe(
    v.string(),
    v.maxLength(Math.ceil((length * 4) / 3)),
    v.transform(fromBase64url),
    bytes(length),
  );

/** Bytes of at most `max`, as base64url text; decodes to bytes. */
export const text64UpTo = (max: number) =>
  v.pipe(
    v.string(),
    v.maxLength(Math.ceil((max * 4) / 3)),
    v.transform(fromBase64url),
    bytesUpTo(max),
  );

export const account = v.pipe(v.string(), v.transform(accountId));
export const device = v.pipe(v.number(), v.transform(deviceId));
export const space = v.pipe(v.string(), v.transform(spaceId));
export const channel = v.pipe(v.string(), v.transform(channelId));
export const envelope = v.pipe(v.string(), v.transform(envelopeId));
export const person = v.pipe(v.string(), v.transform(personName));
export const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
export const empty = v.strictObject({});

export type Schema<Output = unknown> =
  | v.GenericSchema<unknown, Output>
  | v.GenericSchema<never, Output>;
export type Infer<S extends v.GenericSchema> = v.InferOutput<S>;

/** Checks `input` against the schema. A fault thrown by a transform keeps its code; all else is `malformed`. */
export function decode<S extends v.GenericSchema>(schema: S, input: unknown): v.InferOutput<S> {
  const result = v.safeParse(schema, input, { abortEarly: true });
  if (!result.success) throw new Fault('malformed');
  return result.output;
}
