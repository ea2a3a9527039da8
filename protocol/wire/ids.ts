/** Identifiers, branded so that one kind can't stand for another. docs/protocol/encoding.md §3 */
import { Fault } from './fault.ts';

/** 16 random bytes chosen by the client, as 32 lower-case hex digits. */
export type AccountId = string & { readonly account: unique symbol };
/** 1 to 2^32 - 1; the first device of an account is 1. */
export type DeviceId = number & { readonly device: unique symbol };
/** 16 random bytes chosen by the sender for one envelope, as 32 hex digits: a repeated `put` stores nothing twice. */
export type EnvelopeId = string & { readonly envelope: unique symbol };
/** A community with its channels, that people call a server: 16 bytes of a hash over its beginning, as 32 hex digits. */
export type SpaceId = string & { readonly space: unique symbol };
/** A channel of a space: 16 random bytes, as 32 hex digits. */
export type ChannelId = string & { readonly channel: unique symbol };
/** A device of an account, as it appears in bus subjects and keys: `<account>.<device>`. */
export type DeviceKey = `${AccountId}.${DeviceId}`;

const hex16 = /^[0-9a-f]{32}$/;

export function accountId(text: string): AccountId {
  if (!hex16.test(text)) throw new Fault('malformed');
  return text as AccountId;
}

export function envelopeId(text: string): EnvelopeId {
  if (!hex16.test(text)) throw new Fault('malformed');
  return text as EnvelopeId;
}

export function spaceId(text: string): SpaceId {
  if (!hex16.test(text)) throw new Fault('malformed');
  return text as SpaceId;
}

export function channelId(text: string): ChannelId {
  if (!hex16.test(text)) throw new Fault('malformed');
  return text as ChannelId;
}

export function deviceId(value: number): DeviceId {
  if (!Number.isInteger(value) || value < 1 || value > 0xffff_ffff) throw new Fault('malformed');
  return value as DeviceId;
}

export const deviceKey = (account: AccountId, device: DeviceId): DeviceKey =>
  `${account}.${device}` as DeviceKey;

/** A person's name: what others type. Lower case, 1 to 32 characters. */
export function personName(text: string): string {
  if (!/^[a-z0-9](?:[a-z0-9._-]{0,30}[a-z0-9])?$/.test(text)) throw new Fault('name_invalid');
  return text;
}
