/** Lists and names from before there was a log. docs/protocol/transparency.md §6 */
import { cp, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { accountOfName, checkAnswer } from '@island/protocol/transparency/answer.ts';
import { nameLabel } from '@island/protocol/transparency/label.ts';
import { hex } from '@island/protocol/wire/text.ts';
import t from 'tap';
import { openStore } from '../../kit/store.ts';
import { testLog } from '../../kit/testing/pki.ts';
import * as schema from '../schema.ts';
import { testKeyLog } from '../testing/key-log.ts';

const migrations = join(import.meta.dirname, '../migrations');
const ada = '0'.repeat(31).concat('1');
const bob = 'f'.repeat(32);
/** A list as far as the log looks at it: its third byte has the flags. */
const list = (flags: number, epoch: number): Uint8Array => Uint8Array.of(1, 0x21, flags, epoch);

/** A database as the version before the log left it. */
async function formerDatabase(dir: string): Promise<void> {
  const before = join(dir, 'migrations');
  await mkdir(before);
  for (const name of (await readdir(migrations)).filter((each) => each < '0004'))
    await cp(join(migrations, name), join(before, name));
  const file = join(dir, 'directory.sqlite');
  await using store = await openStore({ file, schema, migrations: before, log: testLog() });
  await store.write(async (_db, sql) => {
    const add = (account: string, epoch: number, flags: number) =>
      sql.run('INSERT INTO lists (account, epoch, bytes, hash) VALUES (?, ?, ?, ?)', [
        ...[account, epoch, list(flags, epoch), new Uint8Array(32)],
      ]);
    for (const [name, account] of [
      ['zoe', ada],
      ['bob', bob],
    ] as const) {
      await sql.run('INSERT INTO enrolments (account, hash) VALUES (?, ?)', [account, list(0, 0)]);
      await sql.run('INSERT INTO names (name, account) VALUES (?, ?)', [name, account]);
      await add(account, 1, 0x01);
    }
    await add(ada, 2, 0x02);
    await add(bob, 2, 0x1a);
    await add(ada, 3, 0x14);
  });
}

t.test(
  'lists and names from before the log are entered in their order, with their flags',
  async (t) => {
    const dir = t.testdir();
    await formerDatabase(dir);
    await using test = await testKeyLog(dir);
    await test.log.settled();
    for (const [name, account, version, flags] of [
      ['zoe', ada, 3, 0x14],
      ['bob', bob, 2, 0x1a],
    ] as const) {
      const { labels } = checkAnswer(await test.log.lookUp(name), {
        log: await test.log.pinned(),
        labels: [nameLabel(name), accountOfName],
        allowUnwitnessed: true,
      });
      const [named, state] = labels;
      if (!named?.present || !state?.present) return t.fail(name);
      t.equal(hex(named.state), account);
      t.equal(state.version, version);
      t.equal(state.event.flags, flags);
      t.equal(hex(state.state), hex(list(flags, version)));
      t.equal((await test.log.history(name, 0)).length, version);
    }
    await using again = await testKeyLog(dir);
    t.equal(again.log.checkpoint(), test.log.checkpoint(), 'once');
  },
);
