/**
 * What was said, and to or by whom: the history of this home. A message of somebody else stays in
 * `arrived` until a program has shown it; one of our own stays in `outbox` until the island took it.
 * What other devices of the account sent and received comes through the archive (archive/import.ts).
 */
import type { TextBody } from '@island/protocol/crypto/text-body.ts';
import * as s from '@island/protocol/wire/schema.ts';
import { fromHex, hex } from '@island/protocol/wire/text.ts';
import * as v from 'valibot';
import { type Identity, pendingMessage } from '../archive/rows.ts';
import { bytes64, decodeRecord, encodeRecord } from '../storage/record.ts';
import type { Append, Place, Put, Row, Storage } from '../storage/storage.ts';

/** What a text says, and what goes with it. docs/protocol/dm.md §2.1 */
const said = {
  text: v.string(),
  /** The message that this one answers, as its sender sees it. */
  reply: v.optional(v.strictObject({ whose: v.picklist(['mine', 'yours']), id: v.string() })),
  mentions: v.optional(
    v.array(v.strictObject({ account: s.account, start: v.number(), length: v.number() })),
  ),
  /** Seconds that it lives once it was read, or sent. */
  timer: v.optional(v.number()),
  /** Descriptors (attachments.md §2), as bytes. */
  attachments: v.optional(v.array(bytes64)),
};

const incoming = v.strictObject({
  type: v.literal('message'),
  /** 32 hex digits, chosen by the sender; the same on all devices. */
  id: v.string(),
  /** The person's name, as the directory and their signed list say. */
  from: v.string(),
  peer: v.optional(s.account),
  /** Its sender took it back: nothing of what it said is kept. */
  deleted: v.optional(v.literal(true)),
  ...said,
  /** Unix milliseconds by the sender's clock. */
  sentAt: v.number(),
  /** Unix milliseconds by the clock of the device that it came to. */
  receivedAt: v.number(),
  /** It came before this device was there, and was shown on another. */
  earlier: v.optional(v.literal(true)),
});

const outgoing = v.strictObject({
  type: v.literal('sent'),
  id: v.string(),
  to: v.string(),
  /** Known once the island took it. */
  peer: v.optional(s.account),
  deleted: v.optional(v.literal(true)),
  ...said,
  sentAt: v.number(),
  state: v.picklist(['queued', 'accepted', 'failed']),
  /** Why it failed, one sentence. */
  reason: v.optional(v.string()),
  /** Another device of this account sent it. */
  elsewhere: v.optional(v.literal(true)),
});

/** Something came that could not be read: said once, never again asked for. */
const unreadable = v.strictObject({
  type: v.literal('unreadable'),
  id: v.string(),
  /** Only when the session opened it: then it is this person's, and something in it is not known here. */
  from: v.optional(v.string()),
  /** Whose it says it is; anybody can say so. docs/protocol/dm.md §6.2 */
  claims: v.optional(v.string()),
  reason: v.string(),
  /** It is being asked for again, or so many will not come. None: nothing can be done about it. */
  state: v.optional(v.picklist(['recovering', 'lost'])),
  count: v.optional(v.number()),
  receivedAt: v.number(),
});

const record = v.variant('type', [incoming, outgoing, unreadable]);

export type Incoming = v.InferOutput<typeof incoming>;
export type Outgoing = v.InferOutput<typeof outgoing>;
export type Unreadable = v.InferOutput<typeof unreadable>;
export type Message = v.InferOutput<typeof record>;
/** A message with its place in the history. */
export type Kept<M extends Message = Message> = M & { key: string };

const namespace = 'messages';
const arrived = 'arrived';
const nothing = new Uint8Array(0);

const kept = (row: Row): Kept => ({ ...decodeRecord(record, row), key: row.key });

type Said = Pick<Incoming, keyof typeof said>;

/** A text as the protocol has it, as a message keeps it. */
export function saidOf({ text, reply, mentions, timer, attachments }: TextBody): Said {
  return {
    text,
    ...(reply && { reply: { whose: reply.whose, id: hex(reply.id) } }),
    ...(mentions && { mentions: [...mentions] }),
    ...(timer !== undefined && { timer }),
    ...(attachments && { attachments: [...attachments] }),
  };
}

/** And back. */
export function bodyOf({ text, reply, mentions, timer, attachments }: Said): TextBody {
  return {
    kind: 'text',
    text,
    ...(reply && { reply: { whose: reply.whose, id: fromHex(reply.id) } }),
    ...(mentions && { mentions }),
    ...(timer !== undefined && { timer }),
    ...(attachments && { attachments }),
  };
}

/** What disappears is never archived: an archive forgets nothing. docs/protocol/dm.md §13 */
const archived = ({ timer }: Pick<Said, 'timer'>, identity: Identity) =>
  timer === undefined ? [pendingMessage(identity)] : [];

/** For the commit that also holds the ratchet state after it. `identity`: it belongs into the archive. */
export const arrival = (message: Incoming | Unreadable, identity?: Identity): Append => ({
  namespace,
  bytes: encodeRecord(message),
  beside: [
    { namespace: arrived, bytes: nothing },
    ...(identity && message.type === 'message' ? archived(message, identity) : []),
  ],
});

/** What comes from the archive is there already. */
export const fromArchive = (message: Incoming | Outgoing): Append => ({
  namespace,
  bytes: encodeRecord(message),
  ...(message.type === 'message' &&
    !message.earlier && { beside: [{ namespace: arrived, bytes: nothing }] }),
});

/** Another device of ours sent it: the same here as what the archive says of it. */
export const sentElsewhere = (
  message: Omit<Outgoing, 'type' | 'state' | 'elsewhere'>,
  identity: Identity,
): Append => ({
  namespace,
  bytes: encodeRecord({ type: 'sent', ...message, state: 'accepted', elsewhere: true }),
  beside: archived(message, identity),
});

export const departure = (
  message: Outgoing,
  outbox: { namespace: string; bytes: Uint8Array },
): Append => ({
  namespace,
  bytes: encodeRecord(message),
  beside: [outbox],
});

export const messageRow = ({ key, ...message }: Kept) => ({
  namespace,
  key,
  bytes: encodeRecord(message),
});

export async function readMessage(storage: Storage, key: string): Promise<Kept | undefined> {
  const row = await storage.read(namespace, key);
  return row && kept(row);
}

/** For a commit after which nothing is left of what a message said; undefined where there is none. */
export async function emptied(
  storage: Storage,
  key: string,
): Promise<{ put: Put; expect: Place & { version: number } } | undefined> {
  const row = await storage.read(namespace, key);
  const message = row && kept(row);
  if (!message || message.type === 'unreadable') return undefined;
  const { reply, mentions, attachments, ...rest } = message;
  const waited = rest.type === 'sent' && rest.state === 'queued';
  const fate = waited && ({ state: 'failed', reason: 'You took it back before it went.' } as const);
  const put = messageRow({ ...rest, ...fate, text: '', deleted: true });
  return { put, expect: { namespace, key, version: row.version } };
}

/** Everything that lies under the key of a message, for a commit that forgets it. */
export const messagePlaces = (key: string): Place[] =>
  [namespace, arrived].map((each) => ({ namespace: each, key }));

/** For the commit by which it was shown, here or on another device. */
export const shownPlace = (key: string): Place => ({ namespace: arrived, key });

/** Ascending; after the given place. */
export async function messagesAfter(storage: Storage, after: string, limit = 500): Promise<Kept[]> {
  return (await storage.list(namespace, { after, limit })).map(kept);
}

/** The place of the newest message; '' when there is none. */
export async function newestMessage(storage: Storage): Promise<string> {
  const [row] = await storage.list(namespace, { reverse: true, limit: 1 });
  return row?.key ?? '';
}

/** Places of what came and was not shown yet, ascending. */
export async function unshown(storage: Storage): Promise<string[]> {
  return (await storage.list(arrived)).map((row) => row.key);
}

export async function markShown(storage: Storage, keys: readonly string[]): Promise<void> {
  if (keys.length > 0)
    await storage.commit({ remove: keys.map((key) => ({ namespace: arrived, key })) });
}
