/**
 * A direct message before padding. docs/protocol/dm.md §2
 *
 *     u8 1 ‖ u8 0x32 ‖ id 16 ‖ u64 sentAt ‖ body (body.ts)
 *
 * `id` is chosen by the sender and is the same in the copies for all devices of both sides.
 * `sentAt` is what the sender's clock said: Unix milliseconds, to be shown and not to be trusted.
 */
import { Reader, Writer } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { type Body, readBody, writeBody } from './body.ts';
import { longestPlaintext } from './padding.ts';

export interface Plaintext {
  /** 16 bytes. */
  id: Uint8Array;
  /** Unix milliseconds. */
  sentAt: number;
  body: Body;
}

const version = 1;
const type = 0x32;

/** What a sync puts around the plaintext that it carries: 27 head, 16 account, 2 + 32 name, 2 length. */
const syncOverhead = 79;

/** The longest plaintext that also fits into a sync to one's own devices, bytes. */
export const longestMessagePlaintext = longestPlaintext - syncOverhead;

/** Throws `too_large` above what can be padded (within a sync, too), `malformed` for fields out of form. */
export function encodePlaintext({ id, sentAt, body }: Plaintext): Uint8Array {
  if (id.length !== 16) throw new Fault('malformed');
  const out = new Writer(256).u8(version).u8(type).raw(id).u64(sentAt);
  writeBody(out, body);
  const bytes = out.done();
  const most = body.kind === 'sync' ? longestPlaintext : longestMessagePlaintext;
  if (bytes.length > most) throw new Fault('too_large');
  return bytes;
}

export function decodePlaintext(bytes: Uint8Array): Plaintext {
  if (bytes.length > longestPlaintext) throw new Fault('too_large');
  const from = new Reader(bytes).header(version, type);
  const id = from.raw(16);
  const sentAt = from.u64();
  const body = readBody(from);
  from.end();
  if (body.kind !== 'sync' && bytes.length > longestMessagePlaintext) throw new Fault('too_large');
  return { id, sentAt, body };
}
