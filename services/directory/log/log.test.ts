/** The log of the directory: what it answers, and that anybody can check it. docs/protocol/transparency.md §6 */
import { equal } from '@island/protocol/crypto/primitives.ts';
import {
  accountOfName,
  checkAnswer,
  type ProvedAnswer,
} from '@island/protocol/transparency/answer.ts';
import { followEvents, nothingKnown } from '@island/protocol/transparency/event-chain.ts';
import { nameLabel } from '@island/protocol/transparency/label.ts';
import { readLeaf } from '@island/protocol/transparency/leaves.ts';
import { mapValue } from '@island/protocol/transparency/map-proof.ts';
import { createMap } from '@island/protocol/transparency/map-tree.ts';
import { decodeEntries, tileReader } from '@island/protocol/transparency/tiles.ts';
import { leafHash } from '@island/protocol/transparency/tree.ts';
import { rootAt } from '@island/protocol/transparency/tree-proofs.ts';
import { accountId } from '@island/protocol/wire/ids.ts';
import { hex } from '@island/protocol/wire/text.ts';
import t from 'tap';
import { eventually, faultCode } from '../../kit/testing/outcome.ts';
import { type TestKeyLog, testKeyLog } from '../testing/key-log.ts';
import type { DirectoryLog } from './log.ts';

const none = new Uint8Array(0);
const nobody = accountId('0'.repeat(32));

async function asked(log: DirectoryLog, name: string): Promise<ProvedAnswer> {
  const labels = [nameLabel(name), accountOfName];
  return checkAnswer(await log.lookUp(name), {
    log: await log.pinned(),
    labels,
    allowUnwitnessed: true,
  });
}

/** All entries, out of tiles that were checked against the checkpoint. */
async function entriesOf(test: TestKeyLog): Promise<Uint8Array[]> {
  const { size, root } = (await asked(test.log, 'whoever')).checkpoint;
  const read = tileReader({ size, root }, (_path, tile) => test.log.tile(tile));
  t.same(await rootAt(size, read), root);
  const entries: Uint8Array[] = [];
  for (let index = 0; entries.length < size; index++) {
    const width = Math.min(256, size - entries.length);
    entries.push(...decodeEntries(await test.log.tile({ level: 'entries', index, width }), width));
  }
  for (const [index, entry] of entries.entries())
    if (!equal(await read(0, index), leafHash(entry))) t.fail(`entry ${index}`);
  return entries;
}

t.test('K1: a name, and that there is none, are proved; so are the versions between', async (t) => {
  await using test = await testKeyLog(t.testdir());
  const before = await asked(test.log, 'ada');
  t.same(
    before.labels.map(({ present }) => present),
    [false],
    'nobody yet',
  );
  const [ada = nobody] = await test.join('ada', 'bob');
  await test.log.settled();
  const first = await asked(test.log, 'ada');
  t.match(first.labels, [
    { present: true, version: 1 },
    { present: true, version: 1 },
  ]);
  t.ok(first.checkpoint.size > before.checkpoint.size);
  for (const epoch of [2, 3, 4]) await test.change([ada], epoch);
  t.same((await asked(test.log, 'ada')).checkpoint, first.checkpoint, 'what waits is not shown');
  await test.log.settled();
  const now = await asked(test.log, 'ada');
  const [, account] = now.labels;
  if (!account?.present) return t.fail('no account');
  t.equal(account.version, 4);
  const steps = await test.log.history('ada', 0);
  t.equal(followEvents(nothingKnown, steps, account).length, 4);
  const later = await test.log.history('ada', 3);
  t.equal(later.length, 1);
  t.equal(hex(later[0]?.state ?? none), hex(account.state));
  t.equal(await faultCode(test.log.history('nobody', 0)), 'unknown_person');
  t.equal(await test.log.versionOf(ada), 4);
  t.same(
    test.told.filter(([who]) => who === ada).map(([, epoch]) => epoch),
    [1, 4],
  );
});

t.test('K3: who reads all entries finds the root of every map, across tiles', async (t) => {
  await using test = await testKeyLog(t.testdir());
  const names = Array.from({ length: 150 }, (_, i) => `person${i}`);
  const accounts = await test.join(...names);
  await test.log.settled();
  for (let epoch = 2; epoch < 6; epoch++) {
    await test.change(accounts.slice(epoch * 20), epoch);
    await test.log.settled();
  }
  await test.join('last');
  await test.log.settled();
  const map = createMap();
  const entries = await entriesOf(test);
  t.ok(entries.length > 512, `${entries.length} entries`);
  let epochs = 0;
  let firstEvent = 0;
  for (const [index, entry] of entries.entries()) {
    const leaf = readLeaf(entry);
    if (leaf.type === 1) map.set(leaf.index, mapValue(leaf.version, index, leafHash(entry)));
    if (leaf.type !== 2) continue;
    epochs += 1;
    t.same(map.root, leaf.mapRoot, `epoch ${epochs}`);
    t.equal(map.count, leaf.mapCount);
    t.equal(leaf.firstEvent, firstEvent);
    firstEvent = index + 1;
  }
  t.equal(firstEvent, entries.length, 'a checkpoint ends behind an epoch');
  for (const name of ['person0', 'person77', 'last']) await asked(test.log, name);
});

t.test(
  'the next process goes on where the one before stopped, and signs nothing anew',
  async (t) => {
    const dir = t.testdir();
    let note: string;
    let size: number;
    {
      await using test = await testKeyLog(dir);
      await test.join('ada', 'bob', 'cid');
      await test.log.settled();
      note = test.log.checkpoint();
      size = (await asked(test.log, 'bob')).checkpoint.size;
    }
    await using test = await testKeyLog(dir);
    t.equal(test.log.checkpoint(), note);
    await test.join('dot');
    await test.log.settled();
    const now = await asked(test.log, 'dot');
    t.equal(now.checkpoint.size, size + 3);
    t.match((await asked(test.log, 'bob')).labels, [{ version: 1 }, { version: 1 }]);
  },
);

t.test('the newest epoch is never older than twenty minutes', async (t) => {
  let at = Date.now();
  await using test = await testKeyLog(t.testdir(), { now: () => at });
  const { size } = (await asked(test.log, 'ada')).checkpoint;
  at += 20 * 60_000 - 1;
  t.equal((await asked(test.log, 'ada')).checkpoint.size, size);
  at += 1;
  await eventually(async () => (await asked(test.log, 'ada')).checkpoint.size > size);
  const now = await asked(test.log, 'ada');
  t.equal(now.checkpoint.size, size + 1);
  t.equal(now.epoch.timestamp, at);
  at -= 3_600_000;
  await test.join('ada');
  await test.log.settled();
  t.equal(
    (await asked(test.log, 'ada')).epoch.timestamp,
    now.epoch.timestamp,
    'time never goes back',
  );
});

t.test('a database that is not what was signed is not gone on with', async (t) => {
  const dir = t.testdir();
  {
    await using test = await testKeyLog(dir);
    await test.join('ada');
    await test.log.settled();
    // One bit of the newest event, right before its EPOCH.
    const [row] = await test.store.rows<{ entries: Uint8Array }>('SELECT entries FROM log_bundles');
    const entries = Uint8Array.from(row?.entries ?? []);
    entries.set([(entries.at(-60) ?? 0) ^ 1], entries.length - 60);
    await test.store.write((_db, sql) => sql.run('UPDATE log_bundles SET entries = ?', [entries]));
  }
  await t.rejects(testKeyLog(dir), /not the one that was signed: restore/);
});

t.test('pitfall: an answer whose epoch is overtaken while it is made is whole', async (t) => {
  await using test = await testKeyLog(t.testdir());
  const names = Array.from({ length: 100 }, (_, i) => `person${i}`);
  const accounts = await test.join(...names);
  await test.log.settled();
  let ended = false;
  const asking = Array.from({ length: 8 }, async (_, at) => {
    for (let i = at; !ended; i++) {
      const { labels } = await asked(test.log, names[i % names.length] ?? '');
      t.match(labels, [{ present: true }, { present: true }]);
    }
  });
  for (let epoch = 2; epoch < 22; epoch++) {
    await test.change(accounts, epoch);
    await test.log.settled();
  }
  ended = true;
  await Promise.all(asking);
});
