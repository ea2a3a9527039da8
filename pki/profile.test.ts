/** The profiles of every certificate, read by decoders that share no code with the encoder. */
import 'reflect-metadata';
import type { X509Certificate } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import t from 'tap';
import { keyId } from './key.ts';
import { lifetimes } from './policy.ts';
import { hierarchy, leafOf } from './testing/hierarchy.ts';

const decode = (certificate: X509Certificate): x509.X509Certificate =>
  new x509.X509Certificate(certificate.raw);
const hexOf = (bytes: ArrayBuffer): string => Buffer.from(bytes).toString('hex');

function extensionsOf(certificate: X509Certificate): Record<string, string> {
  const rows = decode(certificate).extensions.map(({ type, critical, value }) => [
    type,
    `${critical ? 'critical ' : ''}${hexOf(value)}`,
  ]);
  return Object.fromEntries(rows);
}

const constraints = '2.5.29.30';
const h = await hierarchy();

t.test('T2 the root may have one CA below it and signs certificates and lists only', async (t) => {
  const root = decode(h.root.certificate);
  const basic = root.getExtension(x509.BasicConstraintsExtension);
  t.match(basic, { ca: true, pathLength: 1, critical: true });
  const usage = root.getExtension(x509.KeyUsagesExtension);
  t.equal(usage?.usages, x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign);
  t.equal(usage?.critical, true);
  t.equal(root.issuer, root.subject);
  t.equal(await root.isSelfSigned(), true);
});

t.test('T2 the issuing CA may name only the internal zone, and no address', async (t) => {
  t.match(decode(h.issuing.certificate).getExtension(x509.BasicConstraintsExtension), {
    ca: true,
    pathLength: 0,
    critical: true,
  });
  const zone = `820f${Buffer.from('island.internal').toString('hex')}`;
  const any4 = `8708${'00'.repeat(8)}`;
  const any6 = `8720${'00'.repeat(32)}`;
  const permitted = `a0133011${zone}`;
  const excluded = `a1${(2 + 10 + 2 + 34).toString(16)}300a${any4}3022${any6}`;
  const value = extensionsOf(h.issuing.certificate)[constraints];
  t.equal(
    value,
    `critical 30${((permitted.length + excluded.length) / 2).toString(16)}${permitted}${excluded}`,
  );
});

t.test('T1 the edge CA may name anything but the internal zone', async (t) => {
  const zone = `820f${Buffer.from('island.internal').toString('hex')}`;
  t.equal(extensionsOf(h.edge.certificate)[constraints], `critical 3015a1133011${zone}`);
  const usage = decode(h.edge.certificate).getExtension(x509.ExtendedKeyUsageExtension);
  t.same(usage?.usages, [x509.ExtendedKeyUsage.serverAuth]);
});

t.test('T2 an internal leaf has one DNS name, both usages, and nothing else', async (t) => {
  const leaf = await leafOf(h, { kind: 'internal', names: ['gateway.island.internal'] });
  const found = decode(leaf.certificate);
  const name = Buffer.from('gateway.island.internal').toString('hex');
  t.same(extensionsOf(leaf.certificate), {
    '2.5.29.19': 'critical 3000',
    '2.5.29.15': 'critical 03020780',
    '2.5.29.37': '301406082b0601050507030106082b06010505070302',
    '2.5.29.14': `0414${keyId(leaf.publicKey).toString('hex')}`,
    '2.5.29.35': `30168014${keyId(h.issuing.key).toString('hex')}`,
    '2.5.29.17': `30198217${name}`,
  });
  t.equal(found.subject, 'CN=gateway.island.internal');
  t.equal(
    await found.verify({ publicKey: await decode(h.issuing.certificate).publicKey.export() }),
    true,
  );
});

t.test('T1 a public leaf has the names and addresses of the edge and serves only', async (t) => {
  const names = ['localhost', 'chat.example.org', '127.0.0.1', '::1', '2001:db8::1.2.3.4'];
  const leaf = await leafOf(h, { kind: 'public', names });
  const found = decode(leaf.certificate).getExtension(x509.SubjectAlternativeNameExtension);
  t.same(found?.names.toJSON(), [
    { type: 'dns', value: 'localhost' },
    { type: 'dns', value: 'chat.example.org' },
    { type: 'ip', value: '127.0.0.1' },
    { type: 'ip', value: '::1' },
    { type: 'ip', value: '2001:db8::102:304' },
  ]);
  const usage = decode(leaf.certificate).getExtension(x509.ExtendedKeyUsageExtension);
  t.same(usage?.usages, [x509.ExtendedKeyUsage.serverAuth]);
});

t.test(
  'pitfall of forge: the AuthorityKeyIdentifier is the issuer’s, not the subject’s',
  async (t) => {
    const leaf = await leafOf(h, { kind: 'internal', names: ['nats.island.internal'] });
    const authority = decode(leaf.certificate).getExtension(x509.AuthorityKeyIdentifierExtension);
    const issuer = decode(h.issuing.certificate).getExtension(x509.SubjectKeyIdentifierExtension);
    const own = decode(leaf.certificate).getExtension(x509.SubjectKeyIdentifierExtension);
    t.equal(authority?.keyId, issuer?.keyId);
    t.not(authority?.keyId, own?.keyId);
    t.equal(issuer?.keyId.length, 40, '160 bits, RFC 7093 method 1');
  },
);

t.test('pitfall of forge: signatures are SHA-256, never the SHA-1 default', async (t) => {
  for (const { certificate } of [h.root, h.issuing, h.edge]) {
    t.match(decode(certificate).signatureAlgorithm, { name: 'ECDSA', hash: { name: 'SHA-256' } });
  }
});

t.test('pitfall of forge: serials are positive, 20 octets and never repeat', async (t) => {
  const serials = new Set<string>();
  for (let i = 0; i < 200; i++) {
    const { certificate } = await leafOf(h, { kind: 'internal', names: ['edge.island.internal'] });
    t.match(certificate.serialNumber, /^[4-7][0-9A-F]{39}$/);
    serials.add(certificate.serialNumber);
  }
  t.equal(serials.size, 200);
});

t.test('pitfall of forge: names are UTF8String', async (t) => {
  const name = Buffer.from(`Private Island issuing CA`);
  const at = h.issuing.certificate.raw.indexOf(name);
  t.equal(h.issuing.certificate.raw[at - 2], 0x0c);
});

t.test(
  'pitfall: clock skew, so leaves begin five minutes in the past and end after a day',
  async (t) => {
    const { certificate } = await leafOf(h, { kind: 'internal', names: ['redis.island.internal'] });
    const seconds = (ms: number): number => Math.floor(ms / 1000);
    t.equal(seconds(certificate.validFromDate.getTime()), seconds(h.now - lifetimes.backdate));
    t.equal(seconds(certificate.validToDate.getTime()), seconds(h.now + lifetimes.leaf));
  },
);

t.test('a leaf never outlives its CA, and an expired CA signs nothing', async (t) => {
  const year = lifetimes.issuing;
  const late = { ...h, now: h.now + year - 60_000 };
  const leaf = await leafOf(late, { kind: 'internal', names: ['redis.island.internal'] });
  t.equal(+leaf.certificate.validToDate, +h.issuing.certificate.validToDate);
  const after = { ...h, now: h.now + year + 1000 };
  await t.rejects(leafOf(after, { kind: 'internal', names: ['redis.island.internal'] }), {
    code: 'ca_expired',
  });
});

t.test('dates from 2050 on are GeneralizedTime, as RFC 5280 demands', async (t) => {
  const far = await hierarchy(Date.UTC(2045, 0, 1));
  t.equal(decode(far.root.certificate).notAfter.getUTCFullYear(), 2064);
  t.ok(far.root.certificate.raw.includes(Buffer.from('2064')));
});
