/** Rows of before there were vaults are sealed once, in pieces, also when that is interrupted (M5). docs/protocol/at-rest.md §6 */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { sealFormerRows } from './former-rows.ts';
import { openStore } from './store.ts';
import { testLog } from './testing/pki.ts';
import { testKeys } from './testing/vault.ts';
import { openVault } from './vault.ts';

t.test(
  'M5: every former row is sealed once, also when it is interrupted; then none is taken',
  async (t) => {
    const dir = await mkdtemp(join(tmpdir(), 'former-'));
    t.teardown(() => rm(dir, { recursive: true, force: true }));
    const migrations = join(dir, 'migrations');
    await mkdir(migrations);
    await writeFile(
      join(migrations, '0001.sql'),
      `create table former_notes (id integer primary key, body blob not null) strict, without rowid;
     create table notes (id integer primary key, body blob not null) strict, without rowid;`,
    );
    const log = testLog();
    await using store = await openStore({
      file: join(dir, 'kept.sqlite'),
      schema: {},
      migrations,
      log,
    });
    await using vault = await openVault({ store, keys: testKeys('delivery'), log });
    const bodies = Array.from({ length: 300 }, () => randomBytes(40));
    await store.write(async (_db, sql) => {
      for (const [id, body] of bodies.entries())
        await sql.run('insert into former_notes (id, body) values (?, ?)', [id, body]);
    });
    const table = vault.table('notes');
    const rowOf = (id: number) => Buffer.of(id >> 8, id & 255);
    let key = await table.keyOf(0);
    let most = 200;
    const seal = () =>
      sealFormerRows({
        store,
        vault,
        table: 'former_notes',
        keys: ['id'],
        async prepare() {
          key = await table.keyOf(0);
        },
        async insert(sql, { id, body }) {
          if (most-- === 0) throw new Error('the power goes');
          const sealed = table.seal(key, 'body', rowOf(Number(id)), body as Uint8Array);
          await sql.run('insert into notes (id, body) values (?, ?)', [Number(id), sealed]);
        },
      });
    await t.rejects(seal(), /the power goes/);
    const count = async (of: string) => Number((await store.rows(`select * from ${of}`)).length);
    t.equal(
      (await count('notes')) + (await count('former_notes')),
      300,
      'each is in one of the two',
    );
    t.ok((await count('notes')) > 0);
    t.equal(await seal(), await count('notes').then((all) => all - 128));
    const rows = await store.rows<{ id: number; body: Buffer }>('select id, body from notes');
    t.equal(rows.length, 300);
    for (const { id, body } of rows) t.same(table.open('body', rowOf(id), body), bodies[id]);

    await store.write((_db, sql) =>
      sql.run(
        'create table former_notes (id integer primary key, body blob) strict, without rowid',
      ),
    );
    await store.write((_db, sql) => sql.run("insert into former_notes values (1000, x'00')"));
    t.equal(await seal(), 0, 'whoever puts such a table there later is not listened to');
    t.equal(await count('notes'), 300);
  },
);
