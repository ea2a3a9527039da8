/** The pki folder: first boot, its files, and renewal of the CAs in it. */
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { fingerprint } from './fingerprint.ts';
import { firstBootPki } from './first-boot.ts';
import { lifetimes } from './policy.ts';
import { loadRoot, renewIssuing } from './renew.ts';
import { readRevoked, revoke } from './revoked.ts';
import { loadPair, readPrivate, writePrivate } from './store.ts';
import { testKeys } from './testing/keys.ts';

const keys = testKeys;
const cost = { memory: 8, passes: 1, lanes: 1 };
const passphrase = 'a passphrase for tests';

async function folder(t: { teardown(work: () => unknown): void }): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'pi-'));
  t.teardown(() => rm(dir, { recursive: true, force: true }));
  return join(dir, 'pki');
}

const notThere = (file: string): Promise<boolean> =>
  stat(file).then(
    () => false,
    () => true,
  );

t.test('first boot makes three CAs, closed files and the fingerprint people compare', async (t) => {
  const dir = await folder(t);
  const made = await firstBootPki({ dir, passphrase, keys, cost });
  t.same((await readdir(dir)).sort(), [
    'edge.crt',
    'edge.key.enc',
    'issuing.crt',
    'issuing.key.enc',
    'root.crl',
    'root.crt',
    'root.key.enc',
  ]);
  for (const file of await readdir(dir))
    t.equal((await stat(join(dir, file))).mode & 0o777, 0o600, file);
  t.equal((await stat(dir)).mode & 0o777, 0o700);
  const root = await loadRoot(dir, passphrase);
  t.same(made.fingerprint, fingerprint(root.certificate));
  t.equal(made.rootPem, await readFile(join(dir, 'root.crt'), 'utf8'));
  for (const role of ['issuing', 'edge'] as const) {
    const { current, previous } = await loadPair(dir, role, keys);
    t.equal(previous, undefined);
    t.ok(current.certificate.verify(root.certificate.publicKey), role);
  }
});

t.test('the root key lies nowhere in the clear', async (t) => {
  const dir = await folder(t);
  await firstBootPki({ dir, passphrase, keys, cost });
  const { key } = await loadRoot(dir, passphrase);
  const secret = Buffer.from(key.export({ format: 'jwk' }).d ?? '', 'base64url');
  for (const file of await readdir(dir)) {
    const content = await readFile(join(dir, file));
    const decoded = Buffer.from(content.toString().replace(/-----[^-]+-----|\s/g, ''), 'base64');
    t.notOk(content.includes(secret) || decoded.includes(secret), file);
  }
});

t.test(
  'a second first boot leaves the CA as it is; an interrupted one is done again',
  async (t) => {
    const dir = await folder(t);
    const { rootPem } = await firstBootPki({ dir, passphrase, keys, cost });
    await t.rejects(firstBootPki({ dir, passphrase, keys, cost }), { code: 'exists' });
    t.equal(await readFile(join(dir, 'root.crt'), 'utf8'), rootPem);
    await rm(join(dir, 'root.crt'));
    const again = await firstBootPki({ dir, passphrase, keys, cost });
    t.not(again.rootPem, rootPem);
    t.ok(await loadPair(dir, 'issuing', keys));
  },
);

t.test('a short passphrase is refused before anything stands on disk that counts', async (t) => {
  const dir = await folder(t);
  await t.rejects(firstBootPki({ dir, passphrase: 'short', keys, cost }), {
    code: 'passphrase_short',
  });
  t.ok(await notThere(join(dir, 'root.crt')));
});

t.test(
  'folders and key files that others could read are refused, not repaired in silence',
  async (t) => {
    const dir = await folder(t);
    await mkdir(dir, { mode: 0o755 });
    await chmod(dir, 0o755);
    await t.rejects(firstBootPki({ dir, passphrase, keys, cost }), { code: 'open_file' });
    await chmod(dir, 0o700);
    await firstBootPki({ dir, passphrase, keys, cost });
    await chmod(join(dir, 'issuing.key.enc'), 0o640);
    await t.rejects(loadPair(dir, 'issuing', keys), { code: 'open_file' });
  },
);

t.test('a CA whose files do not belong together is refused', async (t) => {
  const dir = await folder(t);
  await firstBootPki({ dir, passphrase, keys, cost });
  await writeFile(join(dir, 'issuing.crt'), await readFile(join(dir, 'edge.crt')));
  await t.rejects(loadPair(dir, 'issuing', keys), { code: 'mismatch' });
  await rm(join(dir, 'edge.key.enc'));
  await t.rejects(loadPair(dir, 'edge', keys), { code: 'missing' });
});

t.test(
  'renewing an issuing CA needs the passphrase, keeps the root and remembers the CA before it',
  async (t) => {
    const dir = await folder(t);
    const { rootPem } = await firstBootPki({ dir, passphrase, keys, cost });
    const { current: before } = await loadPair(dir, 'issuing', keys);
    await t.rejects(
      renewIssuing({ dir, keys, role: 'issuing', passphrase: 'not the passphrase' }),
      {
        code: 'passphrase',
      },
    );
    t.equal((await loadPair(dir, 'issuing', keys)).previous, undefined, 'nothing was changed');
    const now = Date.now() + lifetimes.issuing / 2;
    const renewed = await renewIssuing({ dir, keys, role: 'issuing', passphrase, now });
    const pair = await loadPair(dir, 'issuing', keys);
    t.equal(pair.current.certificate.fingerprint256, renewed.certificate.fingerprint256);
    t.equal(pair.previous?.certificate.fingerprint256, before.certificate.fingerprint256);
    t.equal(await readFile(join(dir, 'root.crt'), 'utf8'), rootPem);
    t.equal(+renewed.certificate.validToDate, Math.floor((now + lifetimes.issuing) / 1000) * 1000);
  },
);

t.test('a renewal that a power cut left half done counts as not having happened', async (t) => {
  const dir = await folder(t);
  await firstBootPki({ dir, passphrase, keys, cost });
  const { current: before } = await loadPair(dir, 'issuing', keys);
  const oldCertificate = await readFile(join(dir, 'issuing.crt'));
  await renewIssuing({ dir, keys, role: 'issuing', passphrase });
  await writeFile(join(dir, 'issuing.crt'), oldCertificate);
  const pair = await loadPair(dir, 'issuing', keys);
  t.equal(pair.current.certificate.fingerprint256, before.certificate.fingerprint256);
  t.ok(await renewIssuing({ dir, keys, role: 'issuing', passphrase }), 'and can be repeated');
});

t.test('files are written whole or not at all', async (t) => {
  const dir = await folder(t);
  await mkdir(dir, { mode: 0o700 });
  const path = join(dir, 'a.key');
  await writePrivate(path, 'one');
  await writePrivate(path, 'two');
  t.equal((await readPrivate(path)).toString(), 'two');
  await mkdir(join(dir, 'taken'));
  await t.rejects(writePrivate(join(dir, 'taken'), 'three'));
  t.same((await readdir(dir)).sort(), ['a.key', 'taken'], 'no draft stays behind');
});

t.test('revoked serials are kept, and a half-written line is none', async (t) => {
  const dir = await folder(t);
  await mkdir(dir, { mode: 0o700 });
  t.same(await readRevoked(dir), []);
  await revoke(dir, { serial: '40ab', at: 1 });
  await revoke(dir, { serial: '40cd', at: 2 });
  await writeFile(join(dir, 'revoked.log'), '{"serial":"40e', { flag: 'a' });
  t.same(await readRevoked(dir), [
    { serial: '40ab', at: 1 },
    { serial: '40cd', at: 2 },
  ]);
});
