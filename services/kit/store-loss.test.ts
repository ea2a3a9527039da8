/** A full disk and a killed process: nothing promised is lost, nothing is half-written, the service lives on. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import t, { type Test } from 'tap';
import { openStore, type Store } from './store.ts';
import { faultCode } from './testing/outcome.ts';
import { testLog } from './testing/pki.ts';

const schema = {
  letters: sqliteTable('letters', { id: integer('id').primaryKey(), body: text('body').notNull() }),
};
const { letters } = schema;

async function folder(t: Test): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'pi-loss-'));
  t.teardown(() => rm(dir, { recursive: true, force: true }));
  await writeFile(
    join(dir, '0001.sql'),
    `CREATE TABLE letters (id INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;
     CREATE TABLE numbers (n INTEGER PRIMARY KEY) STRICT;`,
  );
  return dir;
}

/** Two rows or none. */
const pair = (store: Store<typeof schema>, size: number): Promise<void> =>
  store.write(async (db) => {
    await db.insert(letters).values({ body: 'first of two' });
    await db.insert(letters).values({ body: 'x'.repeat(size) });
  });

/** Fills the store until it refuses; the number of pairs that were promised. */
async function fill(t: Test, store: Store<typeof schema>): Promise<number> {
  for (let pairs = 0; pairs < 10_000; pairs++) {
    const code = await faultCode(pair(store, 8000));
    if (code === 'resolved') continue;
    t.equal(code, 'storage_full');
    return pairs;
  }
  throw new Error('it never got full');
}

t.test(
  'a database at its limit is `storage_full`, whole, and writes again once there is room',
  async (t) => {
    const dir = await folder(t);
    await using store = await openStore({
      file: join(dir, 'a.sqlite'),
      schema,
      migrations: dir,
      log: testLog(),
      maxPages: 64,
    });
    const pairs = await fill(t, store);
    t.ok(pairs > 0);
    const many = await Promise.all(Array.from({ length: 20 }, () => faultCode(pair(store, 8000))));
    t.ok(many.every((code) => code === 'storage_full'));
    t.equal((await store.read.select().from(letters)).length, pairs * 2, 'pairs only');
    await store.write((db) => db.delete(letters));
    await pair(store, 8000);
    t.equal((await store.read.select().from(letters)).length, 2);
  },
);

t.test(
  'a full disk (a real one, 1 MiB) is `storage_full`; the process lives and writes again',
  async (t) => {
    const migrations = await folder(t);
    const disk = await mkdtemp(join(tmpdir(), 'pi-disk-'));
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m,mode=0700', 'tmpfs', disk], {
        stdio: 'ignore',
      });
    } catch {
      t.comment('not tried: this user may not mount a small disk');
      await rm(disk, { recursive: true });
      return;
    }
    t.teardown(async () => {
      execFileSync('umount', [disk]);
      await rm(disk, { recursive: true });
    });
    const file = join(disk, 'a.sqlite');
    {
      await using store = await openStore({ file, schema, migrations, log: testLog() });
      await writeFile(join(disk, 'ballast'), new Uint8Array(300_000));
      const pairs = await fill(t, store);
      t.equal(
        (await store.read.select().from(letters)).length,
        pairs * 2,
        'what was promised, and no half pair',
      );
      t.equal(await faultCode(pair(store, 8000)), 'storage_full', 'still');
      await rm(join(disk, 'ballast'));
      await pair(store, 8000);
      t.equal((await store.read.select().from(letters)).length, pairs * 2 + 2);
    }
    await writeFile(join(disk, 'ballast'), new Uint8Array(2_000_000)).catch(() => undefined);
    const code = await faultCode(
      openStore({ file: join(disk, 'new.sqlite'), schema, migrations, log: testLog() }),
    );
    t.equal(code, 'storage_full', 'a store that cannot even be made says so as well');
  },
);

t.test(
  'killed with -9 while it writes: every row that was promised is there, and the file is sound',
  async (t) => {
    const dir = await folder(t);
    const file = join(dir, 'a.sqlite');
    const promised = new Set<number>();
    for (let round = 0; round < 3; round++) {
      await using store = await openStore({ file, schema, migrations: dir, log: testLog() });
      await store.write((_db, sql) => sql.run('DELETE FROM numbers'));
      promised.clear();
      const writer = spawn(
        process.execPath,
        [join(import.meta.dirname, 'testing/crash-writer.ts'), file, dir],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      );
      let rest = '';
      writer.stdout.on('data', (chunk: Buffer) => {
        const lines = (rest + chunk.toString()).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) promised.add(Number(line));
        if (promised.size > 300 * (round + 1)) writer.kill('SIGKILL');
      });
      await once(writer, 'close');
      t.equal(writer.signalCode, 'SIGKILL');
      const found = new Set(
        (await store.rows<{ n: number }>('SELECT n FROM numbers')).map(({ n }) => n),
      );
      t.ok(promised.size > 0);
      t.ok(promised.isSubsetOf(found), `${promised.size} promised, ${found.size} found`);
      t.equal(found.size % 20, 0, 'a transaction is there as a whole or not at all');
      t.match(await store.rows('PRAGMA integrity_check'), [{ integrity_check: 'ok' }]);
    }
  },
);
