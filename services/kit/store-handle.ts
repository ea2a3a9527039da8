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

export async function openHandle(
  file: string,
  options: { write: boolean; maxPages?: number },
): Promise<Handle> {
  // SQLite gives its -wal and -shm files the mode of the database file.
  if (options.write) await (await open(file, 'a', 0o600)).close();
  const database = await new Promise<sqlite3.Database>((resolve, reject) => {
    const opened: sqlite3.Database = new sqlite3.Database(
      file,
      sqlite3.OPEN_READWRITE | sqlite3.OPEN_FULLMUTEX,
      (error) => (error === null ? resolve(opened) : reject(error)),
    );
  });
  const handle = new SqliteHandle(database, file);
  for (const setting of settings(options.write, options.maxPages)) await handle.exec(setting);
  return handle;
}

class SqliteHandle implements Handle {
  readonly #database: sqlite3.Database;
  readonly #file: string;
  /** In order of last use. */
  readonly #statements = new Map<string, sqlite3.Statement>();

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

  async asFault(error: unknown): Promise<unknown> {
    // drizzle wraps what SQLite says in an error of its own.
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    if (code === 'SQLITE_FULL') return new Fault('storage_full', undefined, { cause: error });
    if (code === 'SQLITE_IOERR' || code === 'SQLITE_CANTOPEN') {
      const { bavail, bsize } = await statfs(dirname(this.#file));
      if (bavail * bsize < 1_048_576) return new Fault('storage_full', undefined, { cause: error });
    }
    return error;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const statement of this.#statements.values()) statement.finalize();
    this.#statements.clear();
    await new Promise<void>((resolve, reject) => {
      this.#database.close((error) => (error === null ? resolve() : reject(error)));
    });
  }

  async #statement(sql: string): Promise<sqlite3.Statement> {
    const kept = this.#statements.get(sql);
    if (kept !== undefined) {
      this.#statements.delete(sql);
      this.#statements.set(sql, kept);
      return kept;
    }
    const made = await new Promise<sqlite3.Statement>((resolve, reject) => {
      const statement: sqlite3.Statement = this.#database.prepare(sql, (error) =>
        error === null ? resolve(statement) : reject(error),
      );
    });
    this.#statements.set(sql, made);
    for (const [oldest, statement] of this.#statements) {
      if (this.#statements.size <= mostStatements) break;
      this.#statements.delete(oldest);
      statement.finalize();
    }
    return made;
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
