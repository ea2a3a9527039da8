/**
 * Acts as they come: beside the messages that they are about, in the words of what they change, and gone where they
 * count no more. docs/protocol/dm.md §11
 *
 * Invariant: what the other side does takes room for a number of acts that does not grow with what they send: a few
 * on each message that is here, and a few hundred on all that are not.
 */
import type { AccountId } from '@island/protocol/wire/ids.ts';
import type { KeptAct } from '../messages/acts.ts';
import { readMessage } from '../messages/messages.ts';
import type { Storage } from '../storage/storage.ts';
import { type Changes, eraseActs, eraseDeleted, isEdit, rowsAtOnce } from './erasing.ts';
import { aboutMessage, fold, isLater, outdone, type TargetOf } from './fold.ts';
import { newWords, oldWords } from './index-words.ts';
import { cameFrom, noteLetIn } from './let-in.ts';
import {
  actOnRow,
  findMessage,
  keyOfPlace,
  type LooseAct,
  looseActs,
  loosePlace,
  looseRow,
  timerOf,
  timerRow,
} from './places.ts';
import { actsOn, placed } from './placing.ts';
import { mostWords } from './words.ts';

/** Acts of one person on messages that are not here, or on none: the oldest go. */
const mostLoose = 500;

/** The first of them: with how much they change, one commit is not much longer than another. */
export function firstFew(acts: readonly KeptAct[]): readonly KeptAct[] {
  let rows = 0;
  const end = acts.findIndex((act) => {
    rows += rowsOf(act);
    return rows > rowsAtOnce;
  });
  return end < 0 ? acts : acts.slice(0, Math.max(1, end));
}

/** At most, about: words of the text before and after. */
function rowsOf({ body }: KeptAct): number {
  if (body.kind === 'edit') return mostWords + Math.min(mostWords, body.text.length);
  return body.kind === 'delete' ? mostWords : 4;
}

export async function indexActs(
  storage: Storage,
  changes: Changes,
  acts: readonly KeptAct[],
): Promise<void> {
  const touched = new Map<string, { target: TargetOf; first: KeptAct; acts: KeptAct[] }>();
  const timers = new Map<AccountId, KeptAct>();
  const unbound = new Map<AccountId, LooseAct[]>();
  const came = new Map<AccountId, number>();
  const loosen = (peer: AccountId, act: LooseAct) =>
    unbound.set(peer, [...(unbound.get(peer) ?? []), act]);
  for (const act of acts) {
    if (act.body.kind === 'timer') {
      const held = timers.get(act.peer);
      if (!held || isLater(stamped(act), stamped(held))) timers.set(act.peer, act);
    }
    if (act.body.kind === 'delivery-key' && act.direction === 'in')
      cameFrom(came, act.peer, act.receivedAt);
    const target = aboutMessage(act);
    if (!target) {
      if (act.direction === 'in') loosen(act.peer, { key: act.key, target });
      continue;
    }
    const key = `${target.direction} ${act.peer} ${target.id}`;
    const here = touched.get(key) ?? { target, first: act, acts: [] };
    here.acts.push(act);
    touched.set(key, here);
  }
  await noteLetIn(storage, changes, came);
  for (const [peer, act] of timers) await setTimer(storage, changes, peer, act);
  for (const { target, first, acts: fresh } of touched.values()) {
    const { peer, name } = first;
    const all = [...(await actsOn(storage, target, peer)), ...fresh];
    const gone = all.some(({ body }) => body.kind === 'delete');
    const over = new Set([...outdone(all), ...(gone ? all.filter(isEdit) : [])]);
    eraseActs(changes, target, peer, [...over]);
    const kept = fresh.filter((act) => !over.has(act));
    for (const { key } of kept) changes.put.push(actOnRow(target, peer, key));
    const place = await findMessage(storage, target, peer, name);
    if (!place)
      for (const { key, direction } of kept) if (direction === 'in') loosen(peer, { key, target });
    const message = place && (await readMessage(storage, keyOfPlace(place.at)));
    const where = message && (await placed(storage, message));
    if (!where) continue;
    const { text, deleted, edited } = fold({ ...target, ...where.message }, all);
    if (deleted && !where.message.deleted) await eraseDeleted(changes, storage, where);
    if (deleted || edited === undefined) continue;
    const { put } = newWords(where.name, where.at, text);
    const same = new Set(put.map(({ namespace, key }) => `${namespace} ${key}`));
    const old = await oldWords(storage, where.at);
    changes.put.push(...put);
    changes.remove.push(...old.filter(({ namespace, key }) => !same.has(`${namespace} ${key}`)));
  }
  for (const [peer, fresh] of unbound) await keepLoose(storage, changes, peer, fresh);
}

/** What somebody does to messages that never come takes no more room than this. */
async function keepLoose(
  storage: Storage,
  changes: Changes,
  peer: AccountId,
  fresh: readonly LooseAct[],
): Promise<void> {
  changes.put.push(...fresh.map((act) => looseRow(peer, act)));
  const erased = new Set(changes.remove.map(({ namespace, key }) => `${namespace} ${key}`));
  const held = (await looseActs(storage, peer)).filter(({ key }) => {
    const place = loosePlace(peer, key);
    return !erased.has(`${place.namespace} ${place.key}`);
  });
  const over = held.slice(0, Math.max(0, held.length + fresh.length - mostLoose));
  for (const act of over) eraseActs(changes, act.target, peer, [act]);
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
