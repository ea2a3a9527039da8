/** A row that holds JSON: what it must look like is a schema, as for anything that is read. */
import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import { base64url, fromBase64url } from '@island/protocol/wire/text.ts';
import * as v from 'valibot';
import { Problem } from '../problem.ts';
import type { Row } from './storage.ts';

/** Bytes inside a record: base64url in the row, a Uint8Array in the program. */
export const bytes64 = v.pipe(v.string(), v.transform(fromBase64url));

const text = new TextDecoder('utf-8', { fatal: true });

export const encodeRecord = (value: object): Uint8Array =>
  utf8Bytes(
    JSON.stringify(value, (_, part: unknown) =>
      part instanceof Uint8Array ? base64url(part) : part,
    ),
  );

/** Throws `home_damaged` for what this program cannot have written. */
export function decodeRecord<S extends v.GenericSchema>(schema: S, row: Row): v.InferOutput<S> {
  let value: unknown;
  try {
    value = JSON.parse(text.decode(row.bytes));
  } catch (cause) {
    throw damaged(row.key, cause);
  }
  const result = v.safeParse(schema, value);
  if (!result.success) throw damaged(row.key, undefined);
  return result.output;
}

const damaged = (key: string, cause: unknown): Problem =>
  new Problem(
    'home_damaged',
    { home: 'the home folder', reason: `the record ${key} cannot be read` },
    { cause },
  );
