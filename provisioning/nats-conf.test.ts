/** What nats-server lets whom do, against the real one. T3 */
import { readdir, readFile, readlink } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { clientOptions } from '@island/services/kit/mtls.ts';
import { services } from '@island/services/kit/names.ts';
import { answering, bareConnection, busIsland } from '@island/services/kit/testing/bus-island.ts';
import { testNats } from '@island/services/kit/testing/engines.ts';
import { testPki } from '@island/services/kit/testing/pki.ts';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import t from 'tap';
import { contracts, natsConf, permissionsOf } from './nats-conf.ts';

const pki = await testPki();
const nats = await testNats(pki);
t.teardown(async () => {
  await nats[Symbol.asyncDispose]();
  await pki[Symbol.asyncDispose]();
});

/** A connection of `name` without our bus: what somebody could do who took over the service. */
async function bare(name: (typeof services)[number]): Promise<NatsConnection> {
  await using identity = await pki.identity(name);
  const tls = { handshakeFirst: true, ...clientOptions(identity, 'nats') };
  const servers = `tls://127.0.0.1:${nats.port}`;
  return connect({ servers, inboxPrefix: `_INBOX.${name}`, tls: tls as object, reconnect: false });
}

/** Whether the server lets `connection` publish (or subscribe): it answers a violation before the next PONG. */
async function permitted(
  connection: NatsConnection,
  kind: 'publish' | 'subscribe',
  subject: string,
): Promise<boolean> {
  let refused = false;
  const watch = (async () => {
    for await (const status of connection.status()) {
      if (status.type !== 'error') continue;
      refused = true;
      break;
    }
  })();
  void watch;
  const live =
    kind === 'publish'
      ? connection.publish(subject, new Uint8Array())
      : connection.subscribe(subject, { callback: () => undefined });
  await connection.flush();
  await connection.flush();
  if (live) live.unsubscribe();
  return !refused;
}

t.test(
  'T3: every call and event is allowed for exactly those whom its contract names',
  async (t) => {
    for (const service of services) {
      const { publish, subscribe, responds } = permissionsOf(service, contracts);
      const mayPublish = new Set<string>();
      const maySubscribe = new Set([`_INBOX.${service}.>`]);
      let handles = false;
      for (const contract of contracts) {
        const own = contract.service === service;
        for (const [name, { callers }] of Object.entries(contract.calls)) {
          if (callers.includes(service)) mayPublish.add(`${contract.service}.call.${name}`);
          if (own) maySubscribe.add(`${contract.service}.call.${name}`);
          handles ||= own;
        }
        for (const [name, { listeners }] of Object.entries(contract.events)) {
          if (own) mayPublish.add(`${contract.service}.event.${name}.>`);
          if (listeners.includes(service)) maySubscribe.add(`${contract.service}.event.${name}.>`);
        }
      }
      t.strictSame(new Set(publish), mayPublish, `${service} publishes`);
      t.strictSame(new Set(subscribe), maySubscribe, `${service} subscribes`);
      t.equal(responds, handles);
    }
    t.strictSame(
      new Set(contracts.map(({ service }) => service)),
      new Set(services),
      'no service is without a user',
    );
  },
);

t.test('T3: the running server refuses every forbidden subject of every service', async (t) => {
  const subjects = contracts.flatMap(({ service, calls, events }) => [
    ...Object.keys(calls).map((name) => `${service}.call.${name}`),
    ...Object.keys(events).map((name) => `${service}.event.${name}.key`),
    `_INBOX.${service}.x`,
  ]);
  const others = [
    '>',
    '*.call.*',
    '$SYS.>',
    '$SYS.REQ.SERVER.PING',
    '$JS.API.INFO',
    '_INBOX.>',
    'anything',
  ];
  const covers = (allowed: readonly string[], subject: string): boolean =>
    allowed.some(
      (one) => one === subject || (one.endsWith('.>') && subject.startsWith(one.slice(0, -1))),
    );
  for (const service of services) {
    const { publish, subscribe } = permissionsOf(service, contracts);
    const connection = await bare(service);
    for (const subject of [...subjects, ...others]) {
      if (!/[*>]/.test(subject)) {
        const allowed = covers(publish, subject);
        t.equal(
          await permitted(connection, 'publish', subject),
          allowed,
          `${service} publishes ${subject}: ${allowed}`,
        );
      }
      const allowed = covers(subscribe, subject);
      t.equal(
        await permitted(connection, 'subscribe', subject),
        allowed,
        `${service} subscribes ${subject}: ${allowed}`,
      );
    }
    await connection.close();
  }
});

t.test("T3: a service cannot read or answer what is in another's inbox", async (t) => {
  await using island = await busIsland();
  const { bus: directory } = await island.kit('directory');
  const { bus: gateway } = await island.kit('gateway');
  directory.handle(answering, 'echo', async (request) => request);
  await directory.settled();
  const spy = await bareConnection(island, 'directory');
  t.equal(await permitted(spy, 'subscribe', '_INBOX.gateway.>'), false);
  t.equal(await permitted(spy, 'publish', '_INBOX.gateway.guess'), false, 'unless it was asked');
  t.same(await gateway.call(answering, 'echo', { value: 1 }), { value: 1 });
  await spy.close();
});

/** What a TLS client with these options gets: the first bytes of the server, or why not. */
function handshake(options: object): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = tlsConnect({ host: '127.0.0.1', port: nats.port, ...options });
  socket.once('data', (data) => resolve(data.toString().slice(0, 4)));
  socket.once('error', (error: Error & { code?: string }) => resolve(error.code ?? error.message));
  socket.once('close', () => resolve('closed'));
  return promise.finally(() => socket.destroy());
}

t.test(
  'T3: no certificate, a foreign one, the wrong name, plaintext and TLS 1.2 are refused',
  async (t) => {
    await using identity = await pki.identity('gateway');
    const good = clientOptions(identity, 'nats');
    t.equal(await handshake(good), 'INFO', 'a good one is let in');
    const { key, cert, ...none } = good;
    t.match(await handshake(none), /^(ERR_SSL|ECONNRESET|closed)/, 'no certificate');
    await using foreign = await testPki();
    await using stranger = await foreign.identity('gateway');
    const { key: otherKey, cert: otherCert } = clientOptions(stranger, 'nats');
    t.match(
      await handshake({ ...good, key: otherKey, cert: otherCert }),
      /^(ERR_SSL|ECONNRESET|closed)/,
      'foreign CA',
    );
    const old = { ...good, minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' };
    t.match(await handshake(old), /^(ERR_SSL|ECONNRESET|closed)/, 'TLS 1.2');
    await using engine = await pki.identity('redis');
    const { key: engineKey, cert: engineCert } = clientOptions(engine, 'nats');
    const tls = { handshakeFirst: true, ...good, key: engineKey, cert: engineCert };
    await t.rejects(
      connect({ servers: `tls://127.0.0.1:${nats.port}`, tls: tls as object, reconnect: false }),
      /Authorization/,
      'a name that is no user',
    );
    const plain = createConnection({ host: '127.0.0.1', port: nats.port });
    let received = 0;
    plain.on('data', (data) => {
      received += data.length;
    });
    plain.on('error', () => undefined);
    plain.write('CONNECT {"verbose":true}\r\nPING\r\n');
    await new Promise((resolve) => plain.once('close', resolve));
    t.equal(received, 0, 'not one byte in the clear');
  },
);

t.test('nothing but the one listener is open, and the log says nothing of subjects', async (t) => {
  t.notMatch(
    natsConf({ port: 1, cert: '/c', key: '/k', ca: '/r', pidFile: '/p' }),
    /http|cluster|leaf|websocket|mqtt|jetstream|no_auth_user/,
  );
  const listeners = (await readFile(`/proc/${nats.pid}/net/tcp`, 'utf8')).split('\n').slice(1);
  const sockets = new Set<string>();
  for (const fd of await readdir(`/proc/${nats.pid}/fd`)) {
    const match = /socket:\[(\d+)\]/.exec(
      await readlink(`/proc/${nats.pid}/fd/${fd}`).catch(() => ''),
    );
    if (match?.[1] !== undefined) sockets.add(match[1]);
  }
  const open = listeners
    .map((line) => line.trim().split(/\s+/))
    .filter((row) => row[3] === '0A' && sockets.has(row[9] ?? ''))
    .map((row) => row[1]);
  const port = nats.port.toString(16).toUpperCase().padStart(4, '0');
  t.strictSame(open, [`0100007F:${port}`]);
  t.notMatch(nats.output, /PUB|MSG|payload/);
});

t.test('paths with quotes and backslashes stay values', async (t) => {
  const text = natsConf({ port: 1, cert: '/a"b', key: '/a\\b', ca: '/x } y', pidFile: '/p\n' });
  t.match(text, 'cert_file: "/a\\"b"');
  t.match(text, 'key_file: "/a\\\\b"');
  t.match(text, 'pid_file: "/p\\n"');
});
