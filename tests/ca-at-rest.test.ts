/**
 * M5: the keys of an island's CA under its master key: an island of before seals them at its next start, a CA is
 * renewed while the island is down, and a master key that systemd lends is as good as one's own.
 * docs/protocol/at-rest.md §4, docs/decisions/023-ca-renewal.md
 */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keySpellings, searchFiles } from '@island/appliance/verify/traces.ts';
import { loadPair } from '@island/pki/store.ts';
import { readIsland } from '@island/provisioning/island-file.ts';
import { layoutOf } from '@island/provisioning/layout.ts';
import { caKeysOf, readMaster } from '@island/provisioning/master-key.ts';
import t from 'tap';
import { bootIsland, startCommand, until } from './island.ts';

t.setTimeout(180_000);

const home = await mkdtemp(join(tmpdir(), 'island-home-'));
t.teardown(() => rm(home, { recursive: true, force: true }));
const passphraseFile = join(home, 'passphrase');
await writeFile(passphraseFile, 'a passphrase for tests\n', { mode: 0o600 });

const island = await bootIsland(['--root-passphrase-file', passphraseFile]);
t.teardown(() => island[Symbol.asyncDispose]());
const layout = layoutOf(island.data);
const { masterKey = '', id = '' } = (await readIsland(layout)) ?? {};
const pairOf = async (role: 'issuing' | 'edge') =>
  loadPair(layout.pki, role, caKeysOf(await readMaster(masterKey, id)));

/** Which files of the data folder hold a key of a CA. */
async function search(): Promise<string[]> {
  const pairs = [await pairOf('issuing'), await pairOf('edge')];
  const keys = pairs.flatMap(({ current, previous }) => [
    current.key,
    previous?.key ?? current.key,
  ]);
  const needles = keys.flatMap((key) => keySpellings('a key of a CA', key));
  return (await searchFiles([layout.data], needles)).hits;
}

const renew = (ca: string, ...more: string[]) =>
  island.run('renew', ca, '--root-passphrase-file', passphraseFile, ...more);

t.test('M5: from the first start on no key of a CA lies in the data folder', async (t) => {
  t.same(await search(), []);
  for (const role of ['issuing', 'edge'])
    t.notOk(existsSync(join(layout.pki, `${role}.key`)), role);
});

t.test('a CA of a running island is not renewed', async (t) => {
  const { code, stderr } = await renew('issuing');
  t.equal(code, 1);
  t.match(stderr, /is running already .* Stop it first/);
});

t.test('M5: a CA is renewed while the island is down, and its key is sealed', async (t) => {
  await island.stop();
  const before = (await pairOf('edge')).current.certificate.serialNumber;
  const { code, stdout, stderr } = await renew('edge');
  t.equal(code, 0, stderr);
  t.match(stdout, /The edge CA is new and good until .* Start the island again/);
  const { current, previous } = await pairOf('edge');
  t.not(current.certificate.serialNumber, before);
  t.equal(previous?.certificate.serialNumber, before);
  t.same(await search(), []);

  const kept = `${masterKey}.kept`;
  await rename(masterKey, kept);
  t.match(await renew('edge'), { code: 1, stderr: /The master key .* is missing: put it back/ });
  t.equal((await renew('edge', '--master-key', kept)).code, 0, 'or is told where it is');
  await rename(kept, masterKey);
  await writeFile(passphraseFile, 'another passphrase\n');
  t.match(await renew('issuing'), { code: 1, stderr: /The passphrase is wrong/ });
  t.equal((await island.run('renew', 'root')).code, 2);
});

t.test('M5: an island of before seals its keys at the next start', async (t) => {
  const pair = await pairOf('edge');
  const clear = {
    'issuing.key': (await pairOf('issuing')).current.key,
    'edge.key': pair.current.key,
    'previous-edge.key': pair.previous?.key,
  };
  for (const [name, key] of Object.entries(clear)) {
    const text = String(key?.export({ format: 'pem', type: 'pkcs8' }));
    await writeFile(join(layout.pki, name), text, { mode: 0o600 });
    await rm(join(layout.pki, `${name}.enc`));
  }
  await island.start();
  t.ok(await island.answers());
  t.same(await search(), []);
  for (const name of Object.keys(clear)) t.notOk(existsSync(join(layout.pki, name)), name);
});

t.test('M5: a key that systemd lends is taken, and nothing of it is kept', async (t) => {
  await island.stop();
  const credentials = await mkdtemp(join(tmpdir(), 'credentials-'));
  t.teardown(() => rm(credentials, { recursive: true, force: true }));
  const lent = join(credentials, 'private-island.master-key');
  const text = await readFile(masterKey, 'utf8');
  await writeFile(lent, text, { mode: 0o400 });
  await rm(masterKey);
  const started = startCommand(['up', '--json', '--data', island.data], {
    CREDENTIALS_DIRECTORY: credentials,
  });
  await until(
    () => started.output.stdout.endsWith('\n') || started.child.exitCode !== null,
    90_000,
  );
  t.ok(await island.answers(), started.output.stderr);
  t.equal((await readIsland(layout))?.masterKey, masterKey, 'what island.json names stays');
  t.notOk(existsSync(masterKey), 'and nothing is written there');
  started.child.kill('SIGTERM');
  t.equal((await started.ended).code, 0);
  await writeFile(masterKey, text, { mode: 0o600 });
});
