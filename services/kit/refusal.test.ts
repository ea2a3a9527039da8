/** T2: every way to be refused, tried against a real server made the way services make theirs. */

import type { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:tls';
import { loadAuthority } from '@island/pki/store.ts';
import {
  certificatePem,
  forgedLeaf,
  hierarchy,
  type KeyedLeaf,
  leafOf,
  listsOf,
} from '@island/pki/testing/hierarchy.ts';
import t from 'tap';
import { runningPkid } from '../pkid/testing/running.ts';
import { requestCertificate } from './certificate-request.ts';
import { clientOptions, type Identity, obtainIdentity, peerName, secureContext } from './mtls.ts';
import { attemptPlain, attemptTls, peerFixture } from './testing/peer-fixture.ts';
import { until } from './until.ts';

const pkid = await runningPkid();
t.teardown(() => pkid[Symbol.asyncDispose]());
const identity = async (name: 'gateway' | 'edge' | 'accounts'): Promise<Identity> => {
  const held = await obtainIdentity({ name, socket: pkid.socket(name) });
  t.teardown(() => held[Symbol.asyncDispose]());
  return held;
};
const gateway = await identity('gateway');
const edge = await identity('edge');
const accounts = await identity('accounts');
const server = await peerFixture(gateway, ['edge']);
t.teardown(() => server[Symbol.asyncDispose]());

const good = clientOptions(edge, 'gateway');
const probe = (o: { kind: 'valid' | 'expired' | 'revoked'; peer?: 'edge' }) =>
  requestCertificate({ name: 'probe', socket: pkid.socket('probe'), ...o }).then(secureContext);

/** Nothing of the request was handled and no byte of an answer came back. */
async function refused(t: Tap, options: Parameters<typeof attemptTls>[1]): Promise<void> {
  const before = server.handled;
  const { answer } = await attemptTls(server.port, options);
  t.equal(answer, '');
  t.equal(server.handled, before);
}
type Tap = Pick<typeof t, 'equal' | 'match'>;

t.test('T2 the peer in the list is let in', async (t) => {
  const { answer } = await attemptTls(server.port, good);
  t.match(answer, /^HTTP\/1\.1 200/);
});

t.test('T2 no certificate is refused', (t) => refused(t, { ...good, key: '', cert: '' }));

t.test('T2 a certificate of a foreign CA is refused', async (t) => {
  const foreign = await hierarchy();
  const leaf = await leafOf(foreign, { kind: 'internal', names: ['edge.island.internal'] });
  await refused(t, { ...good, ...pairOf(leaf, foreign.issuing.certificate) });
});

t.test('T2 a self-made certificate under our CA’s name is refused', async (t) => {
  const foreign = await hierarchy();
  const ours = await loadAuthority(pkid.pki, 'issuing', pkid.keys);
  const leaf = await forgedLeaf(
    { ...ours, key: foreign.issuing.key },
    { names: ['edge.island.internal'] },
  );
  await refused(t, { ...good, ...pairOf(leaf, ours.certificate) });
});

t.test('T2 an expired certificate is refused', async (t) => {
  await refused(t, { ...good, ...(await probe({ kind: 'expired', peer: 'edge' })) });
});

t.test('T2 a revoked certificate is refused', async (t) => {
  await refused(t, { ...good, ...(await probe({ kind: 'revoked' })) });
});

t.test('T2 a good certificate with a name that is in no list is refused', async (t) => {
  await refused(t, { ...good, ...(await probe({ kind: 'valid' })) });
});

t.test('T2 the right CA but the wrong service is refused', (t) =>
  refused(t, { ...good, ...secureContext(accounts.current()) }),
);

t.test('T2 the public certificate of the edge opens no internal door', async (t) => {
  const open = await requestCertificate({ name: 'public', socket: pkid.socket('public') });
  await refused(t, { ...good, key: open.key, cert: open.cert });
});

t.test('T2 plaintext is refused', async (t) => {
  const before = server.handled;
  const { answer } = await attemptPlain(server.port);
  t.notMatch(answer, /HTTP/);
  t.equal(server.handled, before);
});

t.test('T2 TLS 1.2 is refused', (t) =>
  refused(t, { ...good, minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' }),
);

t.test(
  'T2 a server with the certificate of another service is refused by its client',
  async (t) => {
    const { code, answer } = await attemptTls(server.port, clientOptions(edge, 'accounts'));
    t.equal(answer, '');
    t.ok(code);
  },
);

t.test('T2 a server of a foreign CA is refused by its client', async (t) => {
  const foreign = await hierarchy();
  const leaf = await leafOf(foreign, { kind: 'internal', names: ['gateway.island.internal'] });
  const port = await foreignServer(leaf, foreign.issuing.certificate);
  const { code } = await attemptTls(port, good);
  t.match(code, /SELF_SIGNED|UNABLE_TO|ISSUER/);
});

t.test(
  'T2 the name is the DNS SAN alone: subject, wildcard and look-alikes say nothing',
  async (t) => {
    const { issuing } = await hierarchy();
    const named = async (subject: string, names: string[]) =>
      peerName((await forgedLeaf(issuing, { subject, names })).certificate);
    t.equal(await named('x', ['nats.island.internal']), 'nats');
    t.equal(await named('nats.island.internal', []), undefined);
    t.equal(await named('nats.island.internal', ['x.island.internal']), undefined);
    t.equal(await named('x', ['*.island.internal']), undefined);
    t.equal(await named('x', ['nats.island.internal.example.org']), undefined);
    t.equal(await named('x', ['probe.island.internal']), undefined);
    t.equal(peerName(undefined), undefined);
  },
);

t.test(
  'T2 gap: two lists in one PEM count as one, and every client of the other CA is refused',
  async (t) => {
    const h = await hierarchy();
    const leaf = await leafOf(h, { kind: 'internal', names: ['edge.island.internal'] });
    const lists = listsOf(h, h.issuing);
    const options = {
      ca: certificatePem(h.root.certificate),
      requestCert: true,
      ...pairOf(leaf, h.issuing.certificate),
    };
    const verdict = async (crl: string[]): Promise<boolean> => {
      const one = createServer({ ...options, crl, rejectUnauthorized: true });
      const accepted = once(one, 'secureConnection').then(([socket]) => {
        socket.destroy();
        return true;
      });
      const refusal = once(one, 'tlsClientError').then(() => false);
      const port = await listen(one);
      void attemptTls(port, { ...options, crl: [], servername: 'edge.island.internal' });
      const result = await Promise.race([accepted, refusal]);
      one.close();
      return result;
    };
    t.equal(await verdict([lists.join('')]), false, 'the trap is real');
    t.equal(await verdict(lists), true, 'what pkid hands out');
  },
);

t.test('T2 gap: a client resumes its session after its certificate has expired', async (t) => {
  await using shortlived = await runningPkid({ leafSeconds: 2 });
  const at = (name: 'gateway' | 'edge') =>
    requestCertificate({ name, socket: shortlived.socket(name) });
  const mine = await at('edge');
  const theirs = await at('gateway');
  const client = { ...secureContext(mine), servername: 'gateway.island.internal' };
  const options = { ...secureContext(theirs), requestCert: true, rejectUnauthorized: true };
  const answering = async (changes: object): Promise<number> => {
    const one = createServer({ ...options, ...changes }, (socket) => {
      socket.on('error', () => undefined).on('data', () => socket.end('HTTP/1.1 200 OK\r\n\r\n'));
    });
    const port = await listen(one);
    t.teardown(() => one.close());
    return port;
  };
  const careless = await answering({ secureOptions: 0 });
  const ours = await answering({});
  const [first, second] = [await attemptTls(careless, client), await attemptTls(ours, client)];
  t.match(first.answer + second.answer, /200.*200/s);
  await until(mine.notAfter + 1);
  // The server's own certificate has expired too; what is tried is what it does with the client's.
  const late = (session: Buffer | undefined) => ({
    ...client,
    rejectUnauthorized: false,
    ...(session === undefined ? {} : { session }),
  });
  const trap = await attemptTls(careless, late(first.sessions.at(-1)));
  t.match(trap, { resumed: true, answer: /200/ }, 'the trap is real');
  for (const session of [undefined, ...first.sessions, ...second.sessions]) {
    t.match(await attemptTls(ours, late(session)), { resumed: false, answer: '' });
  }
});

function pairOf({ privateKey, certificate }: KeyedLeaf, ca: X509Certificate) {
  return {
    key: privateKey.export({ format: 'pem', type: 'pkcs8' }),
    cert: certificatePem(certificate) + certificatePem(ca),
  };
}

async function foreignServer(leaf: KeyedLeaf, ca: X509Certificate): Promise<number> {
  const one = createServer(pairOf(leaf, ca), (socket) => socket.on('error', () => undefined));
  t.teardown(() => one.close());
  return listen(one);
}

async function listen(one: ReturnType<typeof createServer>): Promise<number> {
  one.on('tlsClientError', () => undefined).listen(0, '127.0.0.1');
  await once(one, 'listening');
  const address = one.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
