/** The CA by hand. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { runCli } from './cli.ts';
import { firstBootPki } from './first-boot.ts';
import { readRevoked } from './revoked.ts';
import { testKeys as keys } from './testing/keys.ts';

const home = await mkdtemp(join(tmpdir(), 'pi-'));
t.teardown(() => rm(home, { recursive: true, force: true }));
const dir = join(home, 'pki');
const passphrase = 'a passphrase for tests';
await firstBootPki({ dir, passphrase, keys, cost: { memory: 8, passes: 1, lanes: 1 } });

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

t.test('revoke puts a serial on the list', async (t) => {
  t.equal((await run('revoke', '40AB', '--dir', dir)).code, 0);
  t.match(await readRevoked(dir), [{ serial: '40ab' }]);
});

t.test('failures are one plain sentence and exit code 1; wrong usage is 2', async (t) => {
  t.match(await run('show', '--dir', join(home, 'nothing')), {
    code: 1,
    err: /^There is no CA in this folder/,
  });
  for (const args of [
    [],
    ['show'],
    ['renew', 'issuing', '--dir', dir],
    ['revoke', 'xyz', '--dir', dir],
    ['show', '--no'],
  ]) {
    t.equal((await run(...args)).code, 2, args.join(' '));
  }
});
