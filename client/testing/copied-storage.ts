/** For tests: a storage of which copies can be made, as somebody makes a backup of the folder of a home. */
import { memoryStorage } from '../storage/memory.ts';
import type { Put, Storage } from '../storage/storage.ts';

export interface CopiedStorage extends Storage {
  /** As it is now. Putting it back is another origin (storage/restored-home.ts). */
  copy(): Promise<() => Promise<CopiedStorage>>;
}

let origins = 0;

export function copiedStorage(origin = 'the first'): CopiedStorage {
  const storage = memoryStorage();
  const namespaces = new Set<string>();
  let newest = 0;
  return {
    ...storage,
    origin,
    async commit(batch) {
      const done = await storage.commit(batch);
      for (const { namespace } of batch.put ?? []) namespaces.add(namespace);
      for (const { namespace, beside = [] } of batch.append ?? [])
        for (const each of [namespace, ...beside.map((row) => row.namespace)]) namespaces.add(each);
      newest = Math.max(newest, ...done.keys.map(Number));
      return done;
    },
    async copy() {
      const put: Put[] = [];
      for (const namespace of namespaces)
        for (const { key, bytes } of await storage.list(namespace))
          put.push({ namespace, key, bytes });
      const given = newest;
      return async () => {
        const restored = copiedStorage(`copy ${++origins}`);
        // Keys that the storage has given out are not given again.
        const append = Array.from({ length: given }, () => ({
          namespace: 'given',
          bytes: new Uint8Array(0),
        }));
        const { keys } = await restored.commit({ append });
        await restored.commit({ remove: keys.map((key) => ({ namespace: 'given', key })), put });
        return restored;
      };
    },
  };
}
