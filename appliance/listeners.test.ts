import { createSocket } from 'node:dgram';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { decodeAddress, listenersOf } from './listeners.ts';

t.test('addresses as the kernel writes them', async (t) => {
  t.equal(decodeAddress('0100007F:20FB'), '127.0.0.1:8443');
  t.equal(decodeAddress('00000000:0050'), '0.0.0.0:80');
  t.equal(decodeAddress('00000000000000000000000000000000:01BB'), '[::]:443');
  t.equal(decodeAddress('00000000000000000000000001000000:01BB'), '[::1]:443');
  t.equal(decodeAddress('B80D0120000000000000000001000000:01BB'), '[2001:db8:0:0:0:0:0:1]:443');
});

t.test('a process is found to listen on what it opened, and on nothing else', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'listeners of {x} '));
  t.teardown(() => rmSync(dir, { recursive: true }));
  const before = await listenersOf(process.pid);
  const tcp = createServer().listen(0, '127.0.0.1');
  const unix = createServer().listen(join(dir, 'a.sock'));
  const udp = createSocket('udp4').bind(0, '127.0.0.1');
  await Promise.all(
    [tcp, unix, udp].map((server) => new Promise((resolve) => server.once('listening', resolve))),
  );
  const address = tcp.address();
  const added = (await listenersOf(process.pid)).filter(
    (l) => !before.some((b) => b.address === l.address),
  );
  t.same(
    added.map(({ protocol, address: at }) => `${protocol} ${at}`).sort(),
    [
      `tcp 127.0.0.1:${typeof address === 'object' ? address?.port : ''}`,
      `udp 127.0.0.1:${udp.address().port}`,
      `unix ${join(dir, 'a.sock')}`,
    ].sort(),
  );
  tcp.close();
  unix.close();
  udp.close();
  t.same(await listenersOf(2 ** 22 + 1), []);
});
