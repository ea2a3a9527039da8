/**
 * What a direct message says, before padding. docs/protocol/dm.md §2
 *
 *     u8 1 ‖ u8 0x32 ‖ id 16 ‖ u64 sentAt ‖ u8 kind ‖ fields of the kind
 *     kind 0x01 text: text16 text (1 to `limits.textBytes` bytes)
 *
 * `id` is chosen by the sender and is the same in the copies for all devices of the recipient.
 * `sentAt` is what the sender's clock said: Unix milliseconds, to be shown and not to be trusted.
 */
import { Reader, utf8Bytes, Writer } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { limits } from '../wire/limits.ts';

export interface Plaintext {
  /** 16 bytes. */
  id: Uint8Array;
  /** Unix milliseconds. */
  sentAt: number;
  body: { kind: 'text'; text: string };
}

const version = 1;
const type = 0x32;
const textKind = 0x01;

/** Throws `too_large` for a text above `limits.textBytes`, `malformed` for an empty or ill-formed one. */
export function encodePlaintext(plaintext: Plaintext): Uint8Array {
  const { id, sentAt, body } = plaintext;
  if (id.length !== 16 || body.text === '' || !body.text.isWellFormed()) {
    throw new Fault('malformed');
  }
  const text = utf8Bytes(body.text);
  if (text.length > limits.textBytes) throw new Fault('too_large');
  const out = new Writer(text.length + 29).u8(version).u8(type);
  return out.raw(id).u64(sentAt).u8(textKind).var16(text).done();
}

export function decodePlaintext(bytes: Uint8Array): Plaintext {
  const from = new Reader(bytes).header(version, type);
  const id = from.raw(16);
  const sentAt = from.u64();
  if (from.u8() !== textKind) throw new Fault('unknown_type');
  const text = from.text16(limits.textBytes);
  if (text === '') throw new Fault('malformed');
  from.end();
  return { id, sentAt, body: { kind: 'text', text } };
}
