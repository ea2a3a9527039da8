/** The probes are put before doors that are known to be good, and before careless ones that they must find. */
import { once } from 'node:events';
import { createServer as createHttp } from 'node:http';
import { createServer as createHttps, type ServerOptions } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import {
  type Credentials,
  type ProbeKind,
  requestCertificate,
} from '@island/services/kit/certificate-request.ts';
import { obtainIdentity, secureContext } from '@island/services/kit/mtls.ts';
import type { PeerName } from '@island/services/kit/names.ts';
import { peerFixture } from '@island/services/kit/testing/peer-fixture.ts';
import { runningPkid } from '@island/services/pkid/testing/running.ts';
import t from 'tap';
import { type Knocks, tryDoor } from './refusals.ts';
import { attempt } from './tls-probe.ts';

const pkid = await runningPkid();
t.teardown(() => pkid[Symbol.asyncDispose]());
const certificateOf = (name: PeerName | 'public'): Promise<Credentials> =>
  requestCertificate({ name, socket: pkid.socket(name) });
const knocks: Knocks = {
  certificateOf,
  probe: (kind: ProbeKind, peer?: PeerName) =>
    requestCertificate({
      name: 'probe',
      socket: pkid.socket('probe'),
      kind,
      ...(peer && { peer }),
    }),
};
const own = secureContext(await certificateOf('gateway'));

async function accepted(port: number): Promise<string[]> {
  const door = {
    name: 'gateway',
    port,
    protocol: 'https',
    guest: 'edge',
    stranger: 'accounts',
  } as const;
  const findings = await tryDoor(knocks, door);
  return findings.filter(({ good }) => !good).map(({ text }) => text.split(':')[1]?.trim() ?? '');
}

async function serving(
  t: { teardown(work: () => unknown): void },
  server: Server,
): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}
const careless = (changes: ServerOptions) =>
  createHttps({ ...own, requestCert: true, rejectUnauthorized: true, ...changes }, (_, response) =>
    response.end(),
  );

t.test('T2 a door made the way services make theirs passes every row', async (t) => {
  await using gateway = await obtainIdentity({ name: 'gateway', socket: pkid.socket('gateway') });
  await using door = await peerFixture(gateway, ['edge']);
  t.same(await accepted(door.port), []);
});

t.test('a door that asks for no certificate is found', async (t) => {
  const rows = await accepted(await serving(t, careless({ requestCert: false })));
  t.ok(rows.includes('no certificate') && rows.includes('foreign CA, right name'), rows.join());
});

t.test('a door that asks and does not check is found', async (t) => {
  const rows = await accepted(await serving(t, careless({ rejectUnauthorized: false })));
  t.ok(rows.includes('expired') && rows.includes('revoked'), rows.join());
});

t.test('a door that checks the CA and not the name is found', async (t) => {
  const rows = await accepted(await serving(t, careless({})));
  t.same(rows, ['name in nobody’s list', 'wrong service (accounts)']);
});

t.test('a door without revocation lists is found', async (t) => {
  const { crl: _lists, ...without } = own;
  const rows = await accepted(
    await serving(
      t,
      createHttps({ ...without, requestCert: true, rejectUnauthorized: true }, (_, r) => r.end()),
    ),
  );
  t.ok(rows.includes('revoked'), rows.join());
});

t.test('a door that speaks TLS 1.2 is found', async (t) => {
  const rows = await accepted(await serving(t, careless({ minVersion: 'TLSv1.2' })));
  t.ok(rows.includes('TLS 1.2'), rows.join());
});

t.test('a door without TLS is found', async (t) => {
  const rows = await accepted(
    await serving(
      t,
      createHttp((_, response) => response.end()),
    ),
  );
  t.ok(rows.includes('plaintext'), rows.join());
  t.ok(rows.includes('its guest edge'), 'and that its guest is not let in');
});

t.test('a door with the certificate of another service is found', async (t) => {
  const rows = await accepted(
    await serving(t, careless(secureContext(await certificateOf('accounts')))),
  );
  t.ok(rows.includes('taken for accounts'), rows.join());
});

t.test('a door where nobody is, and one that is silent, let nobody in', async (t) => {
  const closed = await serving(t, createHttp());
  const { createServer } = await import('node:net');
  const silent = await serving(
    t,
    createServer((socket) => socket.resume().on('error', () => undefined)),
  );
  const outcomes = await Promise.all([
    attempt({ port: 1, protocol: 'nats' }),
    attempt({ port: silent, protocol: 'redis', patience: 50 }),
    attempt({ port: closed, protocol: 'nats' }),
  ]);
  t.match(outcomes, [
    { accepted: false, how: /ECONNREFUSED/ },
    { accepted: false, how: /silence/ },
    { accepted: false, how: /HTTP/ },
  ]);
});
