/** The Caddyfile, judged by caddy itself. What the edge does with it is tested with the gateway. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { edgeConf } from './edge-conf.ts';
import { findEngines } from './engines.ts';
import { runTool } from './tool.ts';

const conf = (host: string) =>
  edgeConf({
    island: { host, port: 8443 },
    gateway: { port: 4000, name: 'gateway.island.internal' },
    media: { port: 4001, name: 'media.island.internal' },
    adminSocket: '/run/island/caddy.sock',
    publicCertificate: '/run/island/public.pem',
    clientCertificate: '/run/island/edge.pem',
    trust: '/run/island/trust.pem',
    bodyBytes: 262_144,
    blobBytes: 1_048_576,
  });

async function adapt(t: Test, text: string) {
  const engines = await findEngines([join(import.meta.dirname, '../.engines')]);
  if (engines === undefined) throw new Error('the engines are missing: npm test obtains them');
  const file = join(t.testdir(), 'Caddyfile');
  writeFileSync(file, text);
  const ran = await runTool(engines.caddy.path, [
    'adapt',
    '--config',
    file,
    '--adapter',
    'caddyfile',
  ]);
  t.equal(ran.code, 0, ran.stderr);
  return JSON.parse(ran.stdout);
}

t.test(
  'T1 one TLS listener on loopback, no other, and the admin endpoint on a unix socket',
  async (t) => {
    const { admin, apps } = await adapt(t, conf('localhost'));
    t.equal(admin.listen, 'unix//run/island/caddy.sock|0600');
    t.equal(admin.config.persist, false);
    const servers = Object.values(apps.http.servers) as {
      listen: string[];
      protocols: string[];
      automatic_https: object;
    }[];
    t.same(
      servers.map(({ listen }) => listen),
      [['127.0.0.1:8443']],
    );
    t.same(servers[0]?.protocols, ['h1', 'h2'], 'HTTP/3 would open a UDP listener');
    t.match(servers[0]?.automatic_https, { disable: true });
  },
);

t.test('an island for others listens on all addresses', async (t) => {
  const { apps } = await adapt(t, conf('chat.example.org'));
  const servers = Object.values(apps.http.servers) as { listen: string[] }[];
  t.same(
    servers.map(({ listen }) => listen),
    [[':8443']],
  );
});

t.test('M2 no request is ever logged: its address would name the sender', async (t) => {
  const { logging } = await adapt(t, conf('localhost'));
  const log = logging.logs.default;
  t.same(log.exclude.sort(), ['http.handlers.reverse_proxy', 'http.log.access', 'http.log.error']);
  t.match(log.encoder.fields, { request: { filter: 'delete' }, remote_ip: { filter: 'delete' } });
});

t.test('HSTS is for names: a browser would apply it to every port of localhost', async (t) => {
  t.match(conf('chat.example.org'), /Strict-Transport-Security/);
  for (const host of ['localhost', '192.0.2.7', '::1'])
    t.notMatch(conf(host), /Strict-Transport-Security/);
});

t.test('a method that nobody has heard of ends at the edge', async (t) => {
  const servers = Object.values((await adapt(t, conf('localhost'))).apps.http.servers);
  // In order: the first that fits is the only one.
  const order = JSON.stringify(servers).match(/"not":\[\{"method"|"status_code":\d+|"\/v1\/\*"/g);
  t.same(order?.slice(0, 4).sort(), [
    '"/v1/*"',
    '"not":[{"method"',
    '"status_code":404',
    '"status_code":405',
  ]);
  t.ok((order?.indexOf('"status_code":405') ?? 9) < (order?.indexOf('"/v1/*"') ?? 0));
});

t.test(
  'attachments go to media, larger bodies with them, and everything else to the gateway',
  async (t) => {
    const servers = Object.values((await adapt(t, conf('localhost'))).apps.http.servers);
    const seen = JSON.stringify(servers).match(
      /"path":\["[^\]]*\]|"max_size":\d+|"server_name":"[a-z]+\.island\.internal"|"dial":"[^"]*"/g,
    );
    // In order: what the first path fits is not asked about the second.
    t.same(
      seen?.filter((each) => each.includes('path')),
      [
        '"path":["/v1/blobs","/v1/blobs/*"]',
        '"path":["/v1/*","/.well-known/island","/log/*","/witness/*"]',
      ],
    );
    t.match(
      seen?.filter((each) => each.includes('max_size')),
      ['"max_size":1048576', '"max_size":262144'],
    );
    t.match(
      seen?.filter((each) => each.includes('server_name')),
      ['"server_name":"media.island.internal"', '"server_name":"gateway.island.internal"'],
    );
    t.match(
      seen?.filter((each) => each.includes('dial')),
      ['"dial":"127.0.0.1:4001"', '"dial":"127.0.0.1:4000"'],
    );
  },
);
