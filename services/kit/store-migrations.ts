/** Brings a database to the newest schema: numbered SQL files, each in a transaction, each once. docs/operations.md §10 */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Handle } from './store-handle.ts';

/** A database that this version of the island can't use. */
export class MigrationError extends Error {
  override name = 'MigrationError';
}

interface Migration {
  number: number;
  name: string;
  sql: string;
  hash: string;
}

async function load(folder: string): Promise<Migration[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort();
  const migrations: Migration[] = [];
  for (const name of names) {
    const number = Number(/^(\d{4})[.-]/.exec(name)?.[1]);
    if (number !== migrations.length + 1) {
      throw new MigrationError(
        `${join(folder, name)}: migrations are numbered 0001, 0002, … without a gap.`,
      );
    }
    const sql = await readFile(join(folder, name), 'utf8');
    migrations.push({ number, name, sql, hash: createHash('sha256').update(sql).digest('hex') });
  }
  return migrations;
}

/** @throws MigrationError when the database is newer than this program, or an applied file has changed since */
export async function migrate(handle: Handle, folder: string): Promise<void> {
  const migrations = await load(folder);
  await handle.exec(
    'CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, hash TEXT NOT NULL) STRICT',
  );
  const applied = await handle.rows<{ number: number; name: string; hash: string }>(
    'SELECT number, name, hash FROM migrations ORDER BY number',
  );
  for (const { number, name, hash } of applied) {
    const known = migrations[number - 1];
    if (known === undefined)
      throw new MigrationError(
        `The database was written by a newer version of the island (${name}); use that version.`,
      );
    if (known.hash !== hash)
      throw new MigrationError(
        `${join(folder, known.name)} was changed after it had been applied to this database; restore it.`,
      );
  }
  for (const { number, name, sql, hash } of migrations.slice(applied.length)) {
    await handle.exec('BEGIN IMMEDIATE');
    try {
      await handle.exec(sql);
      await handle.run('INSERT INTO migrations (number, name, hash) VALUES (?, ?, ?)', [
        number,
        name,
        hash,
      ]);
      await handle.exec('COMMIT');
    } catch (error) {
      await handle.undo();
      throw await handle.asFault(error);
    }
  }
}
