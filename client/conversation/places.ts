/**
 * Where the messages of a conversation are: rows beside the history, made by catch-up.ts and read by
 * everything else here.
 *
 *     talk NAME                   time 16 digits ‖ ' ' ‖ key of the message                 empty
 *     talks                       NAME                                                     { peer? }
 *     unread NAME                 as in `talk`                                             { id, peer?, stamp, timer? }
 *     message-places              direction ‖ ' ' ‖ peer ‖ ' ' ‖ id                        { at, name, timer? }
 *     acts-on DIRECTION PEER ID   key of the act                                           empty
 *     acts-loose PEER             key of an act of theirs           direction ‖ ' ' ‖ id, or empty
 *     expiring                    time 16 digits ‖ ' ' ‖ key of the message                { name, seconds }
 *     expires                     key of the message                                       its place in `expiring`
 *     conversation-timers         peer                                                     { seconds, sentAt, id }
 *
 * A message whose person was never met yet stands under '@' and the name in the place of the peer.
 */
import { utf8Bytes } from '@island/protocol/wire/bytes.ts';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import * as s from '@island/protocol/wire/schema.ts';
import * as v from 'valibot';
import { decodeRecord, encodeRecord } from '../storage/record.ts';
import type { Place, Put, Storage } from '../storage/storage.ts';
import type { TargetOf } from './fold.ts';

const nothing = new Uint8Array(0);
const text = new TextDecoder();

/** Sorts by time, then as the messages came. */
export const placeAt = (time: number, key: string): string =>
  `${String(Math.max(0, Math.floor(time))).padStart(16, '0')} ${key}`;
export const timeOfPlace = (place: string): number => Number(place.slice(0, 16));
export const keyOfPlace = (place: string): string => place.slice(17);

const talk = (name: string): string => `talk ${name}`;
export const talkRow = (name: string, at: string): Put => ({
  namespace: talk(name),
  key: at,
  bytes: nothing,
});
export const talkPlace = (name: string, key: string): Place => ({ namespace: talk(name), key });

/** Descending from the newest, or from before a place. */
export async function newestPlaces(
  storage: Storage,
  name: string,
  limit: number,
  before?: string,
): Promise<string[]> {
  const range = { reverse: true, limit, ...(before !== undefined && { after: before }) };
  return (await storage.list(talk(name), range)).map(({ key }) => key);
}

export async function oldestPlace(storage: Storage, name: string): Promise<string | undefined> {
  return (await storage.list(talk(name), { limit: 1 }))[0]?.key;
}

const talkRecord = v.strictObject({ peer: v.optional(s.account) });

export const knownTalkRow = (name: string, peer: AccountId | undefined): Put => ({
  namespace: 'talks',
  key: name,
  bytes: encodeRecord({ peer }),
});

/** Everybody with whom there is something to show. */
export async function talks(
  storage: Storage,
): Promise<{ name: string; peer: AccountId | undefined }[]> {
  return (await storage.list('talks')).map((row) => ({
    name: row.key,
    peer: decodeRecord(talkRecord, row).peer,
  }));
}

const unreadRecord = v.strictObject({
  id: v.string(),
  peer: v.optional(s.account),
  /** When it was sent by its sender's clock, but not after it came: the same on all devices. */
  stamp: v.number(),
  timer: v.optional(v.number()),
});
export type Unread = v.InferOutput<typeof unreadRecord> & { at: string };

const unreadOf = (name: string): string => `unread ${name}`;
export const unreadRow = (name: string, { at, ...unread }: Unread): Put => ({
  namespace: unreadOf(name),
  key: at,
  bytes: encodeRecord(unread),
});
export const unreadPlace = (name: string, key: string): Place => ({
  namespace: unreadOf(name),
  key,
});
export const isUnread = async (storage: Storage, name: string, at: string): Promise<boolean> =>
  (await storage.read(unreadOf(name), at)) !== undefined;
export const countUnread = async (storage: Storage, name: string): Promise<number> =>
  (await storage.list(unreadOf(name))).length;
/** Ascending. */
export async function unreadIn(storage: Storage, name: string): Promise<Unread[]> {
  return (await storage.list(unreadOf(name))).map((row) => ({
    ...decodeRecord(unreadRecord, row),
    at: row.key,
  }));
}

const placeRecord = v.strictObject({
  /** In `talk` of the name. */
  at: v.string(),
  name: v.string(),
  timer: v.optional(v.number()),
});
export type MessagePlace = v.InferOutput<typeof placeRecord>;

/** `owner`: the peer, or '@' and a name. */
const placeKey = ({ direction, id }: TargetOf, owner: string): Place => ({
  namespace: 'message-places',
  key: `${direction} ${owner} ${id}`,
});
const ownerOf = (name: string, peer: AccountId | undefined): string => peer ?? `@${name}`;

export const messagePlaceRow = (
  target: TargetOf,
  peer: AccountId | undefined,
  place: MessagePlace,
): Put => ({ ...placeKey(target, ownerOf(place.name, peer)), bytes: encodeRecord(place) });

export const messagePlacesOf = (
  target: TargetOf,
  name: string,
  peer: AccountId | undefined,
): Place[] => [
  placeKey(target, `@${name}`),
  ...(peer === undefined ? [] : [placeKey(target, peer)]),
];

/** Where a message of a conversation is; `name` finds one that was queued before its person was met. */
export async function findMessage(
  storage: Storage,
  target: TargetOf,
  peer: AccountId,
  name: string,
): Promise<MessagePlace | undefined> {
  const own = placeKey(target, peer);
  const early = placeKey(target, `@${name}`);
  const row =
    (await storage.read(own.namespace, own.key)) ??
    (target.direction === 'out' ? await storage.read(early.namespace, early.key) : undefined);
  return row && decodeRecord(placeRecord, row);
}

const actsOn = ({ direction, id }: TargetOf, peer: AccountId): string =>
  `acts-on ${direction} ${peer} ${id}`;
export const actOnRow = (target: TargetOf, peer: AccountId, key: string): Put => ({
  namespace: actsOn(target, peer),
  key,
  bytes: nothing,
});
export const actOnPlace = (target: TargetOf, peer: AccountId, key: string): Place => ({
  namespace: actsOn(target, peer),
  key,
});
export async function keysOfActsOn(
  storage: Storage,
  target: TargetOf,
  peer: AccountId,
): Promise<string[]> {
  return (await storage.list(actsOn(target, peer))).map(({ key }) => key);
}

/** An act of theirs on a message that is not here, or on none. */
export interface LooseAct {
  key: string;
  target: TargetOf | undefined;
}
const loose = (peer: AccountId): string => `acts-loose ${peer}`;
export const looseRow = (peer: AccountId, { key, target }: LooseAct): Put => ({
  namespace: loose(peer),
  key,
  bytes: utf8Bytes(target ? `${target.direction} ${target.id}` : ''),
});
export const loosePlace = (peer: AccountId, key: string): Place => ({
  namespace: loose(peer),
  key,
});
/** In the order in which they came. */
export async function looseActs(storage: Storage, peer: AccountId): Promise<LooseAct[]> {
  return (await storage.list(loose(peer))).map(({ key, bytes }) => {
    const [direction, id] = text.decode(bytes).split(' ');
    const known = id !== undefined && (direction === 'in' || direction === 'out');
    return { key, target: known ? { direction, id } : undefined };
  });
}

const expiringRecord = v.strictObject({ name: v.string(), seconds: v.number() });
export type Expiring = v.InferOutput<typeof expiringRecord> & { at: string };
const expiring = 'expiring';
const expires = 'expires';

/** When a message ends: for the keeper, and for whoever shows it. */
export function expiringRows(name: string, key: string, seconds: number, from: number): Put[] {
  const at = placeAt(from + seconds * 1000, key);
  return [
    { namespace: expiring, key: at, bytes: encodeRecord({ name, seconds }) },
    { namespace: expires, key, bytes: utf8Bytes(at) },
  ];
}
export const expiringPlaces = (at: string): Place[] => [
  { namespace: expiring, key: at },
  { namespace: expires, key: keyOfPlace(at) },
];
/** Unix milliseconds; undefined for what stays, or was not read yet. */
export async function endOf(storage: Storage, key: string): Promise<number | undefined> {
  const row = await storage.read(expires, key);
  return row && timeOfPlace(text.decode(row.bytes));
}
/** Ascending by the time at which they end. */
export async function nextExpiring(storage: Storage, limit: number): Promise<Expiring[]> {
  return (await storage.list(expiring, { limit })).map((row) => ({
    ...decodeRecord(expiringRecord, row),
    at: row.key,
  }));
}

const timerRecord = v.strictObject({ seconds: v.number(), sentAt: v.number(), id: v.string() });
export type ConversationTimer = v.InferOutput<typeof timerRecord>;
const timers = 'conversation-timers';

export const timerRow = (peer: AccountId, timer: ConversationTimer): Put => ({
  namespace: timers,
  key: peer,
  bytes: encodeRecord(timer),
});
export async function timerOf(
  storage: Storage,
  peer: AccountId,
): Promise<ConversationTimer | undefined> {
  const row = await storage.read(timers, peer);
  return row && decodeRecord(timerRecord, row);
}
