/** The master key: outside of the data folder, made once, refused when it is not the right one (M5). docs/protocol/at-rest.md §1 */
import {
  chmodSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
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
