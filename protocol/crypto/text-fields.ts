/** What may go with a text, in a direct message as in a channel. docs/protocol/dm.md §2 */
import type { Reader, Writer } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { type AccountId, accountId } from '../wire/ids.ts';
import { fromHex, hex } from '../wire/text.ts';
import { bodyLimits, readEach, writeEach } from './body-fields.ts';

export interface Mention {
  account: AccountId;
  /** UTF-8 bytes of the text. */
  start: number;
  length: number;
}

/** `size`: of the text, UTF-8 bytes. */
export const writeMentions = (out: Writer, mentions: readonly Mention[], size: number): void =>
  writeEach(
    out,
    checkMentions(mentions, size),
    ({ account, start, length }) => out.raw(fromHex(account)).u16(start).u16(length),
    bodyLimits.mentions,
  );

/** To be checked against the text that follows. */
export const readMentions = (from: Reader): Mention[] =>
  readEach(from, () => readMention(from), bodyLimits.mentions);

function readMention(from: Reader): Mention {
  const account = accountId(hex(from.raw(16)));
  return { account, start: from.u16(), length: from.u16() };
}

/** Each inside the text, in their order, none over another: a reader can cut the text along them. */
export function checkMentions(mentions: readonly Mention[], size: number): readonly Mention[] {
  let end = 0;
  for (const { start, length } of mentions) {
    if (length === 0 || start < end || start + length > size) throw new Fault('malformed');
    end = start + length;
  }
  return mentions;
}

export const writeDescriptors = (out: Writer, descriptors: readonly Uint8Array[]): void =>
  writeEach(
    out,
    descriptors,
    (descriptor) => out.var16(checkDescriptor(descriptor)),
    bodyLimits.attachments,
  );

export const readDescriptors = (from: Reader): Uint8Array[] =>
  readEach(
    from,
    () => checkDescriptor(from.var16(bodyLimits.descriptorBytes)),
    bodyLimits.attachments,
  );

function checkDescriptor(bytes: Uint8Array): Uint8Array {
  if (bytes.length === 0) throw new Fault('malformed');
  if (bytes.length > bodyLimits.descriptorBytes) throw new Fault('too_large');
  return bytes;
}
