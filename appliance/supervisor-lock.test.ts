import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { identify, isAlive } from './process-identity.ts';
import { endLeftovers, lockSupervisor, recordChildren } from './supervisor-lock.ts';

t.test('a process is told apart from a later one with its id', async (t) => {
  const me = identify(process.pid);
  if (me === undefined) throw new Error('no /proc');
  t.ok(isAlive(me));
  t.notOk(isAlive({ ...me, started: '1' }));
  t.notOk(isAlive({ ...me, boot: 'another' }));
  t.equal(identify(2 ** 22 + 1), undefined);
});

const holder = (file: string): unknown => JSON.parse(readFileSync(file, 'utf8')).pid;

t.test('one holder at a time; a lock whose holder is gone is taken over', async (t) => {
  const dir = t.testdir();
  const file = join(dir, 'supervisor.lock');
  const lock = lockSupervisor(file);
  t.equal(holder(file), process.pid);
  t.throws(() => lockSupervisor(file), {
    name: 'Stated',
    message: /is running already \(process \d+\)/,
  });
  lock[Symbol.dispose]();
  t.same(readdirSync(dir), [], 'nothing is left');
  for (const stale of ['{"pid":1,"started":"0","boot":"x"}', '', 'not json', '{}']) {
    writeFileSync(file, stale);
    const taken = lockSupervisor(file);
    t.equal(holder(file), process.pid);
    taken[Symbol.dispose]();
    t.same(readdirSync(dir), []);
  }
});

t.test('leftovers of a former run are ended, and nobody else', async (t) => {
  const file = join(t.testdir(), 'children.json');
  t.equal(await endLeftovers(file), 0, 'there was no former run');
  const left = spawn('sleep', ['600'], { stdio: 'ignore' });
  const other = spawn('sleep', ['600'], { stdio: 'ignore' });
  t.teardown(() => other.kill('SIGKILL'));
  const gone = new Promise((resolve) => left.once('exit', resolve));
  recordChildren(file, [left.pid ?? 0, 2 ** 22 + 1]);
  // The id of the other one, as if it had been given to a new process since.
  const recorded = [identify(left.pid ?? 0), { ...identify(other.pid ?? 0), started: '1' }];
  writeFileSync(file, JSON.stringify(recorded));
  t.equal(await endLeftovers(file), 1);
  await gone;
  t.ok(identify(other.pid ?? 0), 'an id that was given away again is left alone');
  t.ok(existsSync(file));
});
