/**
 * The databases of an island as somebody has them who copied them, and not its master key, which lies
 * elsewhere. And the same databases for somebody who can write to them.
 */
import { copyFile, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { layoutOf } from '@island/provisioning/layout.ts';

export const services = [
  'accounts',
  'archive',
  'control',
  'delivery',
  'directory',
  'media',
  'spaces',
  'witness',
] as const;
export type ServiceName = (typeof services)[number];

/** Bytes as a Uint8Array, as everything else is. */
export type Row = Record<string, unknown>;

export interface Table {
  service: ServiceName;
  name: string;
  rows: Row[];
}

const fileOf = (data: string, service: ServiceName): string =>
  join(layoutOf(data).service(service), `${service}.sqlite`);

/** Every table of a copy made now; the journals are part of it. */
export async function stealDatabases(data: string): Promise<Table[]> {
  const dir = await mkdtemp(join(tmpdir(), 'stolen-'));
  try {
    const tables: Table[] = [];
    for (const service of services) {
      const folder = layoutOf(data).service(service);
      const names = await readdir(folder);
      const files = names.filter((name) => /\.sqlite(?:-wal|-shm)?$/.test(name));
      for (const name of files) await copyFile(join(folder, name), join(dir, name));
      using database = new DatabaseSync(join(dir, `${service}.sqlite`));
      tables.push(...read(database, service));
    }
    return tables;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

function read(database: DatabaseSync, service: ServiceName): Table[] {
  const names = database
    .prepare("select name from sqlite_master where type = 'table' order by name")
    .all()
    .map(({ name }) => String(name));
  return names.map((name) => ({
    service,
    name,
    rows: database.prepare(`select * from "${name}"`).all(),
  }));
}

export function rowsOf(tables: readonly Table[], service: ServiceName, name: string): Row[] {
  const found = tables.find((table) => table.service === service && table.name === name);
  if (found === undefined) throw new Error(`there is no table ${name} in ${service}`);
  return found.rows;
}

/** The column of a row, which holds bytes. */
export function bytesIn(row: Row | undefined, column: string): Uint8Array {
  const value = row?.[column];
  if (!(value instanceof Uint8Array)) throw new Error(`there are no bytes in ${column}`);
  return value;
}

/** Each table as one text: equal when nothing in it has changed. */
export const state = (tables: readonly Table[]): Map<string, string> =>
  new Map(
    tables.map(({ service, name, rows }) => [
      `${service}.${name}`,
      rows
        .map((row) =>
          JSON.stringify(row, (_, value) =>
            value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
          ),
        )
        .sort()
        .join('\n'),
    ]),
  );

/** Names of tables that are not what they were. */
export const changed = (before: readonly Table[], after: readonly Table[]): string[] => {
  const [one, other] = [state(before), state(after)];
  return [...one.keys()].filter((name) => one.get(name) !== other.get(name)).sort();
};

/** Writes to a database of the running island; disposing of it puts back what was there. */
export function tamper(
  data: string,
  service: ServiceName,
  statements: readonly (readonly [sql: string, ...values: SQLInputValue[]])[],
): Disposable {
  const file = fileOf(data, service);
  const before = withDatabase(file, (database) => {
    const tables = read(database, service);
    for (const [sql, ...values] of statements) {
      const { changes } = database.prepare(sql).run(...values);
      if (Number(changes) === 0) throw new Error(`nothing to tamper with: ${sql}`);
    }
    return tables;
  });
  const touched = new Set(
    statements.map(([sql]) => /^(?:update|delete from|insert into) (\w+)/.exec(sql)?.[1] ?? ''),
  );
  return {
    [Symbol.dispose]() {
      withDatabase(file, (database) => {
        for (const { name, rows } of before) if (touched.has(name)) putBack(database, name, rows);
      });
    },
  };
}

/** Nothing that a database says of itself holds whoever writes to its file: neither keys nor triggers. */
function withDatabase<T>(file: string, work: (database: DatabaseSync) => T): T {
  using database = new DatabaseSync(file, { enableForeignKeyConstraints: false });
  database.exec('pragma busy_timeout = 5000; begin immediate');
  const triggers = database
    .prepare("select name, sql from sqlite_master where type = 'trigger'")
    .all();
  for (const { name } of triggers) database.exec(`drop trigger "${name}"`);
  const result = work(database);
  for (const { sql } of triggers) database.exec(String(sql));
  database.exec('commit');
  return result;
}

function putBack(database: DatabaseSync, name: string, rows: readonly Row[]): void {
  database.exec(`delete from ${name}`);
  for (const row of rows) {
    const columns = Object.keys(row);
    const places = columns.map(() => '?').join(', ');
    database
      .prepare(`insert into ${name} (${columns.join(', ')}) values (${places})`)
      .run(...columns.map((column) => row[column] as SQLInputValue));
  }
}
