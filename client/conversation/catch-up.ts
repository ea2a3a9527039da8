/**
 * Follows the history and the acts of this home and keeps the conversations made of them: where each message
 * is, what is about it, which words it has, what is unread. docs/protocol/dm.md §11
 *
 * Rows come from several sides (mailbox, archive, this device) and in several processes; all end in the two
 * namespaces that are read here, in the order of their keys. Whoever shows a conversation catches up first.
 * A home of before begins at the first row. Invariant: how far it was read is in the commit that holds what
 * came of it, so that each row counts once, whoever reads it.
 */
import type { AccountId } from '@island/protocol/wire/ids.ts';
import * as v from 'valibot';
import { pause } from '../backoff.ts';
import { actsAfter } from '../messages/acts.ts';
import { type Kept, messagesAfter, type Unreadable, unshown } from '../messages/messages.ts';
import { contactChanges, wroteTo } from '../people/contacts.ts';
import { pinnedAccount } from '../people/people.ts';
import { decodeRecord, encodeRecord } from '../storage/record.ts';
import { type Storage, untilCommitted } from '../storage/storage.ts';
import {
  type Changes,
  eraseActs,
  eraseDeleted,
  isEdit,
  isFull,
  noChanges,
  type Placed,
} from './erasing.ts';
import { fold } from './fold.ts';
import { firstFew, indexActs } from './index-acts.ts';
import { newWords } from './index-words.ts';
import { cameFrom, noteLetIn } from './let-in.ts';
import { applyMarks, markOf } from './marks.ts';
import {
  expiringRows,
  knownTalkRow,
  loosePlace,
  messagePlaceRow,
  oldestPlace,
  placeAt,
  talkRow,
  unreadRow,
} from './places.ts';
import { actsOn, placed } from './placing.ts';

const cursorRecord = v.strictObject({ messages: v.string(), acts: v.string() });
type Cursor = v.InferOutput<typeof cursorRecord>;
const cursorPlace = { namespace: 'conversations', key: 'cursor' };

/** Messages or acts of one commit, at most; fewer where they have many words. */
const group = 250;

/** Until everything that was committed before is in its conversation. */
export async function catchUp(storage: Storage, now: () => number = Date.now): Promise<void> {
  let before: ReadonlySet<string> | undefined;
  // A long history takes seconds at first: whatever else goes on here has its turn between two commits.
  while (await untilCommitted(step)) await pause(0);

  /** True when there may be more. */
  async function step(): Promise<boolean> {
    const row = await storage.read(cursorPlace.namespace, cursorPlace.key);
    const cursor: Cursor = row ? decodeRecord(cursorRecord, row) : { messages: '', acts: '' };
    // What a home of before has shown is not unread now.
    if (!row) before ??= new Set(await unshown(storage));
    const changes = noChanges();
    changes.expect.push({ ...cursorPlace, version: row?.version ?? 0 });
    const following = await messagesAfter(storage, cursor.messages, group);
    // Acts look for their messages in rows that are there: messages have commits of their own.
    const acts = following.length > 0 ? [] : firstFew(await actsAfter(storage, cursor.acts, group));
    const messages = await indexMessages(storage, changes, following, { now, before });
    if (acts.length > 0) await indexActs(storage, changes, acts);
    else if (messages.length === 0 && !(await applyMarks(storage, changes, now()))) return false;
    const next: Cursor = {
      messages: messages.at(-1)?.key ?? cursor.messages,
      acts: acts.at(-1)?.key ?? cursor.acts,
    };
    changes.put.push({ ...cursorPlace, bytes: encodeRecord(next) });
    await storage.commit(changes);
    return true;
  }
}

interface Indexing {
  now: () => number;
  /** In a home of before: what was not shown then. */
  before: ReadonlySet<string> | undefined;
}

/** Answers the first of them, which are in their conversations then. */
async function indexMessages(
  storage: Storage,
  changes: Changes,
  messages: readonly Kept[],
  indexing: Indexing,
): Promise<readonly Kept[]> {
  const accounts = new Map<string, AccountId | undefined>();
  const talks = new Map<string, AccountId | undefined>();
  const came = new Map<AccountId, number>();
  const done: Kept[] = [];
  for (const message of messages) {
    if (isFull(changes)) break;
    done.push(message);
    if (message.type === 'unreadable') {
      const { key, receivedAt } = message;
      const from = message.from ?? (await missedFrom(storage, message));
      if (from === undefined) continue;
      changes.put.push(talkRow(from, placeAt(receivedAt, key)));
      if (!talks.has(from)) talks.set(from, await pinnedAccount(storage, from));
      continue;
    }
    const where = await placed(storage, message, accounts);
    if (!where) continue;
    talks.set(where.name, where.peer);
    if (message.type === 'message' && where.peer !== undefined)
      cameFrom(came, where.peer, message.receivedAt);
    await indexMessage(storage, changes, where, indexing);
  }
  for (const [name, peer] of talks) changes.put.push(knownTalkRow(name, peer));
  await noteLetIn(storage, changes, came);
  if (indexing.before) await acceptWritten(storage, changes, done, accounts);
  return done;
}

/** Of what is asked for again or lost: said where it is missed, but no conversation begins with it. */
async function missedFrom(
  storage: Storage,
  { state, claims }: Unreadable,
): Promise<string | undefined> {
  if (!state || claims === undefined) return undefined;
  return (await oldestPlace(storage, claims)) === undefined ? undefined : claims;
}

/** In a home of before nobody noted whom we wrote to. */
async function acceptWritten(
  storage: Storage,
  changes: Changes,
  messages: readonly Kept[],
  accounts: ReadonlyMap<string, AccountId | undefined>,
): Promise<void> {
  const contacts = contactChanges(storage);
  for (const message of messages) {
    if (message.type !== 'sent' || message.state !== 'accepted') continue;
    const peer = message.peer ?? accounts.get(message.to);
    if (peer !== undefined) await contacts.change(peer, wroteTo);
  }
  const { put, expect } = contacts.rows();
  changes.put.push(...put);
  changes.expect.push(...expect);
}

async function indexMessage(
  storage: Storage,
  changes: Changes,
  where: Placed,
  { now, before }: Indexing,
): Promise<void> {
  const { message, target, name, peer, at } = where;
  const { timer, key } = message;
  const place = { at, name, ...(timer !== undefined && { timer }) };
  changes.put.push(talkRow(name, at), messagePlaceRow(target, peer, place));
  const acts = await actsOn(storage, target, peer);
  if (peer !== undefined) changes.remove.push(...acts.map((act) => loosePlace(peer, act.key)));
  const { text, deleted } = fold({ ...target, ...message }, acts);
  if (deleted) {
    if (peer !== undefined) eraseActs(changes, target, peer, acts.filter(isEdit));
    if (!message.deleted) await eraseDeleted(changes, storage, where);
    return;
  }
  changes.put.push(...newWords(name, at, text).put);
  if (message.type === 'sent') {
    if (timer !== undefined) changes.put.push(...expiringRows(name, key, timer, message.sentAt));
    return;
  }
  const stamp = Math.min(message.sentAt, message.receivedAt);
  const old = message.earlier || (before !== undefined && !before.has(key));
  if (old || stamp <= (await markOf(storage, peer))) {
    if (timer !== undefined) changes.put.push(...expiringRows(name, key, timer, now()));
    return;
  }
  const unread = { at, id: target.id, peer, stamp, ...(timer !== undefined && { timer }) };
  changes.put.push(unreadRow(name, unread));
}
