/** What the archive keeps and forgets on its disk, and what it does when that is full. Real SQLite. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AccountId, deviceId } from '@island/protocol/wire/ids.ts';
import t from 'tap';
import { openStore } from '../kit/store.ts';
import { faultCode } from '../kit/testing/outcome.ts';
import { testLog } from '../kit/testing/pki.ts';
import { testKeys } from '../kit/testing/vault.ts';
import { openVault } from '../kit/vault.ts';
import { sweep } from './erasure.ts';
import * as schema from './schema.ts';
import { sealedSegments } from './sealed-segments.ts';
import { openArchives } from './segments.ts';
import { none, segmentAfter, somebody, type TestHead } from './testing/chain.ts';

const migrations = join(import.meta.dirname, 'migrations');
const device = deviceId(1);

async function testArchives(options: { maxPages?: number; most?: number } = {}) {
  await using held = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), 'archive-'));
  held.defer(() => rm(dir, { recursive: true, force: true }));
  const { most, maxPages } = options;
  const store = held.use(
    await openStore({
      file: join(dir, 'archive.sqlite'),
      schema,
      migrations,
      log: testLog(),
      ...(maxPages === undefined ? {} : { maxPages }),
    }),
  );
  const log = testLog();
  const vault = held.use(await openVault({ store, keys: testKeys('archive'), log }));
  const archives = await openArchives(store, sealedSegments(vault, log), most);
  const stack = held.move();
  return {
    archives,
    store,
    /** Appends until it is refused: the code, and how many there are. */
    async fill(account: AccountId, bytes: number) {
      let at: TestHead = none;
      for (;;) {
        const next = segmentAfter(account, at, { bytes });
        const code = await faultCode(archives.append(account, device, next.bytes));
        if (code !== 'resolved') return { code, head: at };
        at = next.head;
      }
    },
    /** Every byte that is on the disk. */
    async bytes(): Promise<Buffer> {
      const names = await readdir(dir);
      return Buffer.concat(await Promise.all(names.map((name) => readFile(join(dir, name)))));
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

t.test(
  'A3: a full archive is archive_full; what is there stays, and others have room',
  async (t) => {
    await using test = await testArchives({ most: 20_000 });
    const account = somebody();
    const { code, head } = await test.fill(account, 3000);
    t.equal(code, 'archive_full');
    t.equal(head.seq, 4, 'of 4,266 bytes each');
    t.same(await test.archives.head(account), head);
    const small = segmentAfter(account, head);
    await test.archives.append(account, device, small.bytes);
    await test.archives.append(account, device, small.bytes);
    t.same(await test.archives.head(account), small.head, 'one that fits still does');
    const other = somebody();
    await test.archives.append(other, device, segmentAfter(other, none, { bytes: 3000 }).bytes);
    await test.archives.erase(account);
    await test.archives.append(account, device, segmentAfter(account, none, { bytes: 3000 }).bytes);
  },
);

t.test(
  'storage_full: an append that does not fit is refused whole; what was there serves on',
  async (t) => {
    await using test = await testArchives({ maxPages: 80 });
    const account = somebody();
    const { code, head } = await test.fill(account, 14_000);
    t.equal(code, 'storage_full');
    t.ok(head.seq > 0);
    t.same(await test.archives.head(account), head);
    t.equal((await test.archives.read(account, head.seq - 1)).length, 1);
    const others = Array.from({ length: 20 }, somebody);
    const codes = await Promise.all(
      others.map((one) =>
        faultCode(
          test.archives.append(one, device, segmentAfter(one, none, { bytes: 30_000 }).bytes),
        ),
      ),
    );
    t.same(new Set(codes), new Set(['storage_full']), 'a group that does not fit');
    for (const one of others) t.same(await test.archives.head(one), none);
    await test.store.write((_db, sql) =>
      sql.run('DELETE FROM segments WHERE account = ? AND seq < ?', [account, head.seq]),
    );
    const next = segmentAfter(account, head, { bytes: 14_000 });
    await test.archives.append(account, device, next.bytes);
    t.same(await test.archives.head(account), next.head, 'room again');
  },
);

t.test('an erased archive leaves the disk, piece by piece, and nothing else does', async (t) => {
  await using test = await testArchives();
  const [account, other] = [somebody(), somebody()];
  const theirs = segmentAfter(other, none);
  await test.archives.append(other, device, theirs.bytes);
  let at: TestHead = none;
  for (let i = 0; i < 300; i++) {
    const next = segmentAfter(account, at);
    await test.archives.append(account, device, next.bytes);
    at = next.head;
  }
  const kept = await test.store.rows<{ bytes: Buffer }>(
    'select bytes from segments where account = ?',
    [account],
  );
  const needles = kept.map(({ bytes }) => bytes.subarray(0, 48));
  t.equal(needles.length, 300);
  const before = await test.bytes();
  t.ok(
    needles.every((needle) => before.includes(needle)),
    'it was there',
  );
  await test.archives.erase(account);
  const fresh = segmentAfter(account, none);
  await test.archives.append(account, device, fresh.bytes);
  t.equal(await sweep(test.store), 1);
  t.equal(await sweep(test.store), 0);
  const after = await test.bytes();
  t.notOk(
    needles.some((needle) => after.includes(needle)),
    'also not in free pages or the log',
  );
  t.same(await test.archives.read(account, 0), [Buffer.from(fresh.bytes)]);
  t.same(await test.archives.read(other, 0), [Buffer.from(theirs.bytes)]);
});

t.test(
  'pitfall: times in the archive: nothing is stored of when, nor in which order people wrote',
  async (t) => {
    await using test = await testArchives();
    const columns = await test.store.rows<{ column: string }>(
      `SELECT m.name || '.' || c.name AS column FROM sqlite_master AS m, pragma_table_info(m.name) AS c
     WHERE m.type = 'table' AND m.name IN ('heads', 'segments', 'erased') ORDER BY 1`,
    );
    t.same(
      columns.map(({ column }) => column),
      [
        'erased.account',
        'erased.chain',
        'heads.account',
        'heads.ark_epoch',
        'heads.bytes',
        'heads.chain',
        'heads.hash',
        'heads.list_epoch',
        'heads.seq',
        'segments.account',
        'segments.bytes',
        'segments.chain',
        'segments.seq',
      ],
    );
    const tables = await test.store.rows<{ sql: string }>(
      "SELECT sql FROM sqlite_master WHERE type = 'table' AND name IN ('heads', 'segments', 'erased')",
    );
    for (const { sql } of tables) t.match(sql, /without rowid/i);
  },
);
