/** Certificates that live for seconds: renewal, loss of pkid, renewal of the CA itself, all under load. */
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { Agent, request } from 'node:https';
import { connect } from 'node:tls';
import { renewIssuing } from '@island/pki/renew.ts';
import t from 'tap';
import { passphrase, type Running, runningPkid } from '../pkid/testing/running.ts';
import { type Log, openLog } from './log.ts';
import { clientOptions, type Identity, obtainIdentity, renewalPoint } from './mtls.ts';
import { attemptTls, peerFixture } from './testing/peer-fixture.ts';

const issuerOf = (identity: Identity): string =>
  new X509Certificate(identity.current().cert).issuer;
const held = (pkid: Running, name: 'gateway' | 'edge', log?: Log): Promise<Identity> =>
  obtainIdentity({ name, socket: pkid.socket(name), ...(log === undefined ? {} : { log }) });

/** Resolves at the first renewal after which `holds`. */
function renewed(identity: Identity, holds: () => boolean = () => true): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const forget = identity.onRenewed(() => {
    if (!holds()) return;
    forget();
    resolve();
  });
  return promise;
}

/** A log that tells when an event of that name is written. */
function listening(): { log: Log; told(event: string): Promise<void> } {
  const waiting = new Map<string, () => void>();
  const log = openLog({}, (line) => waiting.get(JSON.parse(line).what)?.());
  const told = (event: string): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    waiting.set(event, resolve);
    return promise;
  };
  return { log, told };
}

interface Load {
  sent: number;
  failed: string[];
  stop(): Promise<void>;
}

/** Requests one after the other: a new connection each, and on a kept one that is replaced at each renewal. */
function load(port: number, client: Identity): Load {
  const agents = { kept: new Agent({ keepAlive: true, maxCachedSessions: 0 }) };
  const forget = client.onRenewed(() => {
    // The old one ends by itself when its last request is answered.
    agents.kept = new Agent({ keepAlive: true, maxCachedSessions: 0 });
  });
  let going = true;
  const state: Load = {
    sent: 0,
    failed: [],
    async stop() {
      going = false;
      await running;
      forget();
    },
  };
  const one = async (agent: Agent | false): Promise<void> => {
    const asked = request({
      host: '127.0.0.1',
      port,
      agent,
      ...clientOptions(client, 'gateway'),
    }).end();
    const [response] = await once(asked, 'response');
    for await (const _ of response) state.sent++;
  };
  const run = async (): Promise<void> => {
    while (going) {
      for (const agent of [false as const, agents.kept]) {
        await one(agent).catch((error: Error & { code?: string }) =>
          state.failed.push(error.code ?? error.message),
        );
      }
    }
  };
  const running = run();
  return state;
}

t.test('renewal happens at random between a third and a half of the life', async (t) => {
  t.equal(renewalPoint(1000, 7000, 0), 3000);
  t.equal(renewalPoint(1000, 7000, 1), 4000);
});

t.test('T2 leaves roll under load and no request is lost', async (t) => {
  await using pkid = await runningPkid({ leafSeconds: 3 });
  await using gateway = await held(pkid, 'gateway');
  await using edge = await held(pkid, 'edge');
  await using server = await peerFixture(gateway, ['edge']);
  const serials = new Set<string>();
  const note = (): void =>
    void serials.add(new X509Certificate(gateway.current().cert).serialNumber);
  gateway.onRenewed(note);
  const busy = load(server.port, edge);
  for (let rolls = 0; rolls < 3; rolls++) await Promise.all([renewed(gateway), renewed(edge)]);
  await busy.stop();
  t.same(busy.failed, []);
  t.ok(serials.size >= 3, `${serials.size} certificates, ${busy.sent} requests`);
  t.comment(`${busy.sent} requests over ${serials.size} certificates of the server`);
});

t.test('T2 every renewal has a fresh key', async (t) => {
  await using pkid = await runningPkid({ leafSeconds: 1 });
  await using gateway = await held(pkid, 'gateway');
  const { key, cert } = gateway.current();
  await renewed(gateway);
  t.not(gateway.current().key, key);
  t.not(gateway.current().cert, cert);
});

t.test('T2 a service outlives the death of pkid and renews when it is back', async (t) => {
  await using pkid = await runningPkid({ leafSeconds: 4 });
  const { log, told } = listening();
  await using gateway = await held(pkid, 'gateway', log);
  await using edge = await held(pkid, 'edge');
  await using server = await peerFixture(gateway, ['edge']);
  const failedOnce = told('certificate_not_renewed');
  await pkid.stop();
  await failedOnce;
  t.match(
    (await attemptTls(server.port, clientOptions(edge, 'gateway'))).answer,
    /200/,
    'what it holds is good',
  );
  const back = renewed(gateway);
  await pkid.start();
  await back;
  t.ok(gateway.current().notAfter > Date.now());
});

t.test('T2 a service that starts before pkid waits for it; without one it says so', async (t) => {
  await using pkid = await runningPkid();
  await pkid.stop();
  const gone = obtainIdentity({ name: 'gateway', socket: pkid.socket('gateway'), patience: 50 });
  await t.rejects(gone, { code: 'unavailable' });
  const waiting = held(pkid, 'gateway');
  await pkid.start();
  await using gateway = await waiting;
  t.equal(gateway.name, 'gateway');
});

t.test('T2 gap: a connection does not outlive the certificate it was opened with', async (t) => {
  await using pkid = await runningPkid({ leafSeconds: 2 });
  await using gateway = await held(pkid, 'gateway');
  await using edge = await held(pkid, 'edge');
  await using server = await peerFixture(gateway, ['edge']);
  const { notAfter } = edge.current();
  const socket = connect({
    port: server.port,
    host: '127.0.0.1',
    ...clientOptions(edge, 'gateway'),
  });
  socket.on('error', () => undefined).resume();
  await once(socket, 'secureConnect');
  await once(socket, 'close');
  t.ok(Date.now() >= notAfter - 50, 'not before its end');
  t.ok(Date.now() < notAfter + 1500, 'and soon after');
});

t.test(
  'T2 gap: revocation lists belong to the trust, so a server takes new ones with its renewed credentials',
  async (t) => {
    await using pkid = await runningPkid({ leafSeconds: 3 });
    await using gateway = await held(pkid, 'gateway');
    await using edge = await held(pkid, 'edge');
    await using server = await peerFixture(gateway, ['edge']);
    const stolen = clientOptions(edge, 'gateway');
    t.match((await attemptTls(server.port, stolen)).answer, /200/);
    const { revoke } = await import('@island/pki/revoked.ts');
    const serial = new X509Certificate(edge.current().cert).serialNumber.toLowerCase();
    await revoke(pkid.pki, { serial, at: Date.now() });
    const before = gateway.current().crl[1];
    await renewed(gateway, () => gateway.current().crl[1] !== before);
    t.equal((await attemptTls(server.port, stolen)).answer, '');
  },
);

t.test(
  'T2 gap: a new issuing CA is announced by its list before it signs, and no request is lost',
  async (t) => {
    await using pkid = await runningPkid({ leafSeconds: 3 });
    await using gateway = await held(pkid, 'gateway');
    await using edge = await held(pkid, 'edge');
    await using server = await peerFixture(gateway, ['edge']);
    const old = issuerOf(gateway);
    const busy = load(server.port, edge);
    await renewIssuing({ dir: pkid.pki, keys: pkid.keys, role: 'issuing', passphrase });
    await pkid.stop();
    await pkid.start();
    await renewed(gateway, () => gateway.current().crl.length === 3);
    t.equal(issuerOf(gateway), old, 'announced, not yet in use');
    const moved = (identity: Identity) => renewed(identity, () => issuerOf(identity) !== old);
    await Promise.all([moved(gateway), moved(edge)]);
    await busy.stop();
    t.same(busy.failed, []);
    t.comment(`${busy.sent} requests across the change of the CA`);
  },
);

t.test('a listener that throws stops neither renewal nor the other listeners', async (t) => {
  await using pkid = await runningPkid({ leafSeconds: 1 });
  await using gateway = await held(
    pkid,
    'gateway',
    openLog({}, () => undefined),
  );
  gateway.onRenewed(() => {
    throw new Error('a bug');
  });
  await renewed(gateway);
  await renewed(gateway);
  t.ok(gateway.current().notAfter > Date.now());
});
