import { spawnSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openLogFolder, rotate } from './log-folder.ts';

t.test(
  'a log that has grown too large is emptied in place, and one former file is kept',
  async (t) => {
    const dir = join(t.testdir(), 'log');
    using logs = openLogFolder(dir);
    logs.append('core', 'x'.repeat(1000));
    logs.append('front', 'small');
    writeFileSync(join(dir, 'notes.txt'), 'y'.repeat(1000));
    await logs.withFile('core', async (descriptor) => {
      t.ok(descriptor > 2);
    });
    await rotate(dir, 500);
    t.equal(statSync(logs.path('core')).size, 0);
    t.equal(readFileSync(`${logs.path('core')}.1`, 'utf8').length, 1000);
    t.equal(readFileSync(logs.path('front'), 'utf8'), 'small');
    t.equal(readFileSync(join(dir, 'notes.txt'), 'utf8').length, 1000, 'only logs are touched');
    t.equal(statSync(logs.path('core')).mode & 0o777, 0o600);
  },
);

t.test('a child goes on writing at the beginning after its log was emptied', async (t) => {
  const dir = join(t.testdir(), 'log');
  using logs = openLogFolder(dir);
  logs.withFile('nats', (log) => {
    const say = (text: string) => spawnSync('echo', [text], { stdio: ['ignore', log, log] });
    say('before');
    writeFileSync(logs.path('nats'), '');
    say('after');
  });
  t.equal(readFileSync(logs.path('nats'), 'utf8'), 'after\n');
  t.equal(await logs.tail('nats', 3), 'er\n');
  t.equal(await logs.tail('nowhere'), '');
});
