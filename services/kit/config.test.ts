/** Configuration files and the environment. */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { ConfigError, childEnvironment, fromEnvironment, loadProcessConfig } from './config.ts';

const dir = await mkdtemp(join(tmpdir(), 'pi-config-'));
const file = join(dir, 'core.json');
t.teardown(() => rm(dir, { recursive: true }));

const good = {
  process: 'core',
  island: {
    name: 'Test',
    address: 'https://localhost:8443',
    caFingerprint: 'A'.repeat(43),
  },
  natsPort: 4222,
  redisPort: 6379,
  services: [
    {
      name: 'accounts',
      data: '/data/accounts',
      pkidSocket: '/run/pkid/accounts.sock',
      redisPassword: 'x'.repeat(40),
    },
  ],
};

async function load(text: string, mode = 0o600) {
  await writeFile(file, text);
  await chmod(file, mode);
  return loadProcessConfig(file);
}

t.test('a good configuration is read, and knows where it came from', async (t) => {
  t.strictSame(await load(JSON.stringify(good)), { ...good, source: file });
});

t.test('a file that others can open is refused, in a sentence that says what to do', async (t) => {
  for (const mode of [0o640, 0o604, 0o660, 0o602]) {
    await t.rejects(load(JSON.stringify(good), mode), {
      name: 'ConfigError',
      message: /chmod 600/,
    });
  }
});

t.test(
  'a missing file, a folder, a huge file and text that is not JSON are refused by name',
  async (t) => {
    await t.rejects(loadProcessConfig(join(dir, 'none.json')), {
      name: 'ConfigError',
      message: /none\.json: the file can't be opened/,
    });
    await t.rejects(load('{'), { name: 'ConfigError', message: /not JSON/ });
    await t.rejects(load(' '.repeat(1_100_000)), { name: 'ConfigError', message: /too large/ });
    await t.rejects(loadProcessConfig(dir), ConfigError);
  },
);

t.test('a wrong value is refused with its place, and without its value', async (t) => {
  const wrong: [string, unknown][] = [
    ['natsPort', { ...good, natsPort: 'secret' }],
    ['island.address', { ...good, island: { ...good.island, address: 'http://secret' } }],
    ['services.0.name', { ...good, services: [{ ...good.services[0], name: 'secret' }] }],
    [
      'services.0.redisPassword',
      { ...good, services: [{ ...good.services[0], redisPassword: 'secret' }] },
    ],
    ['more', { ...good, more: 'secret' }],
    ['services', { ...good, services: [] }],
  ];
  for (const [place, config] of wrong) {
    const error = await load(JSON.stringify(config)).catch((caught: unknown) => caught);
    t.ok(error instanceof ConfigError, place);
    t.match(error, { message: `the value at ${place} ` });
    t.notMatch(String(error), /secret/);
  }
});

t.test('whatever a file holds, it is read or refused as a ConfigError', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(fc.json(), fc.string(), fc.constant('{"__proto__":{"process":"core"}}')),
      async (text) => {
        await load(text).then(
          () => undefined,
          (error: unknown) => {
            if (!(error instanceof ConfigError)) throw error;
          },
        );
      },
    ),
    { numRuns: 200, verbose: true },
  );
  t.pass();
});

t.test('the environment tells its source; children get of it only what is listed', (t) => {
  t.strictSame(fromEnvironment('PATH')?.source, 'environment variable PATH');
  t.equal(fromEnvironment('ISLAND_NO_SUCH_VARIABLE'), undefined);
  const child = childEnvironment({ LD_LIBRARY_PATH: '/lib' });
  t.equal(child['LD_LIBRARY_PATH'], '/lib');
  t.ok(
    Object.keys(child).every((name) =>
      ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'LD_LIBRARY_PATH'].includes(name),
    ),
  );
  t.end();
});
