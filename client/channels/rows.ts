/** Reading rows as they will be after a commit in the making, and those that share the beginning of their key. */
import type { Batch, Place, Put, Row, Storage } from '../storage/storage.ts';

export type Reading = Pick<Storage, 'read' | 'list'>;

/** A commit in the making. */
export interface Changes {
  put: Put[];
  remove: Place[];
  expect: (Place & { version: number })[];
}

export const noChanges = (): Changes => ({ put: [], remove: [], expect: [] });

/** Rows of the changes have this version: whoever changes them once more expects nothing new of them. */
export const pendingVersion = -1;

/** The storage as the changes will leave it: what comes together is read as what came before. */
export function through(storage: Reading, { put, remove }: Changes): Reading {
  const pending = (namespace: string, key: string): Row | undefined => {
    const found = put.findLast((each) => each.namespace === namespace && each.key === key);
    return found && { key, bytes: found.bytes, version: pendingVersion };
  };
  const isGone = (namespace: string, key: string): boolean =>
    remove.some((each) => each.namespace === namespace && each.key === key);
  return {
    async read(namespace, key) {
      const row = pending(namespace, key);
      if (row) return row;
      return isGone(namespace, key) ? undefined : storage.read(namespace, key);
    },
    async list(namespace, range) {
      if (range?.reverse) throw new TypeError('rows in the making are listed upwards');
      const rows = new Map((await storage.list(namespace, range)).map((row) => [row.key, row]));
      for (const { key } of remove.filter((each) => each.namespace === namespace)) rows.delete(key);
      for (const each of put) {
        const row = each.namespace === namespace && pending(namespace, each.key);
        if (row && (range?.after === undefined || row.key > range.after)) rows.set(row.key, row);
      }
      return [...rows.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
    },
  };
}

/** For a commit that holds only if the row is what was read. */
export function expected(changes: Changes, place: Place, row: Row | undefined): void {
  if (row?.version === pendingVersion) return;
  const known = changes.expect.some(
    (each) => each.namespace === place.namespace && each.key === place.key,
  );
  if (!known) changes.expect.push({ ...place, version: row?.version ?? 0 });
}

const atOnce = 256;

/** All rows whose key begins so, ascending. */
export async function beginning(
  storage: Reading,
  namespace: string,
  prefix: string,
): Promise<Row[]> {
  const found: Row[] = [];
  for (let after = prefix; ; ) {
    const rows = await storage.list(namespace, { after, limit: atOnce });
    for (const row of rows) {
      if (!row.key.startsWith(prefix)) return found;
      found.push(row);
    }
    const last = rows.at(-1);
    if (last === undefined || rows.length < atOnce) return found;
    after = last.key;
  }
}

export const batchOf = ({ put, remove, expect }: Changes): Batch => ({ put, remove, expect });
