/** Reading here: what it ends, what it begins, and who is told. docs/protocol/dm.md §12 */
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { readContact } from '../people/contacts.ts';
import { type Storage, untilCommitted } from '../storage/storage.ts';
import { catchUp } from './catch-up.ts';
import { noChanges } from './erasing.ts';
import { raiseMark, readNow } from './marks.ts';
import { type Unread, unreadIn } from './places.ts';
import { duePlace } from './receipt-rows.ts';
import { oweReceipt } from './receipts.ts';

export interface ReadMark {
  peer: AccountId;
  readUpTo: number;
}

/**
 * Everything in a conversation up to a place, or all of it, was read here. Answers what our other devices are
 * to be told.
 */
export async function markRead(
  storage: Storage,
  now: () => number,
  name: string,
  upTo?: string,
): Promise<ReadMark[]> {
  await catchUp(storage, now);
  return untilCommitted(async () => {
    const all = await unreadIn(storage, name);
    const read = upTo === undefined ? all : all.filter(({ at }) => at <= upTo);
    if (read.length === 0) return [];
    const changes = noChanges();
    const at = now();
    readNow(changes, name, read, at);
    const marks: ReadMark[] = [];
    for (const [peer, theirs] of byPeer(read)) {
      const ids = theirs.map(({ id }) => id);
      const contact = await readContact(storage, peer);
      const owed = await oweReceipt(storage, contact, peer, 'read', ids, at);
      changes.put.push(...owed);
      // Who hears that it was read needs not hear that it came.
      if (owed.length > 0) changes.remove.push(...ids.map((id) => duePlace(peer, 'delivered', id)));
      const readUpTo = Math.max(...theirs.map(({ stamp }) => stamp));
      await raiseMark(storage, changes, peer, readUpTo);
      marks.push({ peer, readUpTo });
    }
    await storage.commit(changes);
    return marks;
  });
}

function byPeer(read: readonly Unread[]): Map<AccountId, Unread[]> {
  const found = new Map<AccountId, Unread[]>();
  for (const unread of read) {
    if (unread.peer === undefined) continue;
    found.set(unread.peer, [...(found.get(unread.peer) ?? []), unread]);
  }
  return found;
}
