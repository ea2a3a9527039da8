/** Certificates renewed under a running island: every engine shows the new one, and nothing is restarted. */
import { connect, type PeerCertificate } from 'node:tls';
import type { StatusReport } from '@island/appliance/status-report.ts';
import t from 'tap';
import { bootIsland, until } from './island.ts';

/** The certificate that a listener shows, whether or not it lets us in: we have none, so it may hang up on us. */
function shown(address: string): Promise<PeerCertificate | undefined> {
  const { promise, resolve } = Promise.withResolvers<PeerCertificate | undefined>();
  const [host = '', port = ''] = address.split(':');
  const socket = connect({ host, port: Number(port), rejectUnauthorized: false });
  socket.once('secureConnect', () => resolve(socket.getPeerCertificate()));
  socket.once('error', () => resolve(undefined));
  return promise.finally(() => socket.destroy());
}

const addressOf = ({ units }: StatusReport, name: string): string =>
  units.find((unit) => unit.name === name)?.listeners.find(({ protocol }) => protocol === 'tcp')
    ?.address ?? '';

t.test('T2 T3 T4 certificates of 12 seconds are renewed live, twice', async (t) => {
  await using island = await bootIsland(['--leaf-seconds', '12']);
  const before = await island.status();
  for (const name of ['nats', 'redis', 'caddy', 'front']) {
    const address = addressOf(before, name);
    const seen = new Set<string>();
    await until(async () => {
      const certificate = await shown(address);
      if (certificate) seen.add(certificate.serialNumber);
      return seen.size >= 3;
    }, 40_000);
    t.pass(`${name} has shown ${seen.size} certificates`);
  }
  t.equal((await island.run('invite')).code, 0, 'the services still speak with each other');
  t.ok(await island.answers(), 'a client is served');
  const after = await island.status();
  t.equal(after.ready, true);
  t.same(
    after.units.map(({ name, pid, restarts }) => ({ name, pid, restarts })),
    before.units.map(({ name, pid }) => ({ name, pid, restarts: 0 })),
    'no process was restarted',
  );
  const leaves = after.certificates.filter(({ kind }) => kind === 'leaf');
  t.same(
    leaves.filter(({ notAfter }) => Date.parse(notAfter) < Date.now()),
    [],
    'none has run out',
  );
});
