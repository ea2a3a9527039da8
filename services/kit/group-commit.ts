/**
 * Many small writes in one transaction: the fsync is shared, the promise is not weakened. Each item's
 * promise resolves after the commit that holds it. docs/decisions/060-mailboxes.md
 */
import { Fault } from '@island/protocol/wire/fault.ts';
import type { Db, Schema, Store } from './store.ts';
import type { Statements } from './store-handle.ts';

/** What came of one item: its result, or the fault that is its own and nobody else's. */
export type Outcome<Result> = { result: Result } | { fault: Fault };

export interface GroupCommit<Item, Result> {
  /**
   * Resolves once the item is on the disk.
   * @throws its own fault, or that of the transaction: `storage_full`, `unavailable`
   */
  add(item: Item): Promise<Result>;
}

export interface GroupCommitOptions<S extends Schema, Item, Result> {
  /** Writes all items, in order, and tells what came of each. If it throws for several, each is tried alone. */
  apply(items: readonly Item[], db: Db<S>, sql: Statements): Promise<readonly Outcome<Result>[]>;
  /** Before each transaction, outside of any: what `apply` needs to be committed first. */
  prepare?(): Promise<void>;
  /** Most items in one transaction. */
  mostItems?: number;
  /** Most items waiting; more are refused with `unavailable`. */
  mostWaiting?: number;
}

interface Waiting<Item, Result> {
  item: Item;
  resolve(result: Result): void;
  reject(error: unknown): void;
}

/**
 * No timer: the first item starts a transaction in the same turn of the event loop, and whatever
 * arrives while it commits makes up the next. A lone item waits for nobody.
 */
export function groupCommit<S extends Schema, Item, Result>(
  store: Store<S>,
  { apply, prepare, mostItems = 256, mostWaiting = 20_000 }: GroupCommitOptions<S, Item, Result>,
): GroupCommit<Item, Result> {
  let queue: Waiting<Item, Result>[] = [];
  let working = false;

  async function commit(group: readonly Waiting<Item, Result>[]): Promise<void> {
    try {
      await prepare?.();
      const outcomes = await store.write(async (db, sql) => {
        const told = await apply(
          group.map(({ item }) => item),
          db,
          sql,
        );
        if (told.length !== group.length) throw new TypeError('an outcome is missing');
        return told;
      });
      group.forEach(({ resolve, reject }, at) => {
        const outcome = outcomes[at];
        if (outcome !== undefined && 'result' in outcome) resolve(outcome.result);
        else reject(outcome?.fault);
      });
    } catch (error) {
      // A full disk is everybody's; any other failure may be the fault of one item among them.
      const shared =
        error instanceof Fault && (error.code === 'storage_full' || error.code === 'unavailable');
      if (shared || group.length === 1) for (const { reject } of group) reject(error);
      else for (const one of group) await commit([one]);
    }
  }

  async function work(): Promise<void> {
    working = true;
    while (queue.length > 0) {
      const group = queue.slice(0, mostItems);
      queue = queue.slice(mostItems);
      await commit(group);
    }
    working = false;
  }

  return {
    add(item) {
      if (queue.length >= mostWaiting) return Promise.reject(new Fault('unavailable'));
      const { promise, resolve, reject } = Promise.withResolvers<Result>();
      queue.push({ item, resolve, reject });
      // Those who add in the same turn share the first transaction too.
      if (!working) {
        working = true;
        queueMicrotask(() => void work());
      }
      return promise;
    },
  };
}
