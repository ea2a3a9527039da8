/** Secrets in files: made once, kept, refused when gone or damaged. */
import { readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { readPrivateText, writePrivateText } from './private-text.ts';
import { openSecret } from './secret-file.ts';

t.test('a secret is made once, 0600, also when two open it at once', async (t) => {
  const dir = t.testdir();
  const file = join(dir, 'x.key');
  const [one, two] = await Promise.all([openSecret(file, true), openSecret(file, true)]);
  t.equal(one.length, 32);
  t.same(one, two);
  t.same(await openSecret(file, false), one);
  t.equal((await stat(file)).mode & 0o777, 0o600);
  t.same(await readdir(dir), ['x.key'], 'nothing else stays behind');
});

t.test('a secret that must be there is not made anew, a damaged one not used', async (t) => {
  const file = join(t.testdir(), 'x.key');
  await t.rejects(openSecret(file, false), /is missing.*restore it from a backup/);
  await writeFile(file, 'short');
  await t.rejects(openSecret(file, true), /is damaged: restore it from a backup/);
});

t.test('a private text is replaced whole and read back', async (t) => {
  const dir = t.testdir();
  const file = join(dir, 'token');
  t.equal(await readPrivateText(file), undefined);
  await writePrivateText(file, 'one');
  await writePrivateText(file, 'two');
  t.equal(await readPrivateText(file), 'two');
  t.equal((await stat(file)).mode & 0o777, 0o600);
  t.same(await readdir(dir), ['token']);
  await rm(file);
  t.equal(await readPrivateText(file), undefined);
});
