/** One SQLite file of a service: transactions, order of columns, migrations, settings. */
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eq, sql } from 'drizzle-orm';
import { blob, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import t, { type Test } from 'tap';
import { openStore, type Store } from './store.ts';
import { testLog } from './testing/pki.ts';

const people = sqliteTable('people', {
  id: integer('id').primaryKey(),
  name: text('name').notNull(),
  picture: blob('picture', { mode: 'buffer' }),
});
const boxes = sqliteTable('boxes', {
  id: integer('id').primaryKey(),
  owner: integer('owner')
    .notNull()
    .references(() => people.id),
  name: text('name').notNull(),
});
const schema = { people, boxes };

const first = `CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, picture BLOB) STRICT;
CREATE TABLE boxes (id INTEGER PRIMARY KEY, owner INTEGER NOT NULL REFERENCES people (id), name TEXT NOT NULL) STRICT;`;

async function folder(
  t: Test,
  files: Record<string, string> = { '0001-first.sql': first },
): Promise<{ dir: string; file: string }> {
  const dir = await mkdtemp(join(tmpdir(), 'pi-store-'));
  t.teardown(() => rm(dir, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) await writeFile(join(dir, name), text);
  return { dir, file: join(dir, 'test.sqlite') };
}

async function open(t: Test): Promise<Store<typeof schema>> {
  const { dir, file } = await folder(t);
  const store = await openStore({ file, schema, migrations: dir, log: testLog() });
  t.teardown(() => store[Symbol.asyncDispose]());
  return store;
}

t.test('codebase trap 1: a join of equally named columns gives each its own value', async (t) => {
  const store = await open(t);
  await store.write(async (db) => {
    await db.insert(people).values({ id: 1, name: 'ann' });
    await db.insert(boxes).values({ id: 20, owner: 1, name: 'mail' });
  });
  const joined = await store.read
    .select()
    .from(boxes)
    .innerJoin(people, eq(boxes.owner, people.id));
  t.strictSame(joined, [
    { boxes: { id: 20, owner: 1, name: 'mail' }, people: { id: 1, name: 'ann', picture: null } },
  ]);
  const named = store.read
    .$with('named')
    .as(store.read.select({ id: people.id, name: people.name }).from(people));
  const both = await store.read
    .with(named)
    .select({ box: boxes.name, person: named.name, id: boxes.id, other: named.id })
    .from(boxes)
    .innerJoin(named, eq(named.id, boxes.owner));
  t.strictSame(both, [{ box: 'mail', person: 'ann', id: 20, other: 1 }]);
});

t.test(
  'the order of rows survives, and a column named like a number is refused instead of misplaced',
  async (t) => {
    const store = await open(t);
    await store.write((db) => db.insert(people).values(['c', 'a', 'b'].map((name) => ({ name }))));
    const names = await store.read.select({ name: people.name }).from(people).orderBy(people.name);
    t.strictSame(
      names.map(({ name }) => name),
      ['a', 'b', 'c'],
    );
    await t.rejects(store.read.select({ name: people.name, one: sql`1` }).from(people).execute(), {
      cause: /alias/,
    });
    const aliased = await store.read
      .select({ name: people.name, one: sql<number>`1`.as('one') })
      .from(people)
      .limit(1);
    t.strictSame(aliased, [{ name: 'a', one: 1 }]);
  },
);

t.test('codebase trap 3: `get` without a row is undefined', async (t) => {
  const store = await open(t);
  t.equal(await store.read.select().from(people).where(eq(people.id, 7)).get(), undefined);
  t.equal(await store.read.query.people.findFirst(), undefined);
});

t.test('bytes go in as Uint8Array and come out as they were; returning works', async (t) => {
  const store = await open(t);
  const picture = Buffer.from([0, 1, 2, 255]);
  const [inserted] = await store.write((db) =>
    db.insert(people).values({ name: 'ann', picture }).returning(),
  );
  t.match(inserted, { id: 1, name: 'ann' });
  const [row] = await store.rows<{ picture: Buffer }>('SELECT picture FROM people WHERE name = ?', [
    'ann',
  ]);
  t.strictSame(row?.picture, picture);
  const view = new Uint8Array(new Uint8Array([9, 9, 1, 2, 3, 9]).buffer, 2, 3);
  await store.write((_db, plain) => plain.run('UPDATE people SET picture = ?', [view]));
  t.strictSame((await store.read.select().from(people).get())?.picture, Buffer.from([1, 2, 3]));
});

t.test(
  'codebase trap 2: writes asked for at once each get a transaction of their own, in order',
  async (t) => {
    const store = await open(t);
    const order: number[] = [];
    await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        store.write(async (db) => {
          await db.insert(people).values({ name: `p${index}` });
          await new Promise((resolve) => setImmediate(resolve));
          order.push(index);
        }),
      ),
    );
    t.strictSame(
      order,
      Array.from({ length: 50 }, (_, index) => index),
    );
    t.equal((await store.read.select().from(people)).length, 50);
  },
);

t.test('what throws undoes all of its own and nothing of the others', async (t) => {
  const store = await open(t);
  const outcomes = await Promise.allSettled([
    store.write((db) => db.insert(people).values({ name: 'first' })),
    store.write(async (db) => {
      await db.insert(people).values({ name: 'half' });
      throw new Error('changed my mind');
    }),
    store.write(async (db) => {
      await db.insert(people).values({ name: 'also half' });
      await db.insert(people).values({ name: 'first' });
    }),
    store.write((db) => db.insert(boxes).values({ owner: 999, name: 'nobody owns it' })),
    store.write((db) => db.insert(people).values({ name: 'last' })),
  ]);
  t.strictSame(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'rejected', 'rejected', 'rejected', 'fulfilled'],
  );
  t.strictSame(
    (await store.read.select().from(people)).map(({ name }) => name),
    ['first', 'last'],
  );
});

t.test('a reader sees what was committed, not what is under way, and cannot write', async (t) => {
  const store = await open(t);
  await store.write(async (db) => {
    await db.insert(people).values({ name: 'ann' });
    t.equal((await store.read.select().from(people)).length, 0);
  });
  t.equal((await store.read.select().from(people)).length, 1);
  await t.rejects(store.read.insert(people).values({ name: 'bob' }).execute());
  await t.rejects(store.rows('DELETE FROM people'));
});

t.test(
  'the settings are those the promise of durability needs, and the files are ours alone',
  async (t) => {
    const { dir, file } = await folder(t);
    await using store = await openStore({ file, schema, migrations: dir, log: testLog() });
    const pragma = (name: string) =>
      store.write(
        async (_db, plain) => Object.values((await plain.rows(`PRAGMA ${name}`))[0] ?? {})[0],
      );
    t.equal(await pragma('journal_mode'), 'wal');
    t.equal(await pragma('synchronous'), 2);
    t.equal(await pragma('secure_delete'), 1);
    t.equal(await pragma('foreign_keys'), 1);
    t.equal(await pragma('busy_timeout'), 5000);
    for (const suffix of ['', '-wal', '-shm'])
      t.equal((await stat(file + suffix)).mode & 0o777, 0o600, `mode of ${suffix}`);
  },
);

t.test('a closed store takes no more, finishes what it took, and leaves one file', async (t) => {
  const { dir, file } = await folder(t);
  const store = await openStore({ file, schema, migrations: dir, log: testLog() });
  const last = store.write((db) => db.insert(people).values({ name: 'ann' }));
  const closing = store[Symbol.asyncDispose]();
  await t.rejects(
    store.write(async () => undefined),
    { code: 'unavailable' },
  );
  await last;
  await closing;
  await t.rejects(stat(`${file}-wal`), { code: 'ENOENT' });
});

t.test('migrations: each once, in order, whole or not at all', async (t) => {
  const { dir, file } = await folder(t);
  const options = { file, schema, migrations: dir, log: testLog() };
  await (await openStore(options))[Symbol.asyncDispose]();
  await writeFile(
    join(dir, '0002-more.sql'),
    'ALTER TABLE people ADD COLUMN age INTEGER; INSERT INTO nowhere VALUES (1);',
  );
  await t.rejects(openStore(options), /nowhere/);
  await writeFile(join(dir, '0002-more.sql'), 'ALTER TABLE people ADD COLUMN age INTEGER;');
  {
    await using store = await openStore(options);
    t.equal(
      (await store.rows('SELECT age FROM people')).length,
      0,
      'the half that worked was undone, so this could be applied',
    );
  }
  await writeFile(join(dir, '0001-first.sql'), `${first} -- changed`);
  await t.rejects(openStore(options), /changed after it had been applied/);
  await writeFile(join(dir, '0001-first.sql'), first);
  await rm(join(dir, '0002-more.sql'));
  await t.rejects(openStore(options), /newer version/);
  await writeFile(join(dir, '0003-gap.sql'), '');
  await t.rejects(openStore(options), /without a gap/);
});
