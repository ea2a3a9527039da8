/** Fields that several ops share. docs/protocol/channel.md §3.1 */
import type { Reader } from '../wire/bytes.ts';
import { Fault } from '../wire/fault.ts';
import { type AccountId, accountId, type ChannelId, channelId } from '../wire/ids.ts';
import { limits } from '../wire/limits.ts';
import { hex } from '../wire/text.ts';
import { allPermissions } from './permissions.ts';

export function sized(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length !== length) throw new Fault('malformed');
  return bytes;
}

export const readAccount = (from: Reader): AccountId => accountId(hex(from.raw(16)));
export const readChannelId = (from: Reader): ChannelId => channelId(hex(from.raw(16)));

/** One line of a window: no control characters, no line ends, no white space around. */
const oneLine = /^[^\p{Cc}\p{Zl}\p{Zp}]*$/u;

function line(text: string, least: number): string {
  const lawful = oneLine.test(text) && text.trim() === text && text.length >= least;
  if (!lawful) throw new Fault('malformed');
  return text;
}

/** What a space, a channel or a role is called. */
export const readTitle = (from: Reader): string => line(from.text16(limits.titleBytes), 1);
export const readTopic = (from: Reader): string => line(from.text16(limits.topicBytes), 0);
/** May be empty. Members and the island can read it. */
export const readReason = (from: Reader): string => line(from.text16(limits.reasonBytes), 0);

export function readFlag(from: Reader): boolean {
  const flag = from.u8();
  if (flag > 1) throw new Fault('malformed');
  return flag === 1;
}

/** A role other than everybody's. */
export function readRole(from: Reader): number {
  const role = from.u16();
  if (role === 0) throw new Fault('malformed');
  return role;
}

export function readPermissions(from: Reader): number {
  const sum = from.u32();
  if ((sum & ~allPermissions) !== 0) throw new Fault('malformed');
  return sum;
}

export function readMany<T>(from: Reader, most: number, read: (from: Reader) => T): T[] {
  const count = from.u8();
  if (count > most) throw new Fault('too_large');
  return Array.from({ length: count }, () => read(from));
}

/** One set has one encoding. */
export function ascending(numbers: readonly number[]): readonly number[] {
  if (numbers.some((number, at) => at > 0 && number <= (numbers[at - 1] ?? 0)))
    throw new Fault('malformed');
  return numbers;
}
