/** Revocation lists, read by a decoder that shares no code with the encoder, and by Node itself. */
import 'reflect-metadata';
import { createSecureContext } from 'node:tls';
import * as x509 from '@peculiar/x509';
import t from 'tap';
import { signCrl } from './crl.ts';
import { keyId } from './key.ts';
import { certificatePem, hierarchy, leafOf } from './testing/hierarchy.ts';

const h = await hierarchy();
const now = Math.floor(h.now / 1000) * 1000;
const fields = { number: now, now, nextUpdate: now + 3_600_000 };

t.test('T2 a list names its CA, its number, its times and whom it revokes', async (t) => {
  const { certificate, serial } = await leafOf(h, {
    kind: 'internal',
    names: ['gateway.island.internal'],
  });
  const list = new x509.X509Crl(signCrl(h.issuing, { ...fields, revoked: [{ serial, at: now }] }));
  t.equal(list.version, 1, 'v2 counts from zero');
  t.equal(list.issuer, h.issuing.certificate.subject);
  t.equal(+list.thisUpdate, now);
  t.equal(+(list.nextUpdate ?? 0), now + 3_600_000);
  t.same(
    list.entries.map(({ serialNumber, revocationDate }) => [serialNumber, +revocationDate]),
    [[serial, now]],
  );
  t.ok(list.findRevoked(new x509.X509Certificate(certificate.raw)));
  const authority = list.getExtension(x509.AuthorityKeyIdentifierExtension);
  t.equal(authority?.keyId, keyId(h.issuing.key).toString('hex'));
  const issuing = new x509.X509Certificate(h.issuing.certificate.raw);
  t.equal(await list.verify({ publicKey: issuing }), true);
  t.equal(
    await list.verify({ publicKey: new x509.X509Certificate(h.edge.certificate.raw) }),
    false,
  );
});

t.test('an empty list leaves the field out, and Node takes it', async (t) => {
  const list = signCrl(h.root, { ...fields, revoked: [] });
  t.same(new x509.X509Crl(list).entries, []);
  t.doesNotThrow(() =>
    createSecureContext({ ca: certificatePem(h.root.certificate), crl: [list] }),
  );
});

t.test('a thousand entries are signed within the time of a request', async (t) => {
  const revoked = Array.from({ length: 1000 }, (_, i) => ({
    serial: (0x40000000 + i).toString(16),
    at: now,
  }));
  const from = performance.now();
  const list = signCrl(h.issuing, { ...fields, revoked });
  t.comment(`${(performance.now() - from).toFixed(1)} ms, ${list.length} characters`);
  t.equal(new x509.X509Crl(list).entries.length, 1000);
});
