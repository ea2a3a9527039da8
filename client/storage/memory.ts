/** A storage that ends with the process: for tests and for programs that keep their state elsewhere. */
import {
  appendedKey,
  type Batch,
  type Commit,
  Conflict,
  type Range,
  type Row,
  type Storage,
} from './storage.ts';

interface Cell {
  bytes: Uint8Array;
  version: number;
}

export function memoryStorage(): Storage {
  const namespaces = new Map<string, Map<string, Cell>>();
  const held = new Map<string, Promise<void>>();
  const watchers = new Set<() => void>();
  let version = 0;
  let appended = 0;

  const cells = (namespace: string): Map<string, Cell> => {
    const known = namespaces.get(namespace);
    if (known) return known;
    const made = new Map<string, Cell>();
    namespaces.set(namespace, made);
    return made;
  };
  const row = (key: string, cell: Cell): Row => ({
    key,
    bytes: cell.bytes.slice(),
    version: cell.version,
  });

  function apply(batch: Batch): Commit {
    for (const { namespace, key, version: expected } of batch.expect ?? []) {
      if ((cells(namespace).get(key)?.version ?? 0) !== expected) throw new Conflict();
    }
    version += 1;
    for (const { namespace, key } of batch.remove ?? []) cells(namespace).delete(key);
    for (const { namespace, key, bytes } of batch.put ?? []) {
      cells(namespace).set(key, { bytes: bytes.slice(), version });
    }
    const keys = (batch.append ?? []).map(({ namespace, bytes, beside = [] }) => {
      appended += 1;
      const key = appendedKey(appended);
      for (const row of [{ namespace, bytes }, ...beside]) {
        cells(row.namespace).set(key, { bytes: row.bytes.slice(), version });
      }
      return key;
    });
    return { version, keys };
  }

  function take(name: string): Disposable | undefined {
    if (held.has(name)) return undefined;
    const { promise, resolve } = Promise.withResolvers<void>();
    held.set(name, promise);
    let released = false;
    return {
      [Symbol.dispose]() {
        if (released) return;
        released = true;
        held.delete(name);
        resolve();
      },
    };
  }

  return {
    place: 'memory',
    origin: 'memory',
    async read(namespace, key) {
      const cell = cells(namespace).get(key);
      return cell && row(key, cell);
    },
    async list(namespace, range: Range = {}) {
      const { after, limit = Number.POSITIVE_INFINITY, reverse = false } = range;
      const keys = [...cells(namespace).keys()]
        .filter((key) => after === undefined || (reverse ? key < after : key > after))
        .sort((a, b) => (a < b ? -1 : 1));
      if (reverse) keys.reverse();
      return keys.slice(0, limit).flatMap((key) => {
        const cell = cells(namespace).get(key);
        return cell ? [row(key, cell)] : [];
      });
    },
    async commit(batch) {
      const done = apply(batch);
      for (const listener of watchers) queueMicrotask(listener);
      return done;
    },
    async tryLock(name) {
      return take(name);
    },
    async lock(name, signal) {
      for (;;) {
        signal?.throwIfAborted();
        const lock = take(name);
        if (lock) return lock;
        await untilAborted(held.get(name) ?? Promise.resolve(), signal);
      }
    },
    watch(listener) {
      watchers.add(listener);
      return { [Symbol.dispose]: () => void watchers.delete(listener) };
    },
    async [Symbol.asyncDispose]() {
      watchers.clear();
    },
  };
}

function untilAborted(promise: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
