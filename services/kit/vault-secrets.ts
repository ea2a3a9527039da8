/**
 * Secrets that a service keeps by name: seeds, and what an operator is shown again at each start. Sealed like
 * everything else at rest; no file beside the database. docs/protocol/at-rest.md §5
 */
import { randomBytes } from 'node:crypto';
import { open, readFile, rm, stat } from 'node:fs/promises';
import type { Schema, Store } from './store.ts';
import type { Statements } from './store-handle.ts';
import type { DayKey, VaultTable } from './vault.ts';

export interface VaultSecrets {
  /** @throws UnopenedRecord for what somebody else has written there */
  get(name: string): Promise<Buffer | undefined>;
  /** In a transaction of one's own. */
  put(sql: Statements, name: string, secret: Uint8Array): Promise<void>;
  delete(sql: Statements, name: string): Promise<void>;
  /**
   * The 32 bytes of that name; made and committed first when there are none and `mayMake` says so.
   * @throws Error, one plain sentence, when they are missing though they must not be
   */
  seed(name: string, mayMake: boolean): Promise<Uint8Array>;
  /** Takes in what earlier versions kept in a file, then wipes and removes the file. */
  adopt(name: string, file: string): Promise<void>;
}

const column = 'sealed';
const row = (name: string): Buffer => Buffer.from(name);

export async function createSecrets<S extends Schema>(parts: {
  store: Store<S>;
  table: VaultTable;
}): Promise<VaultSecrets> {
  const { store, table } = parts;
  let key: DayKey = await table.keyOf(0);

  async function get(name: string): Promise<Buffer | undefined> {
    const [found] = await store.rows('SELECT sealed FROM vault_secrets WHERE name = ?', [name]);
    const sealed = found?.['sealed'];
    return sealed instanceof Uint8Array ? table.open(column, row(name), sealed) : undefined;
  }

  const put: VaultSecrets['put'] = async (sql, name, secret) => {
    await sql.run(
      `INSERT INTO vault_secrets (name, sealed) VALUES (?, ?)
       ON CONFLICT (name) DO UPDATE SET sealed = excluded.sealed`,
      [name, table.seal(key, column, row(name), secret)],
    );
  };

  async function putAlone(name: string, secret: Uint8Array): Promise<void> {
    key = await table.keyOf(0);
    await store.write((_db, sql) => put(sql, name, secret));
  }

  return {
    get,
    put,
    async delete(sql, name) {
      await sql.run('DELETE FROM vault_secrets WHERE name = ?', [name]);
    },
    async seed(name, mayMake) {
      const kept = await get(name);
      if (kept !== undefined) return new Uint8Array(kept);
      if (!mayMake)
        throw new Error(
          `The database has lost its secret "${name}", which the rest of it depends on: restore the data folder from a backup.`,
        );
      await putAlone(name, randomBytes(32));
      return new Uint8Array((await get(name)) ?? []);
    },
    async adopt(name, file) {
      const bytes = await readFile(file).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return undefined;
        throw error;
      });
      if (bytes === undefined) return;
      if ((await get(name)) === undefined) await putAlone(name, bytes);
      await wipe(file);
    },
  };
}

/** Overwritten first: on a disk that writes in place nothing of it stays. */
export async function wipe(file: string): Promise<void> {
  {
    await using handle = await open(file, 'r+');
    const { size } = await stat(file);
    await handle.write(Buffer.alloc(size), 0, size, 0);
    await handle.sync();
  }
  await rm(file, { force: true });
}
