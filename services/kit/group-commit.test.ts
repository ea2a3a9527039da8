/** Many writers, one transaction. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Fault } from '@island/protocol/wire/fault.ts';
import { integer, sqliteTable } from 'drizzle-orm/sqlite-core';
import t, { type Test } from 'tap';
import { type GroupCommitOptions, groupCommit } from './group-commit.ts';
import { openStore, type Store } from './store.ts';
import { faultCode } from './testing/outcome.ts';
import { testLog } from './testing/pki.ts';

const schema = { numbers: sqliteTable('numbers', { n: integer('n').primaryKey() }) };
const { numbers } = schema;
type Options = GroupCommitOptions<typeof schema, number, number>;

async function open(t: Test): Promise<Store<typeof schema>> {
  const dir = await mkdtemp(join(tmpdir(), 'pi-group-'));
  t.teardown(() => rm(dir, { recursive: true, force: true }));
  await writeFile(join(dir, '0001.sql'), 'CREATE TABLE numbers (n INTEGER PRIMARY KEY) STRICT;');
  const store = await openStore({
    file: join(dir, 'a.sqlite'),
    schema,
    migrations: dir,
    log: testLog(),
  });
  t.teardown(() => store[Symbol.asyncDispose]());
  return store;
}

const stored = async (store: Store<typeof schema>): Promise<number[]> =>
  (await store.read.select().from(numbers)).map(({ n }) => n);
const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

/** One statement for all; refuses negative numbers, each for itself. */
const insertAll: Options['apply'] = async (items, _db, sql) => {
  const good = items.filter((n) => n >= 0);
  if (good.length > 0)
    await sql.run(`INSERT INTO numbers (n) VALUES ${good.map(() => '(?)').join(',')}`, good);
  return items.map((n) => (n < 0 ? { fault: new Fault('mailbox_full') } : { result: n * 2 }));
};

t.test(
  'those who write at once share transactions; each learns its own result after the commit',
  async (t) => {
    const store = await open(t);
    const sizes: number[] = [];
    const group = groupCommit<typeof schema, number, number>(store, {
      mostItems: 100,
      apply(items, db, sql) {
        sizes.push(items.length);
        return insertAll(items, db, sql);
      },
    });
    const results = await Promise.all(
      upTo(250).map(async (n) => {
        const result = await group.add(n);
        t.ok(
          (await store.rows('SELECT 1 AS here FROM numbers WHERE n = ?', [n])).length === 1,
          `${n} is committed`,
        );
        return result;
      }),
    );
    t.strictSame(
      results,
      upTo(250).map((n) => n * 2),
    );
    t.strictSame(sizes, [100, 100, 50]);
  },
);

t.test('a lone item waits for nobody', async (t) => {
  const store = await open(t);
  const group = groupCommit<typeof schema, number, number>(store, { apply: insertAll });
  t.equal(await group.add(4), 8);
  t.equal(await group.add(5), 10);
});

t.test('an item with a fault of its own fails alone', async (t) => {
  const store = await open(t);
  const group = groupCommit<typeof schema, number, number>(store, { apply: insertAll });
  const codes = await Promise.all([1, -1, 2].map((n) => faultCode(group.add(n))));
  t.strictSame(codes, ['resolved', 'mailbox_full', 'resolved']);
  t.strictSame(await stored(store), [1, 2]);
});

t.test('an item that breaks the transaction is found out and fails alone', async (t) => {
  const store = await open(t);
  const group = groupCommit<typeof schema, number, number>(store, { apply: insertAll });
  await group.add(7);
  const outcomes = await Promise.allSettled([5, 6, 7, 8].map((n) => group.add(n)));
  t.strictSame(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'rejected', 'fulfilled'],
  );
  t.strictSame(await stored(store), [5, 6, 7, 8]);
  t.equal(await group.add(9), 18, 'and the next works');
});

t.test('too many waiting are refused at once with `unavailable`', async (t) => {
  const store = await open(t);
  const group = groupCommit<typeof schema, number, number>(store, {
    apply: insertAll,
    mostWaiting: 10,
  });
  const codes = await Promise.all(upTo(15).map((n) => faultCode(group.add(n))));
  t.equal(codes.filter((code) => code === 'resolved').length, 10);
  t.equal(codes.filter((code) => code === 'unavailable').length, 5);
});

t.test('a closed store fails those who wait, without an unhandled rejection', async (t) => {
  const store = await open(t);
  const group = groupCommit<typeof schema, number, number>(store, { apply: insertAll });
  await store[Symbol.asyncDispose]();
  t.equal(await faultCode(group.add(1)), 'unavailable');
});
