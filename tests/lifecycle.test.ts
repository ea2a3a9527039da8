/** An island from its first start to its last: one command raises it, and nothing of it stays behind. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseIslandLink } from '@island/protocol/wire/island-link.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import t from 'tap';
import { bootIsland, processesOf, startCommand, until } from './island.ts';

t.test('up, status, invite, stop, and up again', async (t) => {
  await using island = await bootIsland(['--name', 'Testers']);
  const first = island.welcome;

  await t.test('--json prints exactly one line, with what is needed to join', async (t) => {
    t.same(Object.keys(first).sort(), [
      'address',
      'caFile',
      'caFingerprint',
      'data',
      'invite',
      'setupToken',
    ]);
    t.match(first.address, /^https:\/\/localhost:\d+$/);
    t.ok(await island.answers(), 'a client is served');
    const link = parseIslandLink(first.invite ?? '');
    t.equal(link.address, first.address);
    t.equal(base64url(link.caFingerprint), first.caFingerprint);
    t.match(await readFile(first.caFile, 'utf8'), /^-----BEGIN CERTIFICATE-----/);
  });

  await t.test('status names every unit, certificate and listener', async (t) => {
    const report = await island.status();
    t.equal(report.ready, true);
    t.equal(report.name, 'Testers');
    t.same(
      report.units.map(({ name, state }) => `${name} ${state}`),
      [
        'pkid ready',
        'nats ready',
        'redis ready',
        'core ready',
        'control ready',
        'front ready',
        'caddy ready',
      ],
    );
    const names = [
      'accounts',
      'archive',
      'control',
      'delivery',
      'directory',
      'edge',
      'gateway',
      'media',
      'nats',
      'public',
      'redis',
      'spaces',
      'witness',
    ];
    t.same(
      report.certificates.filter(({ kind }) => kind === 'leaf').map(({ name }) => name),
      names,
    );
    for (const { listeners } of [report, ...report.units]) {
      for (const { protocol, address } of listeners) {
        t.ok(
          protocol === 'unix' || address.startsWith('127.0.0.1:'),
          `${protocol} ${address} is local`,
        );
      }
    }
    const json = await island.run('status', '--json');
    const { log, ...same } = JSON.parse(json.stdout);
    t.same(Object.keys(same), Object.keys(report), '--json gives the same as data');
    t.match(log, { size: 3, witnessed: false, witnesses: 0 }, 'and the log of keys');
    const text = await island.run('status');
    t.equal(text.code, 0);
    t.match(text.stdout, /front +ready +gateway/);
    t.match(text.stdout, /witnesses +nobody: people have the island's word alone/);
  });

  await t.test(
    'T2 every listener is known: a TCP port each for caddy, gateway, media, nats and redis',
    async (t) => {
      const { units } = await island.status();
      const ports = units.map(
        ({ name, listeners }) => `${name} ${listeners.filter((l) => l.protocol !== 'unix').length}`,
      );
      t.same(ports, ['pkid 0', 'nats 1', 'redis 1', 'core 0', 'control 0', 'front 2', 'caddy 1']);
    },
  );

  await t.test('invite makes a link that is good for this island', async (t) => {
    const text = await island.run('invite', '--uses', '3', '--expires', '12h');
    t.equal(text.code, 0, text.stderr);
    t.equal(parseIslandLink(text.stdout).address, first.address);
    const json = JSON.parse((await island.run('invite', '--json')).stdout);
    t.equal(json.uses, 1);
    t.notSame(parseIslandLink(json.invite), parseIslandLink(text.stdout));
  });

  await t.test('a second up in the same folder says that one is running', async (t) => {
    const second = await island.run('up');
    t.equal(second.code, 1);
    t.match(second.stderr, /is running already \(process \d+\)/);
    t.equal((await island.status()).ready, true);
  });

  await t.test('secrets are closed to others', async (t) => {
    t.equal(statSync(island.data).mode & 0o777, 0o700);
    const open = readdirSync(island.data, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.parentPath.includes('/cache'))
      .filter((entry) => (statSync(join(entry.parentPath, entry.name)).mode & 0o077) !== 0)
      .map((entry) => join(entry.parentPath, entry.name));
    t.same(open, []);
  });

  await t.test('SIGTERM ends it in order with exit code 0, and nothing stays behind', async (t) => {
    const ended = await island.stop();
    t.equal(ended.code, 0);
    t.equal(ended.stdout.split('\n').length, 2, 'one line on standard output');
    t.same(processesOf(island.data), []);
    t.notOk(existsSync(join(island.data, 'run')), 'the run folder is gone');
    t.notOk(existsSync(join(island.data, 'supervisor.lock')));
    const status = await island.run('status');
    t.equal(status.code, 1);
    t.match(status.stderr, /^island: No island is running in /);
  });

  await t.test('the second start finds the island as it was, in seconds', async (t) => {
    const again = await island.start();
    t.same(again, first, 'address, fingerprint, token and invite are the same');
    t.comment(`second start: ${Math.round(island.startMs)} ms`);
    t.ok(
      island.startMs < 20_000,
      'well below a first start, on a machine that is busy with other tests',
    );
  });
});

t.test(
  'SIGINT at any moment of a start leaves nothing behind, and the next start works',
  async (t) => {
    await using island = await bootIsland();
    await island.stop('SIGINT');
    const moments = [/Looking for/, /Starting/, /pkid is up/, /core .* is up/];
    for (const moment of moments) {
      const start = startCommand(['up', '--data', island.data]);
      await until(() => moment.test(start.output.stdout) || start.child.exitCode !== null);
      start.child.kill('SIGINT');
      const { code, stderr } = await start.ended;
      t.equal(code, 0, `${moment}: ${stderr}`);
      t.same(processesOf(island.data), [], `nothing is left after ${moment}`);
    }
    await island.start();
    t.ok(await island.answers());
  },
);
