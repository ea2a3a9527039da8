/**
 * Erasing what was said: rows for a commit after which nothing of it is in this home. docs/protocol/dm.md §11, §13
 *
 * A message that was taken back leaves an empty one, so that a conversation shows that something was there;
 * one that has disappeared leaves only its identity, by which a second copy of it is known.
 */
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { pendingPlace } from '../archive/rows.ts';
import { owedDeletions } from '../attachments/deletions.ts';
import { actPlace, type KeptAct } from '../messages/acts.ts';
import { emptied, type Kept, messagePlaces, shownPlace } from '../messages/messages.ts';
import { outbox } from '../sending/outbox.ts';
import type { Append, Place, Put, Storage } from '../storage/storage.ts';
import type { TargetOf } from './fold.ts';
import { oldWords } from './index-words.ts';
import { actOnPlace, loosePlace, messagePlacesOf, talkPlace, unreadPlace } from './places.ts';
import { receiptPlaces } from './receipt-rows.ts';

/** A commit in the making. */
export interface Changes {
  append: Append[];
  put: Put[];
  remove: Place[];
  expect: (Place & { version: number })[];
}
export const noChanges = (): Changes => ({ append: [], put: [], remove: [], expect: [] });

/** A message with its place in its conversation. */
export interface Placed {
  message: Exclude<Kept, { type: 'unreadable' }>;
  target: TargetOf;
  name: string;
  peer: AccountId | undefined;
  at: string;
}

/** What still waits to be sent or archived says it, too. */
const waitingPlaces = (key: string): Place[] => [{ namespace: outbox, key }, pendingPlace(key)];

/** Rows of one commit, about: while they are written nothing else goes on in this program. */
export const rowsAtOnce = 2000;
export const isFull = ({ put, remove }: Changes): boolean =>
  put.length + remove.length > rowsAtOnce;

/** What these acts said, and that they were. */
export function eraseActs(
  changes: Changes,
  target: TargetOf | undefined,
  peer: AccountId,
  acts: readonly Pick<KeptAct, 'key'>[],
): void {
  for (const { key } of acts) {
    changes.remove.push(actPlace(key), loosePlace(peer, key), ...waitingPlaces(key));
    if (target) changes.remove.push(actOnPlace(target, peer, key));
  }
}

/** Edits say what the message said. */
export const isEdit = ({ body }: KeptAct): boolean => body.kind === 'edit';

/** Its sender took it back. */
export async function eraseDeleted(
  changes: Changes,
  storage: Storage,
  { message, name, at }: Placed,
): Promise<void> {
  const { key } = message;
  const empty = await emptied(storage, key);
  if (!empty) return;
  changes.put.push(empty.put);
  changes.expect.push(empty.expect);
  if (message.type === 'sent') changes.put.push(...owedDeletions(message.attachments ?? []));
  const shown = [shownPlace(key), unreadPlace(name, at)];
  changes.remove.push(...shown, ...waitingPlaces(key), ...(await oldWords(storage, at)));
}

/** Its time is over. `acts`: all that were about it. */
export async function eraseExpired(
  changes: Changes,
  storage: Storage,
  placed: Placed,
  acts: readonly KeptAct[],
): Promise<void> {
  const { message, target, name, peer, at } = placed;
  const { key } = message;
  changes.remove.push(
    ...messagePlaces(key),
    ...waitingPlaces(key),
    ...(await oldWords(storage, at)),
  );
  // Ours may not have been read there yet: whoever has read it is who deletes what it came with.
  if (message.type === 'message' || message.state === 'failed')
    changes.put.push(...owedDeletions(message.attachments ?? []));
  changes.remove.push(talkPlace(name, at), unreadPlace(name, at));
  changes.remove.push(...messagePlacesOf(target, name, peer));
  if (peer === undefined) return;
  changes.remove.push(...receiptPlaces(target, peer));
  eraseActs(changes, target, peer, acts);
}
