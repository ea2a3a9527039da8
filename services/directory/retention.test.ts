/** What the directory forgets and what it never does, on real SQLite. docs/protocol/directory.md §4 */
import { join } from 'node:path';
import { dayOf } from '@island/protocol/crypto/device.ts';
import { openDeviceList } from '@island/protocol/crypto/device-list.ts';
import { makeSignedPrekey } from '@island/protocol/crypto/prekeys.ts';
import t from 'tap';
import { openStore } from '../kit/store.ts';
import { testLog } from '../kit/testing/pki.ts';
import { addList } from './device-lists.ts';
import { openPrekeys } from './prekey-check.ts';
import { countUnused, handOut, storePrekeys } from './prekeys.ts';
import { forget } from './retention.ts';
import * as schema from './schema.ts';
import { newcomer } from './testing/newcomer.ts';

const day = 86_400;
const start = 20_500 * day;
const migrations = join(import.meta.dirname, 'migrations');

/** A directory that knows one person, without its bus. */
async function storeOf(dir: string) {
  const file = join(dir, 'directory.sqlite');
  const store = await openStore({ file, schema, migrations, log: testLog() });
  const person = newcomer('ada', { oneTime: 5, now: start * 1000 });
  const { account, device, list } = person.enrolment;
  const at = { account, device };
  const dsk = person.keys.dsk.public;
  const prekeys = openPrekeys(person.enrolment, dsk, dayOf(start * 1000));
  await store.write(async (db) => {
    await db.insert(schema.enrolments).values({ account, hash: Buffer.alloc(32) });
    await addList(db, openDeviceList(list));
    await storePrekeys(db, at, prekeys, start);
  });
  return { store, person, at };
}

t.test('D4: used one-time prekeys are purged after seven days, unused ones stay', async (t) => {
  const { store, at } = await storeOf(t.testdir());
  await using _ = store;
  await store.write((db) => handOut(db, at, start));
  await store.write((db) => handOut(db, at, start + day));
  const rows = async () =>
    (await store.rows('select id from one_time_prekeys order by id')).map(({ id }) => id);
  await forget(store, start + 7 * day);
  t.same(await rows(), [1, 2, 3, 4, 5]);
  await forget(store, start + 7 * day + 1);
  t.same(await rows(), [2, 3, 4, 5]);
  await forget(store, start + 8 * day + 1);
  t.same(await rows(), [3, 4, 5]);
});

t.test(
  'a one-time prekey past its last day is neither handed out nor counted nor kept',
  async (t) => {
    const { store, at } = await storeOf(t.testdir());
    await using _ = store;
    const late = start + 91 * day;
    t.equal(await countUnused(store.read, at, late - day), 5);
    t.equal(await countUnused(store.read, at, late), 0);
    t.equal((await store.write((db) => handOut(db, at, late))).oneTime, undefined);
    await forget(store, late);
    t.same(await store.rows('select id from one_time_prekeys'), []);
  },
);

t.test('a replaced signed prekey is kept for fourteen days', async (t) => {
  const { store, at, person } = await storeOf(t.testdir());
  await using _ = store;
  const { dsk } = person.keys;
  const signedPrekey = makeSignedPrekey(dsk, 2, dayOf(start * 1000)).public;
  const prekeys = openPrekeys({ signedPrekey }, dsk.public, dayOf(start * 1000));
  await store.write((db) => storePrekeys(db, at, prekeys, start));
  const rows = () => store.rows("select id from standing_prekeys where kind = 'signed'");
  await forget(store, start + 14 * day);
  t.equal((await rows()).length, 2);
  await forget(store, start + 14 * day + 1);
  t.same(await rows(), [{ id: 2 }]);
});

t.test(
  'K3: a stored device list can neither be changed nor removed, nor an epoch be stored twice',
  async (t) => {
    const { store, person } = await storeOf(t.testdir());
    await using _ = store;
    const attempt = (sql: string) => store.write((_db, statements) => statements.run(sql));
    await t.rejects(attempt("update lists set bytes = x'00'"), /final/);
    await t.rejects(attempt('delete from lists'), /kept/);
    const list = openDeviceList(person.enrolment.list);
    await t.rejects(store.write((db) => addList(db, list)));
    await forget(store, start + 10_000 * day);
    t.equal((await store.rows('select epoch from lists')).length, 1);
  },
);
