/** Engines from Debian packages: real apt, real packages, in a folder of the test's own. */
import { spawn, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { atLeast } from './engine-binary.ts';
import { findEngines } from './engines.ts';
import { runTool } from './tool.ts';

const module = join(import.meta.dirname, 'engines.ts');
const script = `
  import { obtainEngines } from ${JSON.stringify(module)};
  obtainEngines({ dir: process.argv[1], report: (line) => console.log(line) }).then(
    (engines) => console.log(JSON.stringify(engines)),
    (error) => { console.log(error.name + ': ' + error.message); process.exitCode = 1; },
  );`;
const node = [process.execPath, '--input-type=module', '-e', script];
const obtain = (dir: string, prefix: string[] = []) => {
  const [command = '', ...args] = [...prefix, ...node, dir];
  return runTool(command, args, { deadline: 280_000 });
};
const leftHalf = (dir: string): string[] => readdirSync(dir).filter((name) => name.startsWith('.'));

t.test('versions are compared by their numbers', async (t) => {
  for (const [have, want, enough] of [
    ['2.15.1', '2.10.4', true],
    ['2.9.10', '2.10.4', false],
    ['5:7.0.15-1~deb12u10', '7.0', true],
    ['2.6.2-5', '2.7', false],
    ['2.7', '2.7', true],
    ['2', '2.7', false],
    ['8.0', '7.0.15', true],
    ['', '1', false],
  ] as const) {
    t.equal(atLeast(have, want), enough, `${have} ≥ ${want}`);
  }
});

t.test('without apt-get it says what to install by hand', async (t) => {
  const dir = t.testdir();
  const ran = spawnSync(process.execPath, [...node.slice(1), dir], {
    env: { PATH: join(dir, 'none') },
    encoding: 'utf8',
  });
  t.equal(ran.status, 1);
  t.match(
    ran.stdout,
    /^Stated: This machine has no apt-get.*install nats-server ≥ 2\.11, redis-server ≥ 7\.0, caddy ≥ 2\.7/,
  );
});

const offline =
  spawnSync('unshare', ['-n', 'true']).status === 0
    ? false
    : 'no network namespace can be made here';
t.test('without a network it says so, and leaves nothing half', { skip: offline }, async (t) => {
  const dir = t.testdir();
  const ran = await obtain(dir, ['unshare', '-n']);
  t.equal(ran.code, 1);
  t.match(
    ran.stdout,
    /^Stated: The package mirror of this machine cannot be reached\. Check the network/m,
  );
  t.same(readdirSync(dir), ['apt'], 'only what apt can go on with');
});

t.test('fetched, cut off, fetched again, found, damaged', async (t) => {
  const dir = t.testdir();
  await t.test('kill -9 in the middle leaves no engine and no helper behind', async (t) => {
    const child = spawn(process.execPath, [...node.slice(1), dir], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const fetching = new Promise<void>((resolve) => {
      child.stdout.on('data', (text: Buffer) => text.includes('Fetching') && resolve());
      child.once('exit', () => resolve());
    });
    await fetching;
    child.kill('SIGKILL');
    t.notOk(existsSync(join(dir, 'engines.json')));
  });

  const first = await obtain(dir);
  if (/cannot be reached/.test(first.stdout)) {
    t.comment('the package mirror is away: the rest is left out');
    return;
  }
  t.equal(first.code, 0, first.stdout);
  t.same(leftHalf(dir), [], 'nothing half is left');
  t.notOk(existsSync(join(dir, 'apt')), "apt's lists and archives are gone");

  const found = await findEngines([dir]);
  t.same(Object.keys(found ?? {}).sort(), ['caddy', 'nats', 'redis']);
  const again = await obtain(dir);
  t.same(JSON.parse(again.stdout), found, 'a second time nothing is fetched');

  const index = JSON.parse(readFileSync(join(dir, 'engines.json'), 'utf8'));
  const program = join(dir, index.nats.path);
  chmodSync(program, 0o755);
  appendFileSync(program, 'x');
  t.equal(await findEngines([dir]), undefined, 'a program that was changed is not run');
  writeFileSync(join(dir, 'engines.json'), '{"nats":');
  t.equal(await findEngines([dir]), undefined, 'a damaged index counts as none');
});

const root = process.getuid?.() === 0 ? false : 'only root can become somebody else';
t.test('it needs no root', { skip: root }, async (t) => {
  const dir = t.testdir();
  chmodSync(dir, 0o700);
  const nobody = spawnSync('id', ['-u', 'nobody'], { encoding: 'utf8' });
  chownSync(dir, Number(nobody.stdout), Number(nobody.stdout));
  // The folder above may be closed to nobody: it is entered before rights are given up.
  const ran = await runTool(
    'setpriv',
    [
      '--reuid',
      'nobody',
      '--regid',
      'nogroup',
      '--clear-groups',
      '--',
      'env',
      'HOME=/nonexistent',
      ...node,
      '.',
    ],
    { cwd: dir, deadline: 280_000 },
  );
  if (/cannot be reached/.test(ran.stdout)) t.comment('the package mirror is away');
  else t.equal(ran.code, 0, `${ran.stdout}${ran.stderr}`);
});
