/** A conversation as it is now, to be shown. docs/protocol/dm.md §11 */
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { type Kept, readMessage } from '../messages/messages.ts';
import { pinnedAccount } from '../people/people.ts';
import type { Storage } from '../storage/storage.ts';
import { catchUp } from './catch-up.ts';
import { type Direction, fold, type Reaction, type TargetOf, targetOf } from './fold.ts';
import { requestThen } from './let-in.ts';
import { endOf, findMessage, isUnread, keyOfPlace, newestPlaces, timeOfPlace } from './places.ts';
import { actsOn, placed } from './placing.ts';
import { receiptOf } from './receipt-rows.ts';
import { type ConversationSettings, readSettings } from './settings.ts';

export type SentState = 'queued' | 'failed' | 'sent' | 'delivered' | 'read';

/** The message that another one answers. */
export interface Quoted extends TargetOf {
  /** How it begins; undefined when it was taken back, has disappeared, or is not in this home. */
  excerpt: string | undefined;
}

export interface ShownMessage {
  type: 'message';
  /** Where it stands in the conversation: for `before`, and for what is done to it. */
  at: string;
  /** Of the row in the history. */
  key: string;
  id: string;
  direction: Direction;
  /** Unix milliseconds by the clock of this account's device; `sentAt` is the sender's. */
  time: number;
  sentAt: number;
  /** As it is now; '' when it was taken back, or is attachments only. */
  text: string;
  /** When it was changed last. */
  edited?: number;
  /** 0 as it was sent; the next edit has one more. */
  revision: number;
  deleted: boolean;
  reactions: Reaction[];
  reply?: Quoted;
  /** None in a text that was edited: they point into the one before. */
  mentions?: readonly { account: AccountId; start: number; length: number }[];
  /** Descriptors (attachments.md §2), as bytes. */
  attachments?: readonly Uint8Array[];
  /** Of an incoming one: nobody has read it yet. */
  unread: boolean;
  /** Of an outgoing one. */
  state?: SentState;
  /** Why it failed. */
  reason?: string;
  /** Of one whose state stays `sent`: it was a request, and is or was when they let us in. */
  request?: 'waits' | 'over';
  /** Another device of ours sent it. */
  elsewhere?: true;
  /** Seconds that it lives, and when it ends, as far as that is known. */
  timer?: number;
  expires?: number;
}

/** Something that this person sent, or seems to have sent, and that could not be read. */
export interface ShownUnreadable {
  type: 'unreadable';
  at: string;
  key: string;
  time: number;
  reason: string;
  /** It is being asked for again, or so many will not come. */
  state?: 'recovering' | 'lost';
  count?: number;
}

export type Shown = ShownMessage | ShownUnreadable;

export interface Page {
  /** How many of the newest. */
  last?: number;
  /** Older than this place (`at`). */
  before?: string;
}

/** Ascending by time. */
export async function view(
  storage: Storage,
  now: () => number,
  name: string,
  { last = 50, before }: Page = {},
): Promise<Shown[]> {
  await catchUp(storage, now);
  const shown: Shown[] = [];
  // What was recovered leaves the place of its stand-in behind.
  for (let from = before; shown.length < last; ) {
    const places = await newestPlaces(storage, name, last - shown.length, from);
    if (places.length === 0) break;
    from = places.at(-1) ?? from;
    shown.unshift(...(await viewPlaces(storage, name, places.reverse())));
  }
  return shown;
}

/** One message of ours or theirs; undefined where there is none. */
export async function viewMessage(
  storage: Storage,
  now: () => number,
  name: string,
  at: string,
): Promise<ShownMessage | undefined> {
  await catchUp(storage, now);
  const [shown] = await viewPlaces(storage, name, [at]);
  return shown?.type === 'message' ? shown : undefined;
}

/** Several of one conversation, in the order of the places; what is gone is left out. */
export async function viewPlaces(
  storage: Storage,
  name: string,
  places: readonly string[],
): Promise<Shown[]> {
  const seen = await sights(storage, name);
  const shown = await Promise.all(places.map((at) => showAt(storage, seen, at)));
  return shown.filter((each) => each !== undefined);
}

/** What is looked up once for a page. */
interface Sights {
  name: string;
  peer: AccountId | undefined;
  settings: ConversationSettings;
}

async function sights(storage: Storage, name: string): Promise<Sights> {
  return {
    name,
    peer: await pinnedAccount(storage, name),
    settings: await readSettings(storage),
  };
}

async function showAt(storage: Storage, seen: Sights, at: string): Promise<Shown | undefined> {
  const key = keyOfPlace(at);
  const message = await readMessage(storage, key);
  if (!message) return undefined;
  if (message.type === 'unreadable') {
    const { type, receivedAt: time, reason, state, count } = message;
    return { type, at, key, time, reason, ...(state && { state }), ...(count && { count }) };
  }
  return show(storage, seen, message, at);
}

async function show(
  storage: Storage,
  seen: Sights,
  message: Exclude<Kept, { type: 'unreadable' }>,
  at: string,
): Promise<ShownMessage | undefined> {
  const where = await placed(storage, message, new Map([[seen.name, seen.peer]]));
  if (!where) return undefined;
  const { target, peer } = where;
  const { key, id, sentAt, timer } = message;
  const acts = await actsOn(storage, target, peer);
  const { text, edited, revision, deleted, reactions } = fold({ ...target, ...message }, acts);
  const { reply, mentions, attachments } = deleted ? {} : message;
  const expires = timer === undefined ? undefined : await endOf(storage, key);
  return {
    ...{ type: 'message', at, key, id, direction: target.direction, time: timeOfPlace(at) },
    ...{
      sentAt,
      text,
      revision,
      deleted,
      reactions,
      unread: await isUnread(storage, seen.name, at),
    },
    ...(edited !== undefined && { edited }),
    ...(reply && { reply: await quoted(storage, seen, targetOf(target.direction, reply), peer) }),
    ...(mentions && edited === undefined && { mentions }),
    ...(attachments && { attachments }),
    ...(timer !== undefined && { timer }),
    ...(expires !== undefined && { expires }),
    ...(message.type === 'sent' && {
      ...(await fateOf(storage, seen, message, target, peer)),
      ...(message.reason !== undefined && { reason: message.reason }),
      ...(message.elsewhere && { elsewhere: true }),
    }),
  };
}

async function fateOf(
  storage: Storage,
  seen: Sights,
  message: Extract<Kept, { type: 'sent' }>,
  target: TargetOf,
  peer: AccountId | undefined,
): Promise<Pick<ShownMessage, 'state' | 'request'>> {
  const state = await stateOf(storage, seen, message, target, peer);
  if (state !== 'sent' || peer === undefined) return { state };
  const request = await requestThen(storage, peer, message.sentAt);
  return { state, ...(request && { request }) };
}

/** It only ever rises: queued, sent, delivered, read. */
async function stateOf(
  storage: Storage,
  { settings }: Sights,
  { state }: Extract<Kept, { type: 'sent' }>,
  target: TargetOf,
  peer: AccountId | undefined,
): Promise<SentState> {
  const receipt = peer === undefined ? {} : await receiptOf(storage, target, peer);
  if (settings.read && receipt.read !== undefined) return 'read';
  if (settings.delivered && (receipt.delivered ?? receipt.read) !== undefined) return 'delivered';
  return state === 'accepted' ? 'sent' : state;
}

async function quoted(
  storage: Storage,
  { name }: Sights,
  target: TargetOf,
  peer: AccountId | undefined,
): Promise<Quoted> {
  const place = peer && (await findMessage(storage, target, peer, name));
  const message = place && (await readMessage(storage, keyOfPlace(place.at)));
  if (!message || message.type === 'unreadable') return { ...target, excerpt: undefined };
  const { text, deleted } = fold({ ...target, ...message }, await actsOn(storage, target, peer));
  return { ...target, excerpt: deleted ? undefined : excerptOf(text) };
}

const excerptLength = 80;

/** How a text begins, on one line. */
export function excerptOf(text: string): string {
  const line = [...text.replace(/\s+/gu, ' ').trim()];
  return line.length > excerptLength
    ? `${line.slice(0, excerptLength - 1).join('')}…`
    : line.join('');
}
