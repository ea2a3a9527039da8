/**
 * Which devices this account had at each epoch: the lists before the present one. docs/protocol/archive.md §4
 *
 * Each list holds the hash of the one before. So the island may give them out: from the list that this
 * device has accepted, there is exactly one way back.
 */
import { type DeviceList, openDeviceList } from '@island/protocol/crypto/device-list.ts';
import { equal } from '@island/protocol/crypto/primitives.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { Problem } from '../problem.ts';
import type { Session } from '../sign-in/session.ts';
import { appendedKey, type Put, type Storage } from '../storage/storage.ts';

export interface PastLists {
  /** The list of an epoch that is not above `present`. Throws `own_list_broken`, and what a call throws. */
  at(epoch: number, present: DeviceList, signal?: AbortSignal): Promise<DeviceList>;
}

const namespace = 'own-lists';

export function openPastLists({
  storage,
  session,
}: {
  storage: Storage;
  session: Session;
}): PastLists {
  /** Lists that are on the way back from `newest`, by epoch. */
  let newest: DeviceList | undefined;
  let known = new Map<number, DeviceList>();

  async function fetch(
    name: string,
    after: number,
    before: number,
    signal: AbortSignal | undefined,
  ): Promise<Map<number, Uint8Array>> {
    const found = new Map<number, Uint8Array>();
    for (let last = after; last + 1 < before; ) {
      const options = { path: { name, after: String(last) }, ...(signal && { signal }) };
      const { lists } = await session.call('lists', {}, options);
      if (lists.length === 0) break;
      for (const bytes of lists) found.set(++last, bytes);
    }
    return found;
  }

  /** Fills `known` from `present` down to `epoch`. */
  async function goBack(epoch: number, present: DeviceList, signal?: AbortSignal): Promise<void> {
    if (!newest || !equal(newest.hash, present.hash)) {
      newest = present;
      known = new Map([[present.epoch, present]]);
    }
    const rows = await storage.list(namespace, { after: appendedKey(epoch - 1) });
    const kept = new Map(rows.map(({ key, bytes }) => [Number(key), bytes]));
    let fetched: Map<number, Uint8Array> | undefined;
    const put: Put[] = [];
    for (let next = present; next.epoch > epoch; ) {
      const at = next.epoch - 1;
      let list = known.get(at) ?? openBefore(next, kept.get(at));
      if (!list) {
        fetched ??= await fetch(present.name, epoch - 1, next.epoch, signal);
        list = openBefore(next, fetched.get(at));
        if (!list) throw new Problem('own_list_broken');
        put.push({ namespace, key: appendedKey(at), bytes: list.bytes });
      }
      known.set(at, list);
      next = list;
    }
    if (put.length > 0) await storage.commit({ put });
  }

  return {
    async at(epoch, present, signal) {
      const here = newest && equal(newest.hash, present.hash) ? known.get(epoch) : undefined;
      if (here) return here;
      if (epoch < 1 || epoch > present.epoch) throw new Problem('own_list_broken');
      await goBack(epoch, present, signal);
      return known.get(epoch) ?? present;
    },
  };
}

/** These bytes, if they are the list that `next` says was before it. */
function openBefore(next: DeviceList, bytes: Uint8Array | undefined): DeviceList | undefined {
  if (!bytes) return undefined;
  try {
    const list = openDeviceList(bytes);
    return equal(list.hash, next.prevHash) ? list : undefined;
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return undefined;
  }
}
