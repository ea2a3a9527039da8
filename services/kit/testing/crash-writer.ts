/** A program that writes rows as fast as it can and prints the number of each one that was promised, until it is killed. */
import { writeSync } from 'node:fs';
import { integer, sqliteTable } from 'drizzle-orm/sqlite-core';
import { groupCommit } from '../group-commit.ts';
import { openStore } from '../store.ts';
import { testLog } from './pki.ts';

const [file = '', migrations = ''] = process.argv.slice(2);
const schema = { numbers: sqliteTable('numbers', { n: integer('n').primaryKey() }) };
const store = await openStore({ file, schema, migrations, log: testLog() });
const numbers = groupCommit<typeof schema, number, undefined>(store, {
  async apply(items, _db, sql) {
    await sql.run(`INSERT INTO numbers (n) VALUES ${items.map(() => '(?)').join(',')}`, items);
    return items.map(() => ({ result: undefined }));
  },
});
for (let next = 0; ; ) {
  const group = Array.from({ length: 20 }, () => next++);
  await Promise.all(group.map((n) => numbers.add(n).then(() => writeSync(1, `${n}\n`))));
}
