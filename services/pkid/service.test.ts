/** pkid as its clients and its enemies meet it: over its sockets. */
import { generateKeyPairSync, type KeyObject, sign, X509Certificate } from 'node:crypto';
import { chmod, readdir, rename, stat, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { revoke } from '@island/pki/revoked.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import t from 'tap';
import {
  type CertificateName,
  possessionProof,
  requestCertificate,
} from '../kit/certificate-request.ts';
import { engines, services } from '../kit/names.ts';
import { startPkid } from './service.ts';
import { runningPkid, say } from './testing/running.ts';

const pkid = await runningPkid();
t.teardown(() => pkid[Symbol.asyncDispose]());

const names: CertificateName[] = [...services, ...engines, 'public', 'probe'];

function lineOf(
  name: CertificateName,
  pair: { publicKey: KeyObject; privateKey: KeyObject },
  more = {},
): string {
  const spki = new Uint8Array(pair.publicKey.export({ format: 'der', type: 'spki' }));
  const proof = possessionProof(name, spki);
  const algorithm = pair.privateKey.asymmetricKeyType === 'ed25519' ? null : 'sha256';
  const signature = new Uint8Array(sign(algorithm, proof, pair.privateKey));
  return `${JSON.stringify({ spki: base64url(spki), signature: base64url(signature), ...more })}\n`;
}
const ec = (namedCurve = 'prime256v1') => generateKeyPairSync('ec', { namedCurve });
const faultOf = async (name: CertificateName, line: string | Uint8Array): Promise<unknown> =>
  JSON.parse(await say(pkid.socket(name), line)).fault;

t.test('T2 every name has a socket that its owner alone can open', async (t) => {
  const folder = dirname(pkid.socket('gateway'));
  t.equal((await stat(folder)).mode & 0o777, 0o700);
  t.same((await readdir(folder)).sort(), names.map((name) => `${name}.sock`).sort());
  for (const name of names) t.equal((await stat(pkid.socket(name))).mode & 0o777, 0o600, name);
});

t.test(
  'T2 a peer gets a certificate of its own name for one day, with roots and lists',
  async (t) => {
    for (const name of [...services, ...engines]) {
      const { key, cert, ca, crl, notAfter } = await requestCertificate({
        name,
        socket: pkid.socket(name),
      });
      const leaf = new X509Certificate(cert);
      t.equal(leaf.subjectAltName, `DNS:${name}.island.internal`);
      t.match(key, /^-----BEGIN PRIVATE KEY-----/);
      t.equal(ca, pkid.root);
      t.equal(crl.length, 2, 'one list of the root, one of the issuing CA');
      for (const list of crl) t.equal(list.split('BEGIN X509 CRL').length, 2, 'one list a PEM');
      t.equal(notAfter, +leaf.validToDate);
      t.ok(Math.abs(notAfter - Date.now() - 86_400_000) < 60_000);
    }
  },
);

t.test('T1 the public certificate names the island’s hosts, signed by the edge CA', async (t) => {
  const { cert } = await requestCertificate({ name: 'public', socket: pkid.socket('public') });
  const leaf = new X509Certificate(cert);
  t.equal(leaf.subjectAltName, 'DNS:localhost');
  t.match(leaf.issuer, /edge CA/);
});

t.test('T2 the socket decides the name: a proof for another name is refused', async (t) => {
  t.equal(await faultOf('nats', lineOf('gateway', ec())), 'bad_signature');
});

t.test('T2 a key that the asker does not hold is refused', async (t) => {
  const [mine, theirs] = [ec(), ec()];
  const line = lineOf('gateway', { publicKey: theirs.publicKey, privateKey: mine.privateKey });
  t.equal(await faultOf('gateway', line), 'bad_signature');
});

t.test('T2 RSA, other curves and Ed25519 are refused', async (t) => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 1024 });
  t.match(await faultOf('gateway', lineOf('gateway', rsa)), /malformed|too_large|not_canonical/);
  for (const pair of [ec('secp384r1'), ec('secp256k1'), generateKeyPairSync('ed25519')]) {
    t.equal(await faultOf('gateway', lineOf('gateway', pair)), 'not_canonical');
  }
});

t.test('T2 nobody but the probe chooses what kind of certificate it gets', async (t) => {
  for (const more of [
    { kind: 'valid' },
    { kind: 'expired', peer: 'accounts' },
    { peer: 'accounts' },
  ]) {
    t.equal(await faultOf('gateway', lineOf('gateway', ec(), more)), 'forbidden');
  }
  t.equal(await faultOf('public', lineOf('public', ec(), { kind: 'valid' })), 'forbidden');
});

t.test('the probe gets certificates that every listener has to refuse, and no other', async (t) => {
  const socket = pkid.socket('probe');
  const leafOf = async (o: { kind: 'valid' | 'expired' | 'revoked'; peer?: 'gateway' }) =>
    new X509Certificate((await requestCertificate({ name: 'probe', socket, ...o })).cert);
  const valid = await leafOf({ kind: 'valid' });
  t.equal(valid.subjectAltName, 'DNS:probe.island.internal');
  t.ok(+valid.validToDate <= Date.now() + 300_000);
  const expired = await leafOf({ kind: 'expired', peer: 'gateway' });
  t.equal(expired.subjectAltName, 'DNS:gateway.island.internal');
  t.ok(+expired.validToDate < Date.now());
  const [one, two] = [await leafOf({ kind: 'revoked' }), await leafOf({ kind: 'revoked' })];
  t.equal(one.serialNumber, two.serialNumber, 'the serial that is in every list');
  t.equal(one.subjectAltName, 'DNS:probe.island.internal');
  t.equal(await faultOf('probe', lineOf('probe', ec())), 'forbidden');
  t.equal(
    await faultOf('probe', lineOf('probe', ec(), { kind: 'valid', peer: 'gateway' })),
    'forbidden',
  );
});

t.test(
  'oversize, garbage, silent and half-closed clients get a code, and pkid goes on',
  async (t) => {
    t.equal(await faultOf('gateway', 'x'.repeat(100_000)), 'too_large');
    t.equal(await faultOf('gateway', 'GET / HTTP/1.1\r\n'), 'malformed');
    t.equal(await faultOf('gateway', ''), 'truncated');
    t.equal(JSON.parse(await say(pkid.socket('gateway'), '{', false)).fault, 'too_slow');
    const rude = connect(pkid.socket('gateway'));
    rude.end('{"spki"');
    rude.destroy();
    t.ok(await requestCertificate({ name: 'gateway', socket: pkid.socket('gateway') }));
  },
);

t.test('a crowd on one socket is refused, and other sockets notice nothing', async (t) => {
  const crowd = Array.from({ length: 16 }, () => connect(pkid.socket('delivery')));
  for (const socket of crowd) socket.on('error', () => undefined);
  await Promise.all(
    crowd.map((socket) => new Promise((resolve) => socket.once('connect', resolve))),
  );
  t.equal(JSON.parse(await say(pkid.socket('delivery'), '')).fault, 'rate_limited');
  t.ok(await requestCertificate({ name: 'gateway', socket: pkid.socket('gateway') }));
  for (const socket of crowd) socket.destroy();
});

t.test(
  'everything issued is in the log before it is handed out, and no key or PEM is',
  async (t) => {
    const before = (await pkid.issued()).length;
    const { cert } = await requestCertificate({ name: 'control', socket: pkid.socket('control') });
    const leaf = new X509Certificate(cert);
    const entries = await pkid.issued();
    t.equal(entries.length, before + 1);
    t.match(entries.at(-1), {
      serial: leaf.serialNumber.toLowerCase(),
      for: 'control',
      names: ['control.island.internal'],
      notAfter: leaf.validToDate.toISOString(),
    });
    t.notMatch(JSON.stringify(entries) + pkid.lines.join(''), /BEGIN|spki|MFkw/);
    t.equal((await stat(join(pkid.pki, 'issued.log'))).mode & 0o777, 0o600);
  },
);

t.test('T2 a serial that the operator revokes is in the next list', async (t) => {
  const { cert, crl } = await requestCertificate({
    name: 'gateway',
    socket: pkid.socket('gateway'),
  });
  await revoke(pkid.pki, {
    serial: new X509Certificate(cert).serialNumber.toLowerCase(),
    at: Date.now(),
  });
  const after = await requestCertificate({ name: 'gateway', socket: pkid.socket('gateway') });
  t.equal(after.crl[0], crl[0], 'the root’s list stays');
  t.ok((after.crl[1]?.length ?? 0) > (crl[1]?.length ?? 0));
});

t.test(
  'T2 gap: an expired list refuses everybody, so it is signed anew every six hours for 72',
  async (t) => {
    const clock = { at: Date.now(), now: () => clock.at };
    await using other = await runningPkid({}, clock);
    const list = async (): Promise<string | undefined> =>
      (await requestCertificate({ name: 'gateway', socket: other.socket('gateway') })).crl[1];
    const first = await list();
    clock.at += 5.9 * 3_600_000;
    t.equal(await list(), first);
    clock.at += 0.2 * 3_600_000;
    t.not(await list(), first);
  },
);

t.test('sockets left by a killed pkid are replaced; those of a living one are not', async (t) => {
  await using other = await runningPkid();
  const config = {
    process: 'pkid',
    pki: other.pki,
    sockets: dirname(other.socket('x')),
    hosts: ['localhost'],
  };
  await t.rejects(startPkid(config, { keys: other.keys }), { message: /Another pkid is running/ });
  t.ok(await requestCertificate({ name: 'gateway', socket: other.socket('gateway') }));
  await other.stop();
  await leaveStale(other.socket('gateway'));
  await other.start();
  t.ok(await requestCertificate({ name: 'gateway', socket: other.socket('gateway') }));
});

t.test(
  'a folder that others can enter, a missing CA and a wrong configuration stop the start with a sentence',
  async (t) => {
    await using other = await runningPkid();
    await other.stop();
    const folder = dirname(other.socket('x'));
    await chmod(folder, 0o755);
    await t.rejects(other.start(), { code: 'open_file' });
    await chmod(folder, 0o700);
    await chmod(other.pki, 0o750);
    await t.rejects(other.start(), { code: 'open_file' });
    await chmod(other.pki, 0o700);
    await t.rejects(other.start({ pki: join(folder, 'nothing') }), { code: 'missing' });
    await t.rejects(other.start({ sockets: join(folder, 'x'.repeat(100)) }), {
      message: /107 bytes/,
    });
    await t.rejects(other.start({ hosts: [] }), { name: 'ConfigError' });
    await writeFile(join(other.pki, 'root.crl'), '');
    await t.rejects(other.start(), { code: 'mismatch' });
  },
);

/** A socket file that nobody listens on, as kill -9 leaves it. */
async function leaveStale(path: string): Promise<void> {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(`${path}.tmp`, resolve);
  await promise;
  await rename(`${path}.tmp`, path);
  await new Promise((done) => server.close(done));
}
