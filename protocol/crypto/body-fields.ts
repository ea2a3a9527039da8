/** Fields that several kinds of body share. docs/protocol/dm.md §2 */
import { type Reader, utf8Bytes, type Writer } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { limits } from '../wire/limits.ts';

/** A message of the conversation: its sender, as whoever sends the body sees it, and its id, 16 bytes. */
export interface Target {
  whose: 'mine' | 'yours';
  id: Uint8Array;
}

export const bodyLimits = {
  mentions: 16,
  attachments: 4,
  descriptorBytes: 4096,
  emojiBytes: 32,
  /** Ids in one receipt, marks in one body, failures in one resync. */
  batch: 64,
  /** Seconds: the longest life of a message. */
  timerSeconds: 31_536_000,
} as const;

export const writeTarget = (out: Writer, { whose, id }: Target): Writer =>
  out.u8(whose === 'mine' ? 1 : 2).raw(id16(id));

export function readTarget(from: Reader): Target {
  const whose = readChoice(from, ['mine', 'yours'] as const);
  return { whose, id: from.raw(16) };
}

/** u8 counted from 1. */
export function readChoice<T>(from: Reader, choices: readonly T[]): T {
  const at = from.u8() - 1;
  if (at < 0 || at >= choices.length) throw new Fault('malformed');
  return choices[at] as T;
}

export function writeEach<T>(
  out: Writer,
  items: readonly T[],
  write: (item: T) => void,
  most: number = bodyLimits.batch,
): void {
  if (items.length === 0) throw new Fault('malformed');
  if (items.length > most) throw new Fault('too_large');
  out.u8(items.length);
  for (const item of items) write(item);
}

export function readEach<T>(from: Reader, read: () => T, most: number = bodyLimits.batch): T[] {
  const count = from.u8();
  if (count === 0) throw new Fault('malformed');
  if (count > most) throw new Fault('too_large');
  return Array.from({ length: count }, read);
}

export function fixed(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length !== length) throw new Fault('malformed');
  return bytes;
}
export const id16 = (id: Uint8Array): Uint8Array => fixed(id, 16);

export function checkText(text: string): string {
  if (text === '') throw new Fault('malformed');
  if (utf8Bytes(text).length > limits.textBytes) throw new Fault('too_large');
  return text;
}

export function checkTimer(seconds: number): number {
  if (seconds > bodyLimits.timerSeconds) throw new Fault('malformed');
  return seconds;
}

export function checkEmoji(emoji: string): string {
  const size = utf8Bytes(emoji).length;
  if (size > bodyLimits.emojiBytes) throw new Fault('too_large');
  // One line of a terminal, and no letters that could pass for somebody's words.
  if (!/^[^\p{Cc}\p{Zl}\p{Zp}\p{L}]+$/u.test(emoji)) throw new Fault('malformed');
  return emoji;
}
