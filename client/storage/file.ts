/**
 * A storage in a folder: one SQLite file in WAL mode, `synchronous = FULL`, so that a commit is on the
 * disk when it resolves. The folder is 0700 and the file 0600. `secure_delete` overwrites what is
 * removed: a message key that was used must not lie in a free page. Nor in the WAL, which is emptied when
 * the file is opened and closed, and soon after each commit.
 *
 * Locks are exclusive transactions on small files of their own: the kernel ends them with the process,
 * however it dies, so no lease has to run out.
 */
import { chmodSync, closeSync, mkdirSync, openSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { setTimeout as wait } from 'node:timers/promises';
import { Problem } from '../problem.ts';
import {
  appendedKey,
  type Batch,
  type Commit,
  Conflict,
  type Row,
  type Storage,
} from './storage.ts';

const tables = `
  CREATE TABLE IF NOT EXISTS rows (
    namespace TEXT NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL, bytes BLOB NOT NULL,
    PRIMARY KEY (namespace, key)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, last INTEGER NOT NULL) STRICT, WITHOUT ROWID;
`;
const layout = 1;

/** Milliseconds a commit waits for another process's commit. */
const busyTimeout = 10_000;
/** Milliseconds between two looks: whether another process has committed, whether a lock is free. */
const pollInterval = 60;

/** Milliseconds after a commit in which the WAL, with what was removed or replaced, is emptied. */
const sweepDelay = 1_000;

/** Milliseconds in which the clock of a file system has moved on. */
const clockTick = 20;

/** Result codes of SQLite. https://sqlite.org/rescode.html */
const sqlite = { busy: 5, readonly: 8, ioerr: 10, corrupt: 11, full: 13, cantopen: 14, notadb: 26 };

/** Opens, and makes when missing, the storage in the folder `home`. */
export function fileStorage(home: string): Storage {
  return within(home, () => {
    makeFolder(home);
    makeFolder(join(home, 'locks'));
    return new SqliteStorage(home);
  });
}

/** Whether there is a storage in the folder: asks without making one. */
export function hasFileStorage(home: string): boolean {
  try {
    return statSync(join(home, 'store.db'), { throwIfNoEntry: false }) !== undefined;
  } catch {
    // What is wrong with the folder is said by whoever opens it.
    return true;
  }
}

function makeFolder(path: string): void {
  if (mkdirSync(path, { recursive: true, mode: 0o700 }) !== undefined) chmodSync(path, 0o700);
}

function openFile(path: string, timeout: number): DatabaseSync {
  // SQLite gives -wal and -shm the mode of the main file, so that has to be right before it opens it.
  closeSync(openSync(path, 'a', 0o600));
  return new DatabaseSync(path, { timeout });
}

class SqliteStorage implements Storage {
  readonly place: string;
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #watchers = new Set<() => void>();
  #seen = 0;
  #poll: NodeJS.Timeout | undefined;
  #sweep: NodeJS.Timeout | undefined;

  constructor(home: string) {
    this.place = home;
    const db = openFile(join(home, 'store.db'), busyTimeout);
    this.#db = db;
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;');
    const { user_version: found } = db.prepare('PRAGMA user_version').get() as {
      user_version: number;
    };
    if (found > layout)
      throw new Problem('home_unusable', {
        home,
        reason: 'a newer islander made it; update this one',
      });
    if (found < layout)
      db.exec(`BEGIN IMMEDIATE; ${tables} PRAGMA user_version = ${layout}; COMMIT;`);
    this.#seen = this.#dataVersion();
    this.#empty();
  }

  /** Empties the WAL. What another process reads or writes at this moment stays for the next time. */
  #empty(): void {
    clearTimeout(this.#sweep);
    this.#sweep = undefined;
    // Others would take it for a commit.
    if (statSync(join(this.place, 'store.db-wal'), { throwIfNoEntry: false })?.size === 0) return;
    try {
      this.#db.exec('PRAGMA busy_timeout = 0');
      const { busy } = this.#prepare('PRAGMA wal_checkpoint(TRUNCATE)').get() as { busy: number };
      if (busy !== 0) this.#emptySoon();
    } catch (error) {
      // A disk that is full, or gone, is said by the next commit.
      if (errorCode(error) === undefined) throw error;
      this.#emptySoon();
    } finally {
      this.#db.exec(`PRAGMA busy_timeout = ${busyTimeout}`);
    }
  }

  #emptySoon(): void {
    this.#sweep ??= setTimeout(() => this.#empty(), sweepDelay).unref();
  }

  /**
   * The file itself, not its content: a copy has another inode, or another time of birth where an inode
   * is given out again. A disk image put back as a whole can't be told.
   */
  get origin(): string {
    const path = join(this.place, 'store.db');
    return within(this.place, () => {
      let found = statSync(path, { bigint: true });
      if (found.birthtimeNs === found.ctimeNs) {
        // Just made, or a file system without times of birth, which shows the time of the last change:
        // a change tells which, once its clock has ticked.
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, clockTick);
        chmodSync(path, 0o600);
        found = statSync(path, { bigint: true });
      }
      const { ino, birthtimeNs, ctimeNs } = found;
      return birthtimeNs === ctimeNs ? `${ino}` : `${ino} ${birthtimeNs}`;
    });
  }

  async read(namespace: string, key: string): Promise<Row | undefined> {
    const sql = 'SELECT key, bytes, version FROM rows WHERE namespace = ? AND key = ?';
    return within(this.place, () => this.#prepare(sql).get(namespace, key) as Row | undefined);
  }

  async list(
    namespace: string,
    range: { after?: string; limit?: number; reverse?: boolean } = {},
  ): Promise<Row[]> {
    const { after, limit = -1, reverse = false } = range;
    const bound = after === undefined ? '' : `AND key ${reverse ? '<' : '>'} ?`;
    const sql = `SELECT key, bytes, version FROM rows WHERE namespace = ? ${bound} ORDER BY key ${reverse ? 'DESC' : 'ASC'} LIMIT ?`;
    const values = after === undefined ? [namespace, limit] : [namespace, after, limit];
    return within(this.place, () => this.#prepare(sql).all(...values) as unknown as Row[]);
  }

  async commit(batch: Batch): Promise<Commit> {
    const done = within(this.place, () => {
      this.#db.exec('BEGIN IMMEDIATE');
      try {
        const result = this.#apply(batch);
        this.#db.exec('COMMIT');
        return result;
      } catch (error) {
        // After a full disk SQLite may have rolled back by itself.
        if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
        throw error;
      }
    });
    this.#emptySoon();
    for (const listener of this.#watchers) queueMicrotask(listener);
    return done;
  }

  #apply(batch: Batch): Commit {
    const find = this.#prepare('SELECT version FROM rows WHERE namespace = ? AND key = ?');
    for (const { namespace, key, version } of batch.expect ?? []) {
      const found = find.get(namespace, key) as { version: number } | undefined;
      if ((found?.version ?? 0) !== version) throw new Conflict();
    }
    const version = this.#next('version');
    const remove = this.#prepare('DELETE FROM rows WHERE namespace = ? AND key = ?');
    for (const { namespace, key } of batch.remove ?? []) remove.run(namespace, key);
    const put = this.#prepare(
      'INSERT OR REPLACE INTO rows (namespace, key, version, bytes) VALUES (?, ?, ?, ?)',
    );
    for (const { namespace, key, bytes } of batch.put ?? [])
      put.run(namespace, key, version, bytes);
    const keys = (batch.append ?? []).map(({ namespace, bytes, beside = [] }) => {
      const key = appendedKey(this.#next('append'));
      for (const row of [{ namespace, bytes }, ...beside]) {
        put.run(row.namespace, key, version, row.bytes);
      }
      return key;
    });
    return { version, keys };
  }

  /** A home of before has a counter for each namespace: the one for all goes on behind them. */
  #next(counter: string): number {
    const sql = `INSERT INTO counters VALUES (?1,
        1 + (SELECT COALESCE(MAX(last), 0) FROM counters WHERE name LIKE ?1 || ' %'))
      ON CONFLICT DO UPDATE SET last = last + 1 RETURNING last`;
    return (this.#prepare(sql).get(counter) as { last: number }).last;
  }

  async tryLock(name: string): Promise<Disposable | undefined> {
    return within(this.place, () => {
      // One file for one name: two people whose names were spelt alike here would hold each other up.
      const db = openFile(join(this.place, 'locks', `${encodeURIComponent(name)}.lock`), 0);
      try {
        db.exec('BEGIN EXCLUSIVE');
        return { [Symbol.dispose]: () => void (db.isOpen && db.close()) };
      } catch (error) {
        db.close();
        if (errorCode(error) === sqlite.busy) return undefined;
        throw error;
      }
    });
  }

  async lock(name: string, signal?: AbortSignal): Promise<Disposable> {
    for (;;) {
      signal?.throwIfAborted();
      const lock = await this.tryLock(name);
      if (lock) return lock;
      await wait(
        pollInterval / 2 + Math.random() * pollInterval,
        undefined,
        signal ? { signal } : {},
      );
    }
  }

  watch(listener: () => void): Disposable {
    this.#watchers.add(listener);
    this.#poll ??= setInterval(() => this.#look(), pollInterval);
    return {
      [Symbol.dispose]: () => {
        this.#watchers.delete(listener);
        if (this.#watchers.size > 0) return;
        clearInterval(this.#poll);
        this.#poll = undefined;
      },
    };
  }

  /** `data_version` changes when another connection has committed, never by our own commits. */
  #look(): void {
    const now = this.#dataVersion();
    if (now === this.#seen) return;
    this.#seen = now;
    for (const listener of this.#watchers) listener();
  }

  #dataVersion(): number {
    return (this.#prepare('PRAGMA data_version').get() as { data_version: number }).data_version;
  }

  #prepare(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known) return known;
    const made = this.#db.prepare(sql);
    this.#statements.set(sql, made);
    return made;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#poll);
    this.#watchers.clear();
    if (!this.#db.isOpen) return;
    if (this.#sweep) this.#empty();
    clearTimeout(this.#sweep);
    this.#db.close();
  }
}

function errorCode(error: unknown): number | undefined {
  const code = error instanceof Error && 'errcode' in error ? error.errcode : undefined;
  // The low byte is the primary result code.
  return typeof code === 'number' ? code & 0xff : undefined;
}

/** Says in a sentence what the file system or SQLite refused. */
function within<T>(home: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const system = 'code' in error ? error.code : undefined;
    const code = errorCode(error);
    if (
      code === sqlite.full ||
      code === sqlite.ioerr ||
      system === 'ENOSPC' ||
      system === 'EDQUOT'
    ) {
      throw new Problem('disk_full', { home }, { cause: error });
    }
    if (code === sqlite.corrupt || code === sqlite.notadb) {
      throw new Problem('home_damaged', { home, reason: error.message }, { cause: error });
    }
    if (
      code === sqlite.readonly ||
      code === sqlite.cantopen ||
      code === sqlite.busy ||
      isRefusal(system)
    ) {
      throw new Problem(
        'home_unusable',
        { home, reason: refusal(system, error.message) },
        { cause: error },
      );
    }
    throw error;
  }
}

const refusals: Readonly<Record<string, string>> = {
  EACCES: 'you have no right to write there',
  EPERM: 'you have no right to write there',
  ENOTDIR: 'a part of the path is a file',
  EEXIST: 'it is a file',
  EROFS: 'it is on a disk that is read-only',
};
const isRefusal = (system: unknown): boolean =>
  typeof system === 'string' && Object.hasOwn(refusals, system);
const refusal = (system: unknown, message: string): string =>
  (typeof system === 'string' ? refusals[system] : undefined) ?? message;
