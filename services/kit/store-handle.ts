/** One SQLite connection with the island's settings, its prepared statements, and what its errors mean. */
import { open, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Fault } from '@island/protocol/wire/fault.ts';
import sqlite3 from 'sqlite3';

export type SqlValue = string | number | boolean | Uint8Array | null;
export type Row = Readonly<Record<string, unknown>>;

/** Plain SQL; each text is prepared once and kept. */
export interface Statements {
  /** Rows changed. */
  run(sql: string, params?: readonly SqlValue[]): Promise<number>;
  rows<R extends Row = Row>(sql: string, params?: readonly SqlValue[]): Promise<R[]>;
}

export interface Handle extends Statements, AsyncDisposable {
  /** Statements without results, not kept. */
  exec(sql: string): Promise<void>;
  /** Rolls back, also when SQLite has done so itself. */
  undo(): Promise<void>;
  /** `storage_full` if that is what the error means; otherwise the error. */
  asFault(error: unknown): Promise<unknown>;
  /** What drizzle's proxy driver asks for: rows as arrays in the order of the selected columns. */
  forDrizzle(
    sql: string,
    params: readonly unknown[],
    method: 'run' | 'all' | 'values' | 'get',
  ): Promise<{ rows: unknown[] }>;
}

const mostStatements = 256;

const settings = (write: boolean, maxPages: number | undefined): string[] => [
  'PRAGMA busy_timeout = 5000',
  'PRAGMA foreign_keys = ON',
  'PRAGMA trusted_schema = OFF',
  'PRAGMA cell_size_check = ON',
  // 8 MB, of which a small file takes little: ids are random, and each lies on a page of its own.
  'PRAGMA cache_size = -8192',
  ...(write
    ? [
        'PRAGMA journal_mode = WAL',
        'PRAGMA synchronous = FULL',
        'PRAGMA secure_delete = ON',
        'PRAGMA journal_size_limit = 16777216',
      ]
    : ['PRAGMA query_only = ON']),
  ...(maxPages === undefined ? [] : [`PRAGMA max_page_count = ${maxPages}`]),
];

/** @throws Fault `storage_full` when there is no room even to open it */
export async function openHandle(
  file: string,
  options: { write: boolean; maxPages?: number },
): Promise<Handle> {
  try {
    // SQLite gives its -wal and -shm files the mode of the database file.
    if (options.write) await (await open(file, 'a', 0o600)).close();
    return await prepared(await connect(file), settings(options.write, options.maxPages));
  } catch (error) {
    throw await asFault(error, file);
  }

  async function prepared(database: sqlite3.Database, wanted: readonly string[]): Promise<Handle> {
    const handle = new SqliteHandle(database, file);
    try {
      for (const setting of wanted) await handle.exec(setting);
      return handle;
    } catch (error) {
      await handle[Symbol.asyncDispose]();
      throw error;
    }
  }
}

function connect(file: string): Promise<sqlite3.Database> {
  const { promise, resolve, reject } = Promise.withResolvers<sqlite3.Database>();
  const flags = sqlite3.OPEN_READWRITE | sqlite3.OPEN_FULLMUTEX;
  const opened: sqlite3.Database = new sqlite3.Database(file, flags, (error) =>
    error === null ? resolve(opened) : reject(error),
  );
  return promise;
}

/** Whether it is the disk: SQLite itself calls some of its failures for want of room an I/O error. */
async function asFault(error: unknown, file: string): Promise<unknown> {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const full = ['SQLITE_FULL', 'ENOSPC', 'EDQUOT'].includes(String(code));
  if (full || ((code === 'SQLITE_IOERR' || code === 'SQLITE_CANTOPEN') && (await isFull(file)))) {
    return new Fault('storage_full', undefined, { cause: error });
  }
  return error;
}

async function isFull(file: string): Promise<boolean> {
  const { bavail, bsize } = await statfs(dirname(file));
  return bavail * bsize < 1_048_576;
}

class SqliteHandle implements Handle {
  readonly #database: sqlite3.Database;
  readonly #file: string;
  /** In order of last use. */
  readonly #statements = new Map<string, Promise<sqlite3.Statement>>();

  constructor(database: sqlite3.Database, file: string) {
    this.#database = database;
    this.#file = file;
  }

  exec(sql: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#database.exec(sql, (error) => (error === null ? resolve() : reject(error)));
    });
  }

  async run(sql: string, params: readonly SqlValue[] = []): Promise<number> {
    const statement = await this.#statement(sql);
    return new Promise((resolve, reject) => {
      statement.run(params, function (error) {
        if (error === null) resolve(this.changes);
        else reject(error);
      });
    });
  }

  async rows<R extends Row = Row>(sql: string, params: readonly SqlValue[] = []): Promise<R[]> {
    const statement = await this.#statement(sql);
    return new Promise((resolve, reject) => {
      statement.all<R>(params, (error, rows) => (error === null ? resolve(rows) : reject(error)));
    });
  }

  async forDrizzle(
    sql: string,
    params: readonly unknown[],
    method: 'run' | 'all' | 'values' | 'get',
  ): Promise<{ rows: unknown[] }> {
    if (method === 'run') {
      await this.run(sql, params as readonly SqlValue[]);
      return { rows: [] };
    }
    const found = await this.rows(inOrder(sql), params as readonly SqlValue[]);
    const rows = found.map(values);
    // drizzle tells "no row" by an absent `rows`, whatever its types say.
    if (method === 'get') return { rows: rows[0] as unknown[] };
    return { rows };
  }

  async undo(): Promise<void> {
    await this.exec('ROLLBACK').catch((error: Error) => {
      if (!error.message.includes('no transaction is active')) throw error;
    });
  }

  asFault(error: unknown): Promise<unknown> {
    return asFault(error, this.#file);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const sql of [...this.#statements.keys()]) await this.#finalize(sql);
    await new Promise<void>((resolve, reject) => {
      this.#database.close((error) => (error === null ? resolve() : reject(error)));
    });
  }

  #statement(sql: string): Promise<sqlite3.Statement> {
    const statement = this.#statements.get(sql) ?? this.#prepare(sql);
    this.#statements.delete(sql);
    this.#statements.set(sql, statement);
    const [oldest] = this.#statements.keys();
    if (this.#statements.size > mostStatements && oldest !== undefined) void this.#finalize(oldest);
    return statement;
  }

  #prepare(sql: string): Promise<sqlite3.Statement> {
    const { promise, resolve, reject } = Promise.withResolvers<sqlite3.Statement>();
    const statement: sqlite3.Statement = this.#database.prepare(sql, (error) => {
      if (error === null) return resolve(statement);
      this.#statements.delete(sql);
      reject(error);
    });
    return promise;
  }

  async #finalize(sql: string): Promise<void> {
    const statement = this.#statements.get(sql);
    this.#statements.delete(sql);
    // One that could not be prepared has nothing to give back.
    await statement?.then((made) => made.finalize()).catch(() => undefined);
  }
}

/**
 * sqlite3 hands out rows as objects, where columns of the same name fall together and drizzle would
 * read the wrong one, silently. Around a subquery SQLite names them apart: `id`, `id:1`.
 */
function inOrder(sql: string): string {
  const reads =
    /^\s*select\b/i.test(sql) ||
    (/^\s*with\b/i.test(sql) && !/\b(?:insert|update|delete)\b/i.test(sql));
  return reads ? `select * from (${sql})` : sql;
}

/** Objects put integer-like names first, whatever their place: such a column needs an alias. */
function values(row: Row): unknown[] {
  for (const name in row) {
    if (/^\d+$/.test(name))
      throw new TypeError(`a selected column is named ${name}; give it an alias`);
  }
  return Object.values(row);
}
