/** The first boot: one island or none, and never in a folder that was not empty. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { claimData, openIsland } from './first-boot.ts';
import { islandAddress, publicNames, readIsland } from './island-file.ts';
import { layoutOf } from './layout.ts';

const passphrase = 'correct horse battery';
const open = (dir: string, wishes = {}) =>
  openIsland(layoutOf(dir), {
    wishes,
    passphrase,
    masterKey: join(dir, '../master.key'),
    tellPassphrase: () => undefined,
  });

t.test('an empty folder becomes an island, and stays the same one', async (t) => {
  const dir = join(t.testdir(), 'data');
  const layout = layoutOf(dir);
  await claimData(layout);
  t.ok(existsSync(layout.unfinished));
  const made = await open(dir, { name: 'Isle', port: 9443 });
  t.notOk(existsSync(layout.unfinished));
  t.equal(made.name, 'Isle');
  t.equal(islandAddress(made), 'https://localhost:9443');
  t.equal(new Set(Object.values(made.internal)).size, 4, 'four different ports within');
  await claimData(layout);
  t.same(await open(dir), made);
  t.same(
    await open(dir, { name: 'Isle 2', port: 0 }),
    { ...made, name: 'Isle 2' },
    'wishes are kept; port 0 asks for no change',
  );
  t.equal((await readIsland(layout))?.name, 'Isle 2');
  for (const path of [dir, layout.pki]) t.equal(statSync(path).mode & 0o777, 0o700);
  t.equal(statSync(layout.island).mode & 0o777, 0o600);
});

t.test(
  'an island of before there were attachments gets a port for them and stays the same',
  async (t) => {
    const dir = join(t.testdir(), 'data');
    const layout = layoutOf(dir);
    await claimData(layout);
    const made = await open(dir);
    const { media: _, ...internal } = made.internal;
    writeFileSync(layout.island, JSON.stringify({ ...made, internal }), { mode: 0o600 });
    const { media } = (await open(dir)).internal;
    t.ok(media > 0);
    t.equal((await readIsland(layout))?.internal.media, media);
    t.match(await open(dir), { id: made.id, port: made.port, internal: { media } });
  },
);

t.test(
  'an interrupted first boot starts over, with a new CA and without a trace of the old',
  async (t) => {
    const dir = join(t.testdir(), 'data');
    const layout = layoutOf(dir);
    await claimData(layout);
    const { id } = await open(dir);
    const before = readFileSync(join(layout.pki, 'root.crt'), 'utf8');
    // As if the power had gone before island.json was written.
    rmSync(layout.island);
    writeFileSync(layout.unfinished, id);
    mkdirSync(layout.service('accounts'), { recursive: true });
    await claimData(layout);
    t.equal((await open(dir)).id, id, 'the island that the master key was made for');
    t.not(readFileSync(join(layout.pki, 'root.crt'), 'utf8'), before);
    t.notOk(existsSync(layout.service('accounts')));
  },
);

t.test('a passphrase that was made up is told before the island is final', async (t) => {
  const dir = join(t.testdir(), 'data');
  const layout = layoutOf(dir);
  await claimData(layout);
  let told = '';
  const refuse = openIsland(layout, {
    wishes: {},
    masterKey: join(dir, '../master.key'),
    tellPassphrase(made) {
      told = made;
      throw new Error('the terminal is gone');
    },
  });
  await t.rejects(refuse, /the terminal is gone/);
  t.match(
    told,
    /^([a-km-z2-9]{4}-){6}[a-km-z2-9]{4}$/,
    '28 letters and digits without look-alikes',
  );
  t.equal(await readIsland(layout), undefined, 'whose passphrase nobody saw is no island');
});

t.test('a folder with something else in it is left alone', async (t) => {
  const dir = t.testdir({ 'letter.txt': 'dear' });
  await t.rejects(claimData(layoutOf(dir)), {
    name: 'Stated',
    message: /is not empty and holds no island/,
  });
  t.same(readdirSync(dir), ['letter.txt']);
});

t.test('a damaged or newer island.json is not overwritten', async (t) => {
  const dir = t.testdir();
  const layout = layoutOf(dir);
  writeFileSync(layout.island, '{"version":1,', { mode: 0o600 });
  await t.rejects(readIsland(layout), { name: 'Stated', message: /not JSON/ });
  writeFileSync(layout.island, '{"version":1}', { mode: 0o600 });
  await t.rejects(readIsland(layout), { message: /is damaged: restore it from a backup/ });
  writeFileSync(layout.island, '{"version":2}', { mode: 0o600 });
  await t.rejects(readIsland(layout), { message: /written by a newer version/ });
});

t.test('addresses and names of the public certificate', async (t) => {
  t.equal(islandAddress({ host: 'chat.example.org', port: 443 }), 'https://chat.example.org');
  t.equal(islandAddress({ host: '2001:db8::1', port: 8443 }), 'https://[2001:db8::1]:8443');
  t.same(publicNames({ host: 'localhost' }), ['localhost', '127.0.0.1', '::1']);
  t.same(publicNames({ host: '192.0.2.7' }), ['192.0.2.7', 'localhost', '127.0.0.1', '::1']);
});
