/** How findings become verdicts. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { styleFor } from '../terminal.ts';
import { found } from './finding.ts';
import { type Judged, judge } from './judgement.ts';
import { promiseIds } from './promises.ts';
import { searchFiles, spellings } from './traces.ts';
import { formatJudged } from './verify.ts';

const good = { summary: 'all well', findings: [found(true, 'one'), found(true, 'two')] };

t.test(
  'a promise holds when every finding is good, and is broken by one that is not',
  async (t) => {
    const bad = { summary: 'all well', findings: [found(true, 'one'), found(false, 'two')] };
    const told: Judged[] = [];
    const judged = await judge(
      { T2: async () => good, T3: async () => bad },
      ['T3', 'T2', 'K1'],
      (one) => told.push(one),
    );
    t.match(judged, [
      { id: 'T2', state: 'holds', summary: 'all well' },
      { id: 'T3', state: 'broken', evidence: ['two', 'one'], summary: 'two' },
      { id: 'K1', state: 'not-built', evidence: [] },
    ]);
    t.same(told, judged, 'in the order of the list, told one by one');
  },
);

t.test('a check that can’t be done, or finds nothing at all, is no proof', async (t) => {
  const failing = async () => {
    throw new Error('the door is gone');
  };
  const empty = async () => ({ summary: '', findings: [] });
  const judged = await judge({ A1: failing, A5: empty }, ['A1', 'A5'], () => undefined);
  t.match(judged, [{ state: 'broken', evidence: [/the door is gone/] }, { state: 'broken' }]);
});

t.test('every promise has a line', async (t) => {
  const style = styleFor({ write: () => true });
  const lines = (await judge({ T2: async () => good }, promiseIds, () => undefined)).map((one) =>
    formatJudged(one, false, style),
  );
  t.equal(lines.length, 32);
  t.match(lines.join('\n'), /T2 +holds +mTLS between all services: all well/);
  t.match(lines.join('\n'), /K1 +not built yet/);
});

t.test(
  'a secret is found in every spelling and across the borders of what is read at once',
  async (t) => {
    const dir = await mkdtemp(join(tmpdir(), 'pi-'));
    t.teardown(() => rm(dir, { recursive: true, force: true }));
    await mkdir(join(dir, 'deep'));
    const needles = spellings('the secret', 'correct horse battery staple');
    const border = 4_194_304;
    for (const [index, { bytes }] of needles.entries()) {
      const content = Buffer.alloc(border + 1000);
      bytes.copy(content, border - 5);
      await writeFile(join(dir, 'deep', `${index}`), content);
    }
    await writeFile(join(dir, 'clean'), Buffer.alloc(100));
    const { hits, files, bytes } = await searchFiles([dir], needles);
    t.equal(hits.length, needles.length);
    t.equal(files, needles.length + 1);
    t.ok(bytes >= needles.length * border);
  },
);
