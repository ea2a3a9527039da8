/** The CA's keys on the disk (M5): sealed from the first on, those of before sealed and wiped, brought under a newer master key. docs/protocol/at-rest.md §4-6 */
import { link, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { renewIssuing } from '@island/pki/renew.ts';
import { versionOf } from '@island/pki/sealed-key.ts';
import { loadPair } from '@island/pki/store.ts';
import t, { type Test } from 'tap';
import { requestCertificate } from '../kit/certificate-request.ts';
import { adoptFormerKeys, rewrapCaKeys } from './ca-keys.ts';
import {
  keysOfVersions,
  passphrase,
  type Running,
  runningPkid,
  wireOf,
} from './testing/running.ts';

const cleartext = ['issuing.key', 'edge.key', 'previous-issuing.key'] as const;
const sealedOf = (name: string): string => `${name}.enc`;

/** A CA that was renewed once, so that there are three keys; pkid is down. */
async function renewed(t: Test): Promise<Running> {
  const pkid = await runningPkid();
  t.teardown(() => pkid[Symbol.asyncDispose]());
  await pkid.stop();
  await renewIssuing({ dir: pkid.pki, keys: pkid.keys, role: 'issuing', passphrase });
  return pkid;
}

/** The files of an earlier version: the same keys in the clear. */
async function asBefore({ pki, keys }: Running): Promise<Map<string, string>> {
  const issuing = await loadPair(pki, 'issuing', keys);
  const edge = await loadPair(pki, 'edge', keys);
  const owners = [issuing.current, edge.current, issuing.previous];
  const texts = new Map<string, string>();
  for (const [i, name] of cleartext.entries()) {
    const text = String(owners[i]?.key.export({ format: 'pem', type: 'pkcs8' }));
    await writeFile(join(pki, name), text, { mode: 0o600 });
    await rm(join(pki, sealedOf(name)));
    texts.set(name, text);
  }
  return texts;
}

/** What of the keys lies in the folder. */
async function inTheClear(dir: string, texts: ReadonlyMap<string, string>): Promise<string[]> {
  const lines = [...texts.values()].flatMap((text) => text.split('\n').slice(1, 3));
  const found: string[] = [];
  for (const name of await readdir(dir)) {
    const content = await readFile(join(dir, name), 'latin1');
    if (content.includes('PRIVATE KEY') || lines.some((line) => content.includes(line)))
      found.push(name);
  }
  return found;
}

const serves = (pkid: Running) =>
  requestCertificate({ name: 'gateway', socket: pkid.socket('gateway') });

t.test('M5: keys of an earlier version are sealed at the first start, and wiped', async (t) => {
  const pkid = await renewed(t);
  const texts = await asBefore(pkid);
  const draft = 'previous-issuing.key.0123456789ab.draft';
  await writeFile(join(pkid.pki, draft), texts.get('issuing.key') ?? '', { mode: 0o600 });
  // Whoever holds on to the same place of the disk finds it overwritten.
  const held = join(pkid.pki, '..', 'held');
  await link(join(pkid.pki, 'issuing.key'), held);
  await pkid.start();
  t.ok(await serves(pkid));
  t.same(await inTheClear(pkid.pki, texts), []);
  const names = await readdir(pkid.pki);
  for (const name of [...cleartext, draft]) t.notOk(names.includes(name), name);
  t.ok((await readFile(held)).every((byte) => byte === 0));
  t.ok((await loadPair(pkid.pki, 'issuing', pkid.keys)).previous, 'the CA before it is kept');
});

t.test('M5: whatever was killed in between, the next start goes on', async (t) => {
  const pkid = await renewed(t);
  const { pki, keys } = pkid;
  const before = await readFile(join(pki, 'issuing.key.enc'));
  // Sealed, and not wiped yet; sealed, and half wiped.
  await writeFile(join(pki, 'issuing.key'), 'PRIVATE KEY', { mode: 0o600 });
  await writeFile(join(pki, 'edge.key'), Buffer.alloc(241), { mode: 0o600 });
  await adoptFormerKeys(pki, keys);
  t.ok((await readFile(join(pki, 'issuing.key.enc'))).equals(before), 'what is sealed stays');
  t.same(
    (await readdir(pki)).filter((name) => /\.key$/.test(name)),
    [],
  );
});

t.test('M5: what does not open with the master key is not wiped in favour of it', async (t) => {
  const pkid = await renewed(t);
  await writeFile(join(pkid.pki, 'issuing.key'), 'PRIVATE KEY', { mode: 0o600 });
  await t.rejects(adoptFormerKeys(pkid.pki, keysOfVersions(2)), { code: 'key_version' });
  t.equal(await readFile(join(pkid.pki, 'issuing.key'), 'utf8'), 'PRIVATE KEY');
});

t.test('M5: a newer version of the master key is taken up while pkid runs', async (t) => {
  const pkid = await renewed(t);
  await pkid.start();
  const said: number[] = [];
  const both = Promise.withResolvers<void>();
  pkid.keys.onSettled((version) => {
    said.push(version);
    if (version === 2) both.resolve();
  });
  t.equal(pkid.keys.at, 1);
  pkid.keys.add(wireOf(2));
  await both.promise;
  t.same(said, [2]);
  for (const name of cleartext)
    t.equal(versionOf(await readFile(join(pkid.pki, sealedOf(name)))), 2, name);
  t.ok(await serves(pkid));
  t.ok(await loadPair(pkid.pki, 'issuing', keysOfVersions(2)), 'the former one is needed no more');
});

t.test('M5: a rotation that was cut short is ended at the next start', async (t) => {
  const pkid = await renewed(t);
  const { pki } = pkid;
  const one = await readFile(join(pki, 'edge.key.enc'));
  await rewrapCaKeys(pki, keysOfVersions(1, 2));
  await writeFile(join(pki, 'edge.key.enc'), one);
  pkid.keys.add(wireOf(2));
  await pkid.start();
  t.equal(pkid.keys.at, 2);
  t.ok(await loadPair(pki, 'edge', keysOfVersions(2)));
});

t.test('M5: without the right master key pkid does not start, and says what to do', async (t) => {
  const pkid = await runningPkid();
  t.teardown(() => pkid[Symbol.asyncDispose]());
  await pkid.stop();
  const good = await readFile(join(pkid.pki, 'issuing.key.enc'));
  const other = Buffer.from(good);
  other[30] = (other[30] ?? 0) ^ 1;
  await writeFile(join(pkid.pki, 'issuing.key.enc'), other);
  await t.rejects(pkid.start(), { code: 'sealed_key', message: /Put the right one back/ });
  await writeFile(join(pkid.pki, 'issuing.key.enc'), good);
  await pkid.start();
});
