/** What redis-server lets whom do, against the real one. T4 */
import { once } from 'node:events';
import { createConnection } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { cacheCommands } from '@island/services/kit/cache-commands.ts';
import { clientOptions } from '@island/services/kit/mtls.ts';
import { testRedis } from '@island/services/kit/testing/engines.ts';
import { testPki } from '@island/services/kit/testing/pki.ts';
import { createClient } from 'redis';
import t from 'tap';
import { redisAcl, redisConf } from './redis-conf.ts';

const pki = await testPki();
const redis = await testRedis(pki, ['accounts', 'gateway']);
const identity = await pki.identity('accounts');
const good = clientOptions(identity, 'redis');
t.teardown(async () => {
  await identity[Symbol.asyncDispose]();
  await redis[Symbol.asyncDispose]();
  await pki[Symbol.asyncDispose]();
});

async function client(username: string, password: string) {
  const made = createClient({
    RESP: 2,
    username,
    password,
    disableClientInfo: true,
    maintNotifications: 'disabled',
    socket: { host: '127.0.0.1', port: redis.port, reconnectStrategy: false, ...good, tls: true },
  });
  made.on('error', () => undefined);
  await made.connect();
  return made;
}

const passwordOf = (user: string): string => redis.passwords[user] ?? '';

t.test(
  'T4: a service reaches its own keys with the commands of the cache and nothing else',
  async (t) => {
    const accounts = await client('accounts', passwordOf('accounts'));
    t.equal(await accounts.sendCommand(['SET', 'accounts:a', '1', 'EX', '10']), 'OK');
    t.equal(await accounts.sendCommand(['GET', 'accounts:a']), '1');
    for (const command of [
      ['GET', 'gateway:a'],
      ['SET', 'gateway:a', '1'],
      ['GET', 'accounts'],
      ['DEL', 'accounts:a', 'gateway:a'],
      ['KEYS', '*'],
      ['SCAN', '0'],
      ['FLUSHALL'],
      ['CONFIG', 'GET', '*'],
      ['CONFIG', 'SET', 'dir', '/tmp'],
      ['ACL', 'LIST'],
      ['ACL', 'WHOAMI'],
      ['CLIENT', 'LIST'],
      ['EVAL', 'return 1', '0'],
      ['MONITOR'],
      ['DEBUG', 'SLEEP', '0'],
      ['SUBSCRIBE', 'x'],
      ['PUBLISH', 'x', 'y'],
      ['REPLICAOF', 'localhost', '1'],
      ['MODULE', 'LIST'],
      ['SAVE'],
      ['SHUTDOWN'],
      ['EXPIRE', 'accounts:a', '1'],
      ['PERSIST', 'accounts:a'],
      ['APPEND', 'accounts:a', 'x'],
      ['INFO'],
      ['SELECT', '1'],
    ]) {
      await t.rejects(accounts.sendCommand(command), /NOPERM|not allowed/, command.join(' '));
    }
    t.equal(await accounts.sendCommand(['GET', 'accounts:a']), '1', 'and nothing was changed');
    accounts.destroy();
  },
);

t.test('T4: a wrong password, no password and the default user are refused', async (t) => {
  await t.rejects(client('accounts', 'wrong'), /WRONGPASS/);
  await t.rejects(client('accounts', passwordOf('gateway')), /WRONGPASS/);
  await t.rejects(client('default', ''), /WRONGPASS|NOAUTH/);
  await t.rejects(client('nobody', passwordOf('accounts')), /WRONGPASS/);
});

/** What a TLS client with these options gets for an inline PING, or why it got nothing. */
function ping(options: object): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = tlsConnect({ host: '127.0.0.1', port: redis.port, ...options }, () =>
    socket.write('PING\r\n'),
  );
  socket.once('data', (data) => resolve(data.toString().split(' ', 1)[0] ?? ''));
  socket.once('error', (error: Error & { code?: string }) => resolve(error.code ?? error.message));
  socket.once('close', () => resolve('closed'));
  return promise.finally(() => socket.destroy());
}

t.test('T4: no certificate, a foreign one, plaintext and TLS 1.2 are refused', async (t) => {
  t.equal(await ping(good), '-NOAUTH', 'a good certificate gets as far as the password');
  const { key, cert, ...none } = good;
  t.match(await ping(none), /^(ERR_SSL|ECONNRESET|closed)/, 'no certificate');
  await using foreign = await testPki();
  await using stranger = await foreign.identity('accounts');
  const { key: otherKey, cert: otherCert } = clientOptions(stranger, 'redis');
  t.match(
    await ping({ ...good, key: otherKey, cert: otherCert }),
    /^(ERR_SSL|ECONNRESET|closed)/,
    'foreign CA',
  );
  t.match(
    await ping({ ...good, minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' }),
    /^(ERR_SSL|ECONNRESET|closed)/,
    'TLS 1.2',
  );
  const plain = createConnection({ host: '127.0.0.1', port: redis.port });
  let received = '';
  plain.on('data', (data) => {
    received += data.toString();
  });
  plain.on('error', () => undefined);
  plain.write('PING\r\n');
  await new Promise((resolve) => plain.once('close', resolve));
  t.notMatch(received, /PONG|NOAUTH/);
});

t.test(
  "the appliance's user, over the unix socket, renews certificates and changes passwords",
  async (t) => {
    const admin = createClient({
      RESP: 2,
      username: 'appliance',
      password: passwordOf('appliance'),
      disableClientInfo: true,
      maintNotifications: 'disabled',
      socket: { path: redis.adminSocket, tls: false, reconnectStrategy: false },
    });
    admin.on('error', () => undefined);
    await admin.connect();
    const before = await serial();
    await redis.renew();
    const { cert, key, ca } = redis.files;
    const settings = ['tls-cert-file', cert, 'tls-key-file', key, 'tls-ca-cert-file', ca];
    t.equal(await admin.sendCommand(['CONFIG', 'SET', ...settings]), 'OK');
    t.not(await serial(), before, 'new connections see the new certificate');
    await t.rejects(admin.sendCommand(['CONFIG', 'SET', 'dir', '/tmp']), /protected/i);
    await t.rejects(admin.sendCommand(['GET', 'accounts:a']), /NOPERM/);
    t.equal(
      await admin.sendCommand([
        'ACL',
        'SETUSER',
        'gateway',
        'resetpass',
        '>another password, long',
      ]),
      'OK',
    );
    await t.rejects(client('gateway', passwordOf('gateway')), /WRONGPASS/);
    const again = await client('gateway', 'another password, long');
    again.destroy();
    admin.destroy();
  },
);

/** Serial number of the server's certificate. */
function serial(): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = tlsConnect({ host: '127.0.0.1', port: redis.port, ...good }, () =>
    resolve(socket.getPeerCertificate().serialNumber),
  );
  socket.once('error', reject);
  return promise.finally(() => socket.destroy());
}

t.test('the configuration holds no secret; the users file holds hashes only', async (t) => {
  const options = {
    port: 1,
    cert: '/c"d',
    key: '/k',
    ca: '/a',
    adminSocket: '/s',
    aclFile: '/u',
    dir: '/d',
    pidFile: '/p',
  };
  const text = redisConf(options);
  t.match(text, 'tls-cert-file "/c\\"d"');
  t.throws(() => redisConf({ ...options, dir: '/x\nport 6379' }), /control characters/);
  const acl = redisAcl({
    services: [{ name: 'accounts', password: 'secret words' }],
    appliancePassword: 'more secrets',
  });
  t.notMatch(acl, /secret/);
  t.match(
    acl,
    new RegExp(`~accounts:\\* -@all ${cacheCommands.map((one) => `\\+${one}`).join(' ')}\\n`),
  );
  t.notMatch(acl, /\+@|nopass/);
});

t.test('T4: who connects and shows nothing keeps no place of a service', async (t) => {
  const accounts = await client('accounts', passwordOf('accounts'));
  const pings = setInterval(() => void accounts.sendCommand(['PING']).catch(() => undefined), 2000);
  const silent = Array.from({ length: 300 }, () =>
    createConnection({ host: '127.0.0.1', port: redis.port }).on('error', () => undefined),
  );
  await Promise.all(silent.map((socket) => once(socket, 'connect')));
  const late = await client('accounts', passwordOf('accounts'));
  late.destroy();
  await Promise.all(silent.map((socket) => once(socket.resume(), 'close')));
  t.equal(await accounts.sendCommand(['PING']), 'PONG', 'whoever speaks stays');
  clearInterval(pings);
  accounts.destroy();
});
