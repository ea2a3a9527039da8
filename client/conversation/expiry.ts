/** Messages whose time is over are erased, whether anybody looks or not. docs/protocol/dm.md §13 */
import { pause } from '../backoff.ts';
import { readMessage } from '../messages/messages.ts';
import type { Storage } from '../storage/storage.ts';
import { eraseExpired, isFull, noChanges } from './erasing.ts';
import { expiringPlaces, expiringRows, keyOfPlace, nextExpiring, timeOfPlace } from './places.ts';
import { actsOn, placed } from './placing.ts';

/** Messages in one commit. */
const group = 100;

/** Erases what is due; answers when the next is, Unix milliseconds. */
export async function expireDue(storage: Storage, now: number): Promise<number | undefined> {
  for (;;) {
    const rows = await nextExpiring(storage, group);
    const due = rows.filter(({ at }) => timeOfPlace(at) <= now);
    const [first] = rows;
    if (due.length === 0) return first && timeOfPlace(first.at);
    const changes = noChanges();
    for (const { at, name, seconds } of due) {
      changes.remove.push(...expiringPlaces(at));
      const key = keyOfPlace(at);
      const message = await readMessage(storage, key);
      // It counts from sending, and it has not been sent.
      if (message?.type === 'sent' && message.state === 'queued') {
        changes.put.push(...expiringRows(name, key, seconds, now));
        continue;
      }
      const where = message && (await placed(storage, message));
      if (!where) continue;
      const acts = await actsOn(storage, where.target, where.peer);
      await eraseExpired(changes, storage, where, acts);
      if (isFull(changes)) break;
    }
    await storage.commit(changes);
    await pause(0);
  }
}
