/** What cannot be done is told in one plain sentence, with exit code 1; wrong usage has exit code 2. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { processesOf, runIsland, startCommand, until } from './island.ts';

function folder(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'island-refusal-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** The last line of standard error, which is all that `island` says when it fails. */
const sentence = (stderr: string): string => stderr.trimEnd().split('\n').at(-1) ?? '';

t.test('a port in use', async (t) => {
  const dir = folder(t);
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  const port = typeof address === 'object' ? String(address?.port) : '';
  const { code, stdout, stderr } = await runIsland([
    'up',
    '--json',
    '--data',
    join(dir, 'data'),
    '--port',
    port,
  ]);
  server.close();
  t.equal(code, 1);
  t.equal(stdout, '');
  t.equal(
    sentence(stderr),
    `island: Port ${port} is in use by another program: end that program, or choose another port with --port.`,
  );
});

t.test('a machine without apt-get', async (t) => {
  const dir = folder(t);
  const { code, stderr } = await runIsland(
    ['up', '--data', join(dir, 'data'), '--port', '0', '--engines', dir],
    {
      PATH: join(dir, 'no-programs'),
    },
  );
  t.equal(code, 1);
  t.match(
    sentence(stderr),
    /^island: This machine has no apt-get.*: install nats-server ≥ 2\.11, redis-server ≥ 7\.0, caddy ≥ 2\.7 yourself and put them on PATH\.$/,
  );
});

t.test('a folder that holds something else', async (t) => {
  const dir = folder(t);
  writeFileSync(join(dir, 'thesis.txt'), 'all of it');
  const { code, stderr } = await runIsland(['up', '--data', dir, '--port', '0']);
  t.equal(code, 1);
  t.match(stderr, /is not empty and holds no island: choose an empty or new one with --data/);
  t.same(readdirSync(dir), ['thesis.txt'], 'nothing was changed');
  const file = await runIsland(['up', '--data', join(dir, 'thesis.txt')]);
  t.equal(file.code, 1);
  t.match(file.stderr, /is a file, not a folder/);
});

t.test(
  'a folder that belongs to somebody else',
  { skip: process.getuid?.() === 0 ? false : 'needs root' },
  async (t) => {
    const dir = folder(t);
    spawnSync('chown', ['nobody', dir]);
    const { code, stderr } = await runIsland(['up', '--data', dir, '--port', '0']);
    t.equal(code, 1);
    t.match(stderr, /belongs to another user \(uid \d+, and you are 0\): run island as its owner/);
  },
);

t.test('a root passphrase that cannot be read, or is too short', async (t) => {
  const dir = folder(t);
  const up = (file: string) =>
    runIsland([
      'up',
      '--data',
      join(dir, 'data'),
      '--port',
      '0',
      '--root-passphrase-file',
      join(dir, file),
    ]);
  const missing = await up('nowhere');
  t.equal(missing.code, 1);
  t.match(missing.stderr, /with the root passphrase cannot be read/);
  writeFileSync(join(dir, 'short'), 'too short\n');
  const short = await up('short');
  t.equal(short.code, 1);
  t.match(short.stderr, /The root passphrase is too short\. Use at least 12 characters\./);
  t.notOk(readdirSync(join(dir, 'data')).includes('island.json'), 'and no half island is left');
});

t.test('wrong usage', async (t) => {
  for (const args of [
    ['fly'],
    ['up', '--port', 'x'],
    ['up', '--port', '70000'],
    ['invite', '--expires', '3w'],
    ['invite', '--uses', '0'],
    ['up', '--host', 'https://x'],
    ['status', '--nonsense'],
    ['up', 'extra'],
  ]) {
    const { code, stdout, stderr } = await runIsland(args);
    t.equal(code, 2, args.join(' '));
    t.equal(stdout, '');
    t.match(stderr, /error: /);
  }
  const help = await runIsland(['--help']);
  t.equal(help.code, 0);
  t.match(help.stdout, /Usage: island/);
});

t.test('status and invite when nothing runs', async (t) => {
  const data = join(folder(t), 'data');
  for (const command of ['status', 'invite']) {
    const { code, stdout, stderr } = await runIsland([command, '--json', '--data', data]);
    t.equal(code, 1);
    t.equal(stdout, '');
    t.match(stderr, /^island: No island is running in .*\. Start it with: npx island up/);
  }
});

const mounts = spawnSync('sh', [
  '-c',
  'd=$(mktemp -d) && mount -t tmpfs -o size=64k tmpfs "$d" && umount "$d"; rmdir "$d"',
]);

const noMounts = mounts.status === 0 ? false : 'no tmpfs can be mounted here';

/** A file system of `size`, for as long as `use` takes. */
async function onDisk(t: Test, size: string, use: (dir: string) => Promise<void>): Promise<void> {
  const dir = join(folder(t), 'mount');
  mkdirSync(dir);
  spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', dir]);
  try {
    await use(dir);
  } finally {
    spawnSync('umount', [dir]);
  }
}

t.test('a disk that is full', { skip: noMounts }, async (t) => {
  for (const size of ['16k', '2m']) {
    await onDisk(t, size, async (dir) => {
      const { code, stdout, stderr } = await runIsland([
        'up',
        '--json',
        '--data',
        join(dir, 'data'),
        '--port',
        '0',
      ]);
      t.equal(code, 1);
      t.equal(stdout, '');
      t.match(
        sentence(stderr),
        /^island: The disk is full at .*: make at least 50 MB of room and start again\.$/,
      );
      t.same(processesOf(dir), []);
    });
  }
});

t.test('a disk that becomes full under a running island', { skip: noMounts }, async (t) => {
  await onDisk(t, '120m', async (dir) => {
    const data = join(dir, 'data');
    const start = startCommand(['up', '--json', '--data', data, '--port', '0']);
    await until(() => start.output.stdout !== '' || start.child.exitCode !== null);
    spawnSync('dd', ['if=/dev/zero', `of=${join(dir, 'filler')}`, 'bs=1M']);
    const full = await runIsland(['invite', '--data', data]);
    t.equal(full.code, 1);
    t.match(
      sentence(full.stderr),
      /^island: The island's disk is full\. Its operator must make room/,
    );
    const pids = () => processesOf(join(data, 'run/core.json')).map(({ pid }) => pid);
    const [before = 0] = pids();
    process.kill(before, 'SIGKILL');
    await until(() => pids().length > 0 && !pids().includes(before));
    t.pass('a process that dies meanwhile is started again');
    rmSync(join(dir, 'filler'));
    await until(async () => (await runIsland(['invite', '--data', data])).code === 0);
    t.pass('with room again, all is well by itself');
    start.child.kill('SIGTERM');
    t.equal((await start.ended).code, 0);
    t.same(processesOf(data), []);
  });
});
