/**
 * The only door to SQLite: one file per service, one transaction at a time, a separate handle for
 * reading. A promise of `write` that resolves means: on the disk. docs/architecture.md §7
 */
import { Fault } from '@island/protocol/wire/fault.ts';
import { DrizzleQueryError } from 'drizzle-orm';
import { drizzle, type SqliteRemoteDatabase } from 'drizzle-orm/sqlite-proxy';
import type { Log } from './log.ts';
import { openHandle, type Statements } from './store-handle.ts';
import { migrate } from './store-migrations.ts';

export type Schema = Record<string, unknown>;
export type Db<S extends Schema> = SqliteRemoteDatabase<S>;

export interface Store<S extends Schema> extends AsyncDisposable {
  /** For reading only: sees what was committed before the query began. */
  readonly read: Db<S>;
  /** The same in plain SQL, prepared once. */
  readonly rows: Statements['rows'];
  /**
   * Runs `work` in a transaction of its own, after those that were asked for before; whatever it throws undoes it all.
   * `sql` is the same transaction in plain SQL, prepared once, for hot paths.
   * @throws Fault `storage_full` when the disk is: nothing of it was stored. `unavailable` when too many wait.
   */
  write<T>(work: (db: Db<S>, sql: Statements) => Promise<T>): Promise<T>;
}

export interface StoreOptions<S extends Schema> {
  /** Path of the database file; its folder exists. */
  file: string;
  schema: S;
  /** Folder of numbered SQL files, `0001-….sql` onwards. */
  migrations: string;
  log: Log;
  /** For tests: the most pages that the file may have. */
  maxPages?: number;
}

const mostWaiting = 20_000;

export async function openStore<S extends Schema>(options: StoreOptions<S>): Promise<Store<S>> {
  const { file, schema, migrations, log, maxPages } = options;
  await using held = new AsyncDisposableStack();
  const writer = held.use(
    await openHandle(file, { write: true, ...(maxPages === undefined ? {} : { maxPages }) }),
  );
  await migrate(writer, migrations);
  const reader = held.use(await openHandle(file, { write: false }));
  const writing = drizzle((sql, params, method) => writer.forDrizzle(sql, params, method), {
    schema,
  });
  const read = drizzle((sql, params, method) => reader.forDrizzle(sql, params, method), { schema });
  const stack = held.move();

  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  let closed = false;

  async function transaction<T>(work: (db: Db<S>, sql: Statements) => Promise<T>): Promise<T> {
    await writer.exec('BEGIN IMMEDIATE');
    try {
      const result = await work(writing, writer);
      await writer.exec('COMMIT');
      return result;
    } catch (error) {
      await writer.undo();
      // drizzle's own error has the values of the query in its message.
      throw await writer.asFault(error instanceof DrizzleQueryError ? error.cause : error);
    }
  }

  return {
    read,
    rows: (sql, params) => reader.rows(sql, params),
    async write(work) {
      if (closed || waiting >= mostWaiting) throw new Fault('unavailable');
      waiting++;
      const turn = last.then(() => transaction(work)).finally(() => waiting--);
      last = turn.catch(() => undefined);
      return turn;
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      await last;
      await stack.disposeAsync();
      log.info('store_closed');
    },
  };
}
