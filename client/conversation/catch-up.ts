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
import { actsAfter, type KeptAct, readAct } from '../messages/acts.ts';
import { contactChanges, wroteTo } from '../messages/contacts.ts';
import {
  type Kept,
  messagesAfter,
  readMessage,
  type Unreadable,
  unshown,
} from '../messages/messages.ts';
import { pinnedAccount } from '../messages/people.ts';
import { decodeRecord, encodeRecord } from '../storage/record.ts';
import { type Storage, untilCommitted } from '../storage/storage.ts';
import { type Changes, eraseDeleted, eraseEdits, noChanges, type Placed } from './erasing.ts';
import { aboutMessage, fold, isLater, type TargetOf } from './fold.ts';
import { newWords, oldWords } from './index-words.ts';
import { applyMarks, markOf } from './marks.ts';
import {
  actOnRow,
  expiringRows,
  findMessage,
  keyOfPlace,
  keysOfActsOn,
  knownTalkRow,
  messagePlaceRow,
  oldestPlace,
  placeAt,
  talkRow,
  timerOf,
  timerRow,
  unreadRow,
} from './places.ts';

const cursorRecord = v.strictObject({ messages: v.string(), acts: v.string() });
type Cursor = v.InferOutput<typeof cursorRecord>;
const cursorPlace = { namespace: 'conversations', key: 'cursor' };

/** Rows of one commit. */
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
    const messages = await messagesAfter(storage, cursor.messages, group);
    // Acts look for their messages in rows that are there: messages have commits of their own.
    const acts = messages.length > 0 ? [] : await actsAfter(storage, cursor.acts, group);
    if (messages.length > 0) await indexMessages(storage, changes, messages, { now, before });
    else if (acts.length > 0) await indexActs(storage, changes, acts);
    else if (!(await applyMarks(storage, changes, now()))) return false;
    const next: Cursor = {
      messages: messages.at(-1)?.key ?? cursor.messages,
      acts: acts.at(-1)?.key ?? cursor.acts,
    };
    changes.put.push({ ...cursorPlace, bytes: encodeRecord(next) });
    await storage.commit(changes);
    return true;
  }
}

/** Where a message belongs; undefined for what nobody is proved to have said. */
export async function placed(
  storage: Storage,
  message: Kept,
  accounts = new Map<string, AccountId | undefined>(),
): Promise<Placed | undefined> {
  if (message.type === 'unreadable') return undefined;
  const out = message.type === 'sent';
  const name = out ? message.to : message.from;
  let { peer } = message;
  if (peer === undefined) {
    if (!accounts.has(name)) accounts.set(name, await pinnedAccount(storage, name));
    peer = accounts.get(name);
  }
  const at = placeAt(out ? message.sentAt : message.receivedAt, message.key);
  return { message, target: { direction: out ? 'out' : 'in', id: message.id }, name, peer, at };
}

export async function actsOn(
  storage: Storage,
  target: TargetOf,
  peer: AccountId | undefined,
): Promise<KeptAct[]> {
  if (peer === undefined) return [];
  const keys = await keysOfActsOn(storage, target, peer);
  const acts = await Promise.all(keys.map((key) => readAct(storage, key)));
  return acts.filter((act) => act !== undefined);
}

interface Indexing {
  now: () => number;
  /** In a home of before: what was not shown then. */
  before: ReadonlySet<string> | undefined;
}

async function indexMessages(
  storage: Storage,
  changes: Changes,
  messages: readonly Kept[],
  indexing: Indexing,
): Promise<void> {
  const accounts = new Map<string, AccountId | undefined>();
  const talks = new Map<string, AccountId | undefined>();
  for (const message of messages) {
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
    await indexMessage(storage, changes, where, indexing);
  }
  for (const [name, peer] of talks) changes.put.push(knownTalkRow(name, peer));
  if (indexing.before) await acceptWritten(storage, changes, messages, accounts);
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
  const { text, deleted } = fold({ ...target, ...message }, acts);
  if (deleted) {
    if (peer !== undefined) eraseEdits(changes, target, peer, acts);
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

async function indexActs(
  storage: Storage,
  changes: Changes,
  acts: readonly KeptAct[],
): Promise<void> {
  const touched = new Map<string, { target: TargetOf; first: KeptAct; acts: KeptAct[] }>();
  const timers = new Map<AccountId, KeptAct>();
  for (const act of acts) {
    if (act.body.kind === 'timer') {
      const held = timers.get(act.peer);
      if (!held || isLater(stamped(act), stamped(held))) timers.set(act.peer, act);
    }
    const target = aboutMessage(act);
    if (!target) continue;
    const key = `${target.direction} ${act.peer} ${target.id}`;
    const here = touched.get(key) ?? { target, first: act, acts: [] };
    here.acts.push(act);
    touched.set(key, here);
  }
  for (const [peer, act] of timers) await setTimer(storage, changes, peer, act);
  for (const { target, first, acts: fresh } of touched.values()) {
    const { peer, name } = first;
    const all = [...(await actsOn(storage, target, peer)), ...fresh];
    const gone = all.some(({ body }) => body.kind === 'delete');
    for (const { key, body } of fresh)
      if (!gone || body.kind !== 'edit') changes.put.push(actOnRow(target, peer, key));
    if (gone) eraseEdits(changes, target, peer, all);
    const place = await findMessage(storage, target, peer, name);
    const message = place && (await readMessage(storage, keyOfPlace(place.at)));
    const where = message && (await placed(storage, message));
    if (!where) continue;
    const { text, deleted, edited } = fold({ ...target, ...where.message }, all);
    if (deleted && !where.message.deleted) await eraseDeleted(changes, storage, where);
    if (deleted || edited === undefined) continue;
    const { put } = newWords(where.name, where.at, text);
    const kept = new Set(put.map(({ namespace, key }) => `${namespace} ${key}`));
    const old = await oldWords(storage, where.at);
    changes.put.push(...put);
    changes.remove.push(...old.filter(({ namespace, key }) => !kept.has(`${namespace} ${key}`)));
  }
}

/** A clock that runs ahead holds no timer for ever. */
const stamped = ({ id, sentAt, receivedAt }: KeptAct) => ({
  id,
  sentAt: Math.min(sentAt, receivedAt),
});

async function setTimer(
  storage: Storage,
  changes: Changes,
  peer: AccountId,
  act: KeptAct,
): Promise<void> {
  if (act.body.kind !== 'timer') return;
  const held = await timerOf(storage, peer);
  const next = { seconds: act.body.seconds, ...stamped(act) };
  if (!held || isLater(next, held)) changes.put.push(timerRow(peer, next));
}
