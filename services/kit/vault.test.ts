/** Vaults: keys by table and day, wrapped; records that open in their place only (M5). docs/protocol/at-rest.md */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { openSealing } from './sealing.ts';
import { openServiceKeys } from './service-keys.ts';
import { openStore, type Store } from './store.ts';
import { testLog } from './testing/pki.ts';
import { testKeys, testKeyWire } from './testing/vault.ts';
import { openVault, type Vault } from './vault.ts';
import { recordsPerBlock, recordsPerKey } from './vault-keys.ts';

const row = Buffer.from('row');
const plain = Buffer.from('nobody reads this but whoever has the key');

async function folder(t: Test): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'vault-'));
  t.teardown(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

/** A database as a service opens it. */
async function open(dir: string, keys = testKeys('delivery')) {
  const log = testLog();
  const store = await openStore({
    file: join(dir, 'kept.sqlite'),
    schema: {},
    migrations: await emptyFolder(dir),
    log,
  });
  try {
    const vault = await openVault({ store, keys, log });
    const close = async () => {
      await vault[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
    };
    return { store, vault, log, close };
  } catch (error) {
    await store[Symbol.asyncDispose]();
    throw error;
  }
}

async function emptyFolder(dir: string): Promise<string> {
  const migrations = join(dir, 'migrations');
  await mkdir(migrations, { recursive: true });
  await writeFile(join(migrations, '0001.sql'), 'create table kept (id integer) strict;');
  return migrations;
}

const listed = (store: Store<Record<never, never>>) =>
  store.rows<{ kid: number; name: string; day: number; kek: number; used: number }>(
    'select kid, name, day, kek, used from vault_keys order by kid',
  );

async function sealed(vault: Vault, day = 0, table = 'envelopes'): Promise<Buffer> {
  const at = vault.table(table);
  return at.seal(await at.keyOf(day), 'body', row, plain);
}

t.test('M5: what is sealed opens after a restart, and only in its place', async (t) => {
  const dir = await folder(t);
  const keys = testKeys('delivery');
  const first = await open(dir, keys);
  const record = await sealed(first.vault, 20_000);
  t.same(first.vault.table('envelopes').open('body', row, record), plain);
  await first.close();

  const { vault, close } = await open(dir, keys);
  t.same(vault.table('envelopes').open('body', row, record), plain);
  for (const attempt of [
    () => vault.table('envelopes').open('body', Buffer.from('other'), record),
    () => vault.table('envelopes').open('id', row, record),
    () => vault.table('accepted').open('body', row, record),
    () => vault.table('envelopes').open('body', row, record.subarray(1)),
    () => vault.table('envelopes').open('body', row, Buffer.alloc(0)),
  ])
    t.throws(attempt, { name: 'UnopenedRecord', code: 'record_unopened' });
  await close();
});

t.test('M5: each table and each day has a key of its own; the same day the same', async (t) => {
  const { vault, store, close } = await open(await folder(t));
  for (const [day, table] of [
    [1, 'a'],
    [2, 'a'],
    [1, 'b'],
    [1, 'a'],
  ] as const)
    await sealed(vault, day, table);
  const keys = await listed(store);
  t.same(
    keys.map(({ name, day }) => [name, day]),
    [
      ['vault_secrets', 0],
      ['a', 1],
      ['a', 2],
      ['b', 1],
    ],
  );
  await Promise.all(Array.from({ length: 20 }, () => sealed(vault, 9, 'a')));
  t.equal((await listed(store)).length, keys.length + 1, 'asked at once by many');
  await close();
});

t.test('M5: drop erases what was sealed on days before, and no other', async (t) => {
  const dir = await folder(t);
  const keys = testKeys('delivery');
  const { vault, close } = await open(dir, keys);
  const [old, today, timeless] = [
    await sealed(vault, 10),
    await sealed(vault, 11),
    await sealed(vault, 0),
  ];
  t.equal(await vault.table('envelopes').drop(11), 1);
  t.equal(await vault.table('envelopes').drop(11), 0);
  const opens = (of: Vault, record: Buffer) => of.table('envelopes').open('body', row, record);
  t.throws(() => opens(vault, old), { code: 'record_unopened' });
  await close();
  const again = await open(dir, keys);
  t.throws(() => opens(again.vault, old), { code: 'record_unopened' });
  t.same(opens(again.vault, today), plain);
  t.same(opens(again.vault, timeless), plain);
  await again.close();
});

t.test(
  'M5 pitfall: random nonces: a key is used up far below 2^32, counted across restarts',
  async (t) => {
    t.ok(recordsPerKey <= 2 ** 24);
    const dir = await folder(t);
    const keys = testKeys('delivery');
    let { vault, store, close } = await open(dir, keys);
    const before = await sealed(vault);
    const usedOf = async () => (await listed(store)).find(({ name }) => name === 'envelopes')?.used;
    t.equal(await usedOf(), recordsPerBlock, 'reserved before it was used');
    await close();
    ({ vault, store, close } = await open(dir, keys));
    await sealed(vault);
    t.equal(await usedOf(), 2 * recordsPerBlock, 'a restart forgets nothing');

    await store.write((_db, sql) => sql.run('update vault_keys set used = ?', [recordsPerKey]));
    const key = await vault.table('envelopes').keyOf(0);
    key.left = 0;
    t.throws(() => vault.table('envelopes').seal(key, 'body', row, plain), RangeError);
    const fresh = await vault.table('envelopes').keyOf(0);
    t.not(fresh.kid, key.kid, 'the next one');
    t.same(vault.table('envelopes').open('body', row, before), plain, 'and the former still opens');
    await close();
  },
);

t.test('M5: rewrap leaves nothing under the old version, and records as they are', async (t) => {
  const dir = await folder(t);
  const masters = [randomBytes(32), randomBytes(32)];
  const keys = testKeys('delivery', masters.slice(0, 1));
  const { vault, store, close } = await open(dir, keys);
  const records = [];
  for (let day = 1; day <= 150; day++) records.push(await sealed(vault, day));
  const said: number[] = [];
  keys.onSettled((version) => said.push(version));
  keys.add(testKeyWire('delivery', masters));
  const late = await sealed(vault, 151);
  await vault.rewrap();
  t.ok((await listed(store)).every(({ kek }) => kek === 2));
  t.equal(said.at(-1), 2);
  await close();

  const newest = { 2: testKeyWire('delivery', masters)[2] ?? '' };
  const again = await open(dir, openServiceKeys('delivery', newest));
  for (const record of [...records, late])
    t.same(again.vault.table('envelopes').open('body', row, record), plain);
  await again.close();
  await t.rejects(open(dir, testKeys('delivery', masters.slice(0, 1))), {
    name: 'ConfigError',
    message: /no version 2/,
  });
});

t.test(
  'M5: a key that is being made while there is a newer version is not left behind',
  async (t) => {
    const masters = [randomBytes(32), randomBytes(32)];
    for (let turns = 0; turns < 12; turns++) {
      const keys = testKeys('delivery', masters.slice(0, 1));
      const { vault, store, close } = await open(await folder(t), keys);
      await vault.rewrap();
      const made = vault.table('envelopes').keyOf(1);
      for (let i = 0; i < turns; i++) await Promise.resolve();
      const settled = new Promise<void>((resolve) => keys.onSettled(() => resolve()));
      keys.add(testKeyWire('delivery', masters));
      await Promise.all([settled, made]);
      const rows = await listed(store);
      t.ok(
        rows.every(({ kek }) => kek === 2),
        `${turns} turns later`,
      );
      await close();
    }
  },
);

t.test('M5: a rewrap that ended halfway goes on at the next start', async (t) => {
  const dir = await folder(t);
  const masters = [randomBytes(32), randomBytes(32)];
  const first = await open(dir, testKeys('delivery', masters.slice(0, 1)));
  const records = [];
  for (let day = 1; day <= 200; day++) records.push(await sealed(first.vault, day));
  await first.close();
  // Closed as soon as it began: at most a piece was done.
  const second = await open(dir, testKeys('delivery', masters));
  await second.close();
  const third = await open(dir, testKeys('delivery', masters));
  await third.vault.rewrap();
  t.ok((await listed(third.store)).every(({ kek }) => kek === 2));
  for (const record of records)
    t.same(third.vault.table('envelopes').open('body', row, record), plain);
  await third.close();
});

t.test(
  'M5: under another master key nothing starts, and a key of another service opens nothing',
  async (t) => {
    const dir = await folder(t);
    const master = randomBytes(32);
    const first = await open(dir, testKeys('delivery', [master]));
    await sealed(first.vault);
    await first.close();
    for (const keys of [testKeys('delivery'), testKeys('archive', [master])])
      await t.rejects(open(dir, keys), { name: 'ConfigError', message: /does not open what/ });
    await (await open(dir, testKeys('delivery', [master]))).close();
  },
);

t.test(
  'M5: a data key that was exchanged for another loses what lies under it, and nothing else',
  async (t) => {
    const dir = await folder(t);
    const keys = testKeys('delivery');
    const first = await open(dir, keys);
    const [one, two, three] = [
      await sealed(first.vault, 1),
      await sealed(first.vault, 2),
      await sealed(first.vault, 3),
    ];
    await first.store.write((_db, sql) =>
      sql.run(
        'update vault_keys set wrapped = (select wrapped from vault_keys where day = 2) where day = 1',
      ),
    );
    await first.close();
    const { vault, log, close } = await open(dir, keys);
    const opens = (record: Buffer) => vault.table('envelopes').open('body', row, record);
    t.throws(() => opens(one), { code: 'record_unopened' });
    t.same(opens(two), plain);
    t.same(opens(three), plain);
    t.ok(log.lines.some((line) => line.includes('data_keys_unopened')));
    await close();
  },
);

t.test(
  'M5: secrets by name are made once, kept, and taken over from a file that then is gone',
  async (t) => {
    const dir = await folder(t);
    const keys = testKeys('delivery');
    const first = await open(dir, keys);
    const seed = await first.vault.secrets.seed('seed', true);
    t.equal(seed.length, 32);
    t.same(await first.vault.secrets.seed('seed', false), seed);
    await t.rejects(first.vault.secrets.seed('other', false), /lost its secret "other"/);
    const former = randomBytes(32);
    const file = join(dir, 'pepper.key');
    await writeFile(file, former);
    await first.vault.secrets.adopt('pepper', file);
    await first.vault.secrets.adopt('pepper', file);
    await first.close();
    const second = await open(dir, keys);
    t.same(await second.vault.secrets.seed('seed', false), seed);
    t.same(await second.vault.secrets.get('pepper'), former);
    await second.close();
    for (const name of await readdir(dir)) {
      if (name === 'migrations') continue;
      const bytes = await readFile(join(dir, name));
      for (const secret of [seed, former]) t.notOk(bytes.includes(Buffer.from(secret)), name);
    }
    t.notOk((await readdir(dir)).includes('pepper.key'));
  },
);

t.test(
  'M5: sealing by place: what is moved does not open, and a refusal names no row',
  async (t) => {
    const { vault, close } = await open(await folder(t));
    const sealing = await openSealing(vault, ['people', 'joinings']);
    const place = { table: 'people', column: 'totp_secret', row: 'somebody' };
    const secret = new Uint8Array(randomBytes(20));
    const record = sealing.seal(place, secret);
    t.same(sealing.open(place, record), secret);
    for (const moved of [
      { ...place, row: 'b' },
      { ...place, column: 'totp_pending' },
      { ...place, table: 'joinings' },
    ])
      t.throws(() => sealing.open(moved, record), /does not open/);
    const refusal = await Promise.resolve()
      .then(() => sealing.open(place, randomBytes(60)))
      .catch(String);
    t.match(refusal, 'people.totp_secret');
    t.notMatch(refusal, 'somebody');
    await close();
  },
);
