/** What uploads under way are still to bring: known without a look at all blobs, and always what the table says. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Fault } from '@island/protocol/wire/fault.ts';
import { encodeToken } from '@island/protocol/wire/token.ts';
import t from 'tap';
import { openStore } from '../kit/store.ts';
import { testLog } from '../kit/testing/pki.ts';
import { openBlobs } from './blobs.ts';
import * as schema from './schema.ts';
import { openTurns } from './turns.ts';
import { openUploads } from './uploads.ts';

const migrations = join(import.meta.dirname, 'migrations');

t.test('who has no media token makes media look at no blob but the one it would be', async (t) => {
  const file = join(t.testdir(), 'media.sqlite');
  await using store = await openStore({ file, schema, migrations, log: testLog() });
  const asked: string[] = [];
  const watched: typeof store = {
    ...store,
    rows: (sql, params) => {
      asked.push(sql);
      return store.rows(sql, params);
    },
    write: (work) => {
      asked.push('a transaction');
      return store.write(work);
    },
  };
  const blobs = openBlobs(watched);
  const uploads = openUploads({
    blobs,
    files: {} as Parameters<typeof openUploads>[0]['files'],
    at: openTurns(),
    spend: () => Promise.reject(new Fault('token_invalid')),
    needRoom: async () => void (await blobs.promised()),
    clock: { now: Date.now },
  });
  const token = (kind: 1 | 2) =>
    encodeToken({ class: kind, day: 1, input: randomBytes(32), output: randomBytes(64) });
  const begin = (tokens: Uint8Array) =>
    uploads.begin({ size: 1000, tokens, deleteHash: randomBytes(32) });
  await t.rejects(begin(new Uint8Array(5)), { code: 'token_needed' });
  t.same(asked, []);
  await t.rejects(begin(token(1)), { code: 'token_invalid' });
  t.equal(asked.length, 1, 'whether it is a repetition');
  for (let i = 0; i < 5; i++) await t.rejects(begin(token(2)), { code: 'token_invalid' });
  const sums = asked.filter((sql) => sql === 'a transaction');
  t.equal(sums.length, 1, 'the sum is made once');
});

t.test('what is promised follows beginning, growing, deleting, and what fails', async (t) => {
  const file = join(t.testdir(), 'media.sqlite');
  await using store = await openStore({ file, schema, migrations, log: testLog() });
  const blobs = openBlobs(store);
  const truth = () => openBlobs(store).promised();
  const [one, two] = [randomBytes(16), randomBytes(16)];
  const begin = (id: Buffer, size: number) =>
    blobs.begin({ id, size, deleteHash: randomBytes(32), day: 1 });
  const same = async (bytes: number) => {
    t.equal(await blobs.promised(), bytes);
    t.equal(await truth(), bytes);
  };
  await begin(one, 1000);
  await same(1000);
  await begin(one, 1000);
  await begin(two, 500);
  await same(1500);
  await blobs.grow(one, 0, 400);
  await t.rejects(blobs.grow(one, 0, 800), { code: 'blob_gone' });
  await same(1100);
  await blobs.remove(one);
  t.notOk(await blobs.remove(one));
  await t.rejects(begin(one, 1000), { code: 'blob_gone' });
  await same(500);
  await Promise.all([blobs.grow(two, 0, 100), blobs.promised(), blobs.grow(two, 100, 500)]);
  await same(0);
});
