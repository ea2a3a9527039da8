import { existsSync, lstatSync, mkdtempSync, realpathSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { closeRun, findRun, layoutOf, openRun, ownFolder } from './layout.ts';

t.test('the run folder of a short path lies in the data folder', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'layout-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  const layout = layoutOf(dir);
  t.equal(await findRun(layout), undefined);
  const run = await openRun(layout);
  t.equal(run.dir, layout.run);
  t.equal((await findRun(layout))?.dir, realpathSync(layout.run));
  await closeRun(layout, run);
  t.notOk(existsSync(layout.run));
});

t.test(
  'a path too long for unix sockets gets a short folder of its own, found again by a link',
  async (t) => {
    const layout = layoutOf(join(t.testdir(), 'a'.repeat(90)));
    await ownFolder(layout.data);
    const run = await openRun(layout);
    t.ok(run.pkidSocket('directory').length <= 107, run.pkidSocket('directory'));
    t.ok(lstatSync(layout.run).isSymbolicLink());
    t.equal(statSync(run.dir).mode & 0o777, 0o700);
    t.equal((await openRun(layout)).dir, run.dir, 'the next start uses the same');
    t.equal((await findRun(layout))?.dir, realpathSync(run.dir));
    rmSync(run.dir, { recursive: true });
    const other = await openRun(layout);
    t.not(other.dir, run.dir, 'one that is gone is made anew');
    await closeRun(layout, other);
    t.notOk(existsSync(other.dir));
    t.notOk(existsSync(layout.run));
  },
);
