/** Chains as validators that share no code with us see them: openssl, GnuTLS and a live Node handshake. */
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type SecureContextOptions } from 'node:tls';
import t from 'tap';
import type { Authority } from './ca.ts';
import { signed } from './certificate.ts';
import * as der from './der.ts';
import { keyId } from './key.ts';
import { caPolicies } from './policy.ts';
import {
  certificatePem,
  forgedLeaf,
  hierarchy,
  type KeyedLeaf,
  leafOf,
  listsOf,
} from './testing/hierarchy.ts';
import { certtool, chainFiles, openssl } from './testing/validators.ts';

const h = await hierarchy();
const root = certificatePem(h.root.certificate);
const internal = await leafOf(h, { kind: 'internal', names: ['gateway.island.internal'] });
const outside = await leafOf(h, { kind: 'public', names: ['chat.example.org', '127.0.0.1'] });
const both = caPolicies.issuing.usages;

const chainOf = (ca: Authority, { certificate }: KeyedLeaf, crls?: string[]) =>
  chainFiles({
    root,
    ca: certificatePem(ca.certificate),
    leaf: certificatePem(certificate),
    ...(crls === undefined ? {} : { crls }),
  });

interface Forgery {
  title: string;
  ca: Authority;
  leaf: KeyedLeaf;
  /** What openssl calls it. */
  openssl: RegExp;
}

/** What forge's `keyIdentifier: true` makes: the subject's identifier where the issuer's belongs; well signed. */
async function ownIdentifier(authority: Authority): Promise<KeyedLeaf> {
  const leaf = await forgedLeaf(authority, { names: ['gateway.island.internal'] });
  const raw = Buffer.from(leaf.certificate.raw);
  keyId(leaf.publicKey).copy(raw, raw.indexOf(keyId(authority.key)));
  const [tbs] = der.decode(raw).value;
  if (typeof tbs !== 'object') throw new Error('not a certificate');
  return { ...leaf, certificate: new X509Certificate(signed(tbs, authority.key)) };
}

const ca = caPolicies.issuing;
const forgeries: Forgery[] = [
  {
    title: 'a name outside the zone, signed with a stolen issuing key',
    ca: h.issuing,
    leaf: await forgedLeaf(h.issuing, { names: ['chat.example.org'] }),
    openssl: /permitted subtree violation/,
  },
  {
    title: 'an address, signed with a stolen issuing key',
    ca: h.issuing,
    leaf: await forgedLeaf(h.issuing, { names: ['gateway.island.internal', '127.0.0.1'] }),
    openssl: /excluded subtree violation/,
  },
  {
    title: 'an IPv6 address, signed with a stolen issuing key',
    ca: h.issuing,
    leaf: await forgedLeaf(h.issuing, { names: ['gateway.island.internal', '::1'] }),
    openssl: /excluded subtree violation/,
  },
  {
    title: 'a service’s name, signed with a stolen edge key',
    ca: h.edge,
    leaf: await forgedLeaf(h.edge, { names: ['gateway.island.internal'], usages: both }),
    openssl: /excluded subtree violation|unsuitable certificate purpose/,
  },
  {
    title: 'a CA below the issuing CA',
    ca: h.issuing,
    leaf: await forgedLeaf(h.issuing, { ca, names: ['gateway.island.internal'] }),
    openssl: /path length constraint exceeded|unsuitable certificate purpose|invalid CA/,
  },
  {
    title: 'a certificate past its end',
    ca: h.issuing,
    leaf: await forgedLeaf(h.issuing, {
      names: ['gateway.island.internal'],
      notAfter: h.now - 1000,
    }),
    openssl: /has expired/,
  },
  {
    title: 'a certificate before its time',
    ca: h.issuing,
    leaf: await forgedLeaf(h.issuing, {
      names: ['gateway.island.internal'],
      notBefore: h.now + 60_000,
    }),
    openssl: /not yet valid/,
  },
  {
    title: 'the wrong AuthorityKeyIdentifier that forge would write',
    ca: h.issuing,
    leaf: await ownIdentifier(h.issuing),
    openssl: /unable to get local issuer certificate|key identifier mismatch/,
  },
];

const skipOpenssl = openssl === undefined ? 'openssl is not on this machine' : false;
const skipCerttool = certtool === undefined ? 'certtool is not on this machine' : false;

t.test(
  'T2 openssl -x509_strict accepts our chains, with their lists',
  { skip: skipOpenssl },
  async (t) => {
    using services = chainOf(h.issuing, internal, listsOf(h, h.issuing));
    t.match(services.openssl('sslserver', 'gateway.island.internal'), { good: true });
    t.match(services.openssl('sslclient'), { good: true });
    t.match(services.openssl('sslserver', 'nats.island.internal'), {
      good: false,
      said: /hostname mismatch/,
    });
    using edge = chainOf(h.edge, outside, listsOf(h, h.edge));
    t.match(edge.openssl('sslserver', 'chat.example.org'), { good: true });
    t.match(edge.openssl('sslclient'), { good: false, said: /unsuitable certificate purpose/ });
  },
);

t.test('T2 GnuTLS accepts our chains, with their lists', { skip: skipCerttool }, async (t) => {
  using services = chainOf(h.issuing, internal, listsOf(h, h.issuing));
  t.match(services.certtool(), { good: true });
  using bad = chainOf(h.issuing, await forgedLeaf(h.issuing, { names: ['chat.example.org'] }));
  t.match(bad.certtool(), { good: false });
});

t.test(
  'T2 openssl refuses a revoked leaf and a chain whose list is missing',
  { skip: skipOpenssl },
  async (t) => {
    using revoked = chainOf(h.issuing, internal, listsOf(h, h.issuing, [internal.serial]));
    t.match(revoked.openssl('sslclient'), { good: false, said: /certificate revoked/ });
    using missing = chainOf(h.issuing, internal, listsOf(h, h.edge));
    t.match(missing.openssl('sslclient'), { good: false, said: /unable to get certificate CRL/ });
  },
);

for (const forgery of forgeries) {
  t.test(`T2 openssl refuses ${forgery.title}`, { skip: skipOpenssl }, async (t) => {
    using chain = chainOf(forgery.ca, forgery.leaf);
    t.match(chain.openssl('sslclient'), { good: false, said: forgery.openssl });
  });
  t.test(`T2 a live handshake refuses ${forgery.title}`, async (t) => {
    const verdict = await handshake(forgery.ca, forgery.leaf);
    t.equal(verdict.server, 'refused');
  });
}

t.test('T2 a live handshake accepts the leaf that the forgeries imitate', async (t) => {
  t.same(await handshake(h.issuing, internal), { server: 'accepted' });
});

/** A TLS 1.3 server of the island against a client with that leaf. */
async function handshake(ca: Authority, leaf: KeyedLeaf): Promise<{ server: string }> {
  const trust: SecureContextOptions = { ca: root, minVersion: 'TLSv1.3' };
  const pair = (keyed: KeyedLeaf, by: Authority): SecureContextOptions => ({
    key: keyed.privateKey.export({ format: 'pem', type: 'pkcs8' }),
    cert: certificatePem(keyed.certificate) + certificatePem(by.certificate),
  });
  const options = {
    ...trust,
    ...pair(internal, h.issuing),
    requestCert: true,
    rejectUnauthorized: true,
  };
  const server = createServer(options).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const accepted = once(server, 'secureConnection').then(() => 'accepted');
  const refused = once(server, 'tlsClientError').then(() => 'refused');
  const client = connect({
    port,
    host: '127.0.0.1',
    servername: 'gateway.island.internal',
    ...trust,
    ...pair(leaf, ca),
  });
  client.on('error', () => undefined);
  const verdict = await Promise.race([accepted, refused]);
  client.destroy();
  server.close();
  await once(server, 'close');
  return { server: verdict };
}
