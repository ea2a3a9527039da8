/** The CA by hand. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { runCli } from './cli.ts';
import { firstBootPki } from './first-boot.ts';
import { readRevoked } from './revoked.ts';
import { loadPair } from './store.ts';

const home = await mkdtemp(join(tmpdir(), 'pi-'));
t.teardown(() => rm(home, { recursive: true, force: true }));
const dir = join(home, 'pki');
const passphraseFile = join(home, 'passphrase');
const passphrase = 'a passphrase for tests';
await writeFile(passphraseFile, `${passphrase}\n`, { mode: 0o600 });
await firstBootPki({ dir, passphrase, cost: { memory: 8, passes: 1, lanes: 1 } });

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const out: string[] = [];
  const err: string[] = [];
  const code = await runCli(args, { out: (line) => out.push(line), err: (line) => err.push(line) });
  return {
    code,
    out: out.map((line) => `${line}\n`).join(''),
    err: err.map((line) => `${line}\n`).join(''),
  };
}

t.test('show names the three CAs, their ends and the fingerprint', async (t) => {
  const { code, out } = await run('show', '--dir', dir);
  t.equal(code, 0);
  t.match(out, /root .*\nissuing .*\nedge .*\nfingerprint of the root .*: [\w-]{43}\n/);
});

t.test('renew makes a new issuing CA with the passphrase of the root', async (t) => {
  const before = (await loadPair(dir, 'issuing')).current.certificate.serialNumber;
  const { code, out } = await run(
    'renew',
    'issuing',
    '--dir',
    dir,
    '--passphrase-file',
    passphraseFile,
  );
  t.equal(code, 0);
  t.match(out, /Restart the island/);
  t.not((await loadPair(dir, 'issuing')).current.certificate.serialNumber, before);
});

t.test('revoke puts a serial on the list', async (t) => {
  t.equal((await run('revoke', '40AB', '--dir', dir)).code, 0);
  t.match(await readRevoked(dir), [{ serial: '40ab' }]);
});

t.test('failures are one plain sentence and exit code 1; wrong usage is 2', async (t) => {
  await writeFile(passphraseFile, 'another passphrase');
  const wrong = await run('renew', 'edge', '--dir', dir, '--passphrase-file', passphraseFile);
  t.match(wrong, { code: 1, err: /^The passphrase is wrong.*\n$/ });
  t.match(await run('show', '--dir', join(home, 'nothing')), {
    code: 1,
    err: /^There is no CA in this folder/,
  });
  for (const args of [
    [],
    ['show'],
    ['renew', 'root', '--dir', dir],
    ['revoke', 'xyz', '--dir', dir],
    ['show', '--no'],
  ]) {
    t.equal((await run(...args)).code, 2, args.join(' '));
  }
});
