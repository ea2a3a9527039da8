/** The master key: outside of the data folder, made once, refused when it is not the right one (M5). docs/protocol/at-rest.md §1 */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { type Island, readIsland, writeIsland } from './island-file.ts';
import { layoutOf } from './layout.ts';
import { addVersion, keysOf, newestOf, openMasterKey, retireFormer } from './master-key.ts';

const id = '11111111-1111-4111-8111-111111111111';

async function place(t: Test) {
  const dir = t.testdir();
  const layout = layoutOf(join(dir, 'data'));
  mkdirSync(layout.data);
  const island: Island = {
    version: 1,
    id,
    name: 'Isle',
    host: 'localhost',
    port: 8443,
    internal: { nats: 1, redis: 2, gateway: 3 } as Island['internal'],
    caFingerprint: 'a'.repeat(43),
    created: new Date(0).toISOString(),
  };
  await writeIsland(layout, island);
  const file = join(dir, 'elsewhere', 'master.key');
  return {
    layout,
    file,
    open: async (wish?: string) =>
      openMasterKey(layout, (await readIsland(layout)) ?? island, wish),
  };
}

t.test('M5: made at the first start, 0600, and found again without being told where', async (t) => {
  const { file, open, layout } = await place(t);
  const made = await open(file);
  t.equal(statSync(file).mode & 0o777, 0o600);
  t.same([...made.versions.keys()], [1]);
  t.same(await open(), made);
  t.equal((await readIsland(layout))?.masterKey, file);
  t.notOk(readFileSync(layout.island, 'utf8').includes(keysOf(made, 'delivery')[1] ?? '-'));
});

t.test(
  'M5: a missing one is refused and never made anew; one that was moved is found',
  async (t) => {
    const { file, open } = await place(t);
    const made = await open(file);
    renameSync(file, `${file}.moved`);
    await t.rejects(open(), { name: 'Stated', message: /is missing, and without it nothing in/ });
    const moved = `${file}.moved`;
    t.same((await open(moved)).versions, made.versions);
    t.same((await open()).file, moved);
  },
);

t.test('M5: it must not lie in the data folder', async (t) => {
  const { layout, open } = await place(t);
  for (const file of ['master.key', 'services/master.key', 'a/../master.key'])
    await t.rejects(open(`${layout.data}/${file}`), { name: 'Stated', message: /must not lie in/ });
});

t.test(
  'M5: another island’s, a damaged one and one that others can open are refused',
  async (t) => {
    const { file, open } = await place(t);
    await open(file);
    const good = readFileSync(file, 'utf8');
    const cases: [string, RegExp][] = [
      [good.replace(id, id.replaceAll('1', '2')), /belongs to another island/],
      ['', /is damaged/],
      [good.slice(0, -3), /is damaged/],
      [good + good.split('\n')[2], /is damaged/],
      [good.replace('private', 'secret'), /is damaged/],
    ];
    for (const [text, message] of cases) {
      writeFileSync(file, text);
      await t.rejects(open(), { name: 'Stated', message });
    }
    writeFileSync(file, good);
    chmodSync(file, 0o644);
    await t.rejects(open(), { name: 'Stated', message: /chmod 600/ });
    chmodSync(file, 0o600);
    await open();
    rmSync(file);
  },
);

// biome-ignore lint/style/noProcessEnv: what systemd would put there.
const environment = process.env;

t.test('M5: one that systemd lends goes before the place in island.json', async (t) => {
  const { file, open, layout } = await place(t);
  const dir = dirname(layout.data);
  const lent = join(dir, 'private-island.master-key');
  t.teardown(() => delete environment['CREDENTIALS_DIRECTORY']);
  environment['CREDENTIALS_DIRECTORY'] = dir;
  const made = await open(file);
  t.equal(made.file, file, 'where nothing is lent, the file of one’s own');
  const good = readFileSync(file, 'utf8');
  const lend = (text: string, mode: number): void => {
    rmSync(lent, { force: true });
    writeFileSync(lent, text, { mode });
  };
  rmSync(file);
  // 0440 is how an access control list for the one user of the unit looks.
  for (const mode of [0o400, 0o440]) {
    lend(good, mode);
    chmodSync(lent, mode);
    const found = await open();
    t.equal(found.file, lent);
    t.same(found.versions, made.versions);
  }
  t.equal(
    (await readIsland(layout))?.masterKey,
    file,
    'its place, gone after the run, is not noted',
  );
  await t.rejects(
    open(file),
    { name: 'Stated', message: /is missing/ },
    'what is said goes before',
  );

  lend(good.replace(id, id.replaceAll('1', '2')), 0o400);
  await t.rejects(open(), { name: 'Stated', message: /belongs to another island/ });
  lend(good, 0o600);
  for (const mode of [0o444, 0o460]) {
    chmodSync(lent, mode);
    await t.rejects(open(), { name: 'Stated', message: /Others can open/ });
  }
  rmSync(lent);
  await t.rejects(open(), { name: 'Stated', message: /is missing, and without it nothing in/ });
});

t.test(
  'M5: an island whose first key is lent goes on without the loan, once it has the file',
  async (t) => {
    const { open, layout, file } = await place(t);
    const dir = dirname(layout.data);
    const home = join(dir, 'config');
    const before = environment['XDG_CONFIG_HOME'];
    t.teardown(() => {
      delete environment['CREDENTIALS_DIRECTORY'];
      if (before === undefined) delete environment['XDG_CONFIG_HOME'];
      else environment['XDG_CONFIG_HOME'] = before;
    });
    environment['XDG_CONFIG_HOME'] = home;
    environment['CREDENTIALS_DIRECTORY'] = dir;
    mkdirSync(dirname(file));
    const text = ['private-island master key', `island ${id}`, `1 ${'A'.repeat(43)}`, ''].join(
      '\n',
    );
    writeFileSync(join(dir, 'private-island.master-key'), text, { mode: 0o400 });
    const { versions } = await open();
    const named = join(home, 'private-island', id, 'master.key');
    t.equal((await readIsland(layout))?.masterKey, named);
    t.notOk(existsSync(named), 'and nothing of it was copied there');
    delete environment['CREDENTIALS_DIRECTORY'];
    await t.rejects(open(), { name: 'Stated', message: /is missing, and without it nothing in/ });
    writeFileSync(file, text, { mode: 0o600 });
    t.same((await open(file)).versions, versions);
  },
);

t.test(
  'M5: where the file cannot be written, a rotation is refused and nothing is changed',
  async (t) => {
    const { file, open } = await place(t);
    const made = await open(file);
    rmSync(file);
    // As in a folder that is closed to us: also for root.
    mkdirSync(file);
    await t.rejects(addVersion(made), { name: 'Stated', message: /cannot be written/ });
    t.same([...made.versions.keys()], [1]);
  },
);

t.test('M5: a new version comes beside the old one, which goes when it is retired', async (t) => {
  const { file, open } = await place(t);
  const first = await open(file);
  const both = await addVersion(first);
  t.equal(newestOf(both), 2);
  t.same(await open(), both);
  t.equal(keysOf(both, 'archive')[1], keysOf(first, 'archive')[1]);
  t.not(keysOf(both, 'archive')[1], keysOf(both, 'delivery')[1], 'each service has its own');
  const alone = await retireFormer(both);
  t.same([...alone.versions.keys()], [2]);
  t.same(await open(), alone);
});
