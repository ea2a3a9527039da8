/** HTTPS between peers: whose address is believed, who waits how long. */
import { type RequestOptions, request } from 'node:https';
import { connect } from 'node:tls';
import t from 'tap';
import { clientAddress, serveTls } from './http-server.ts';
import { clientOptions } from './mtls.ts';
import type { PeerName } from './names.ts';
import { testLog, testPki } from './testing/pki.ts';

const pki = await testPki();
const identity = await pki.identity('gateway');
const patience = { headersTimeout: 300, requestTimeout: 600 };
const server = await serveTls({
  listener: (asked, answer) => void answer.end(String(clientAddress(asked))),
  identity,
  accept: ['edge', 'control'],
  port: 0,
  log: testLog(),
  patience,
});
t.teardown(async () => {
  await server[Symbol.asyncDispose]();
  await identity[Symbol.asyncDispose]();
  await pki[Symbol.asyncDispose]();
});

async function get(peer: PeerName, headers: RequestOptions['headers'] = {}): Promise<string> {
  await using caller = await pki.identity(peer);
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const options = {
    host: '127.0.0.1',
    port: server.port,
    headers,
    ...clientOptions(caller, 'gateway'),
  };
  const asked = request(options as RequestOptions, (answer) => {
    answer.setEncoding('utf8').once('data', resolve);
  });
  asked.once('error', reject);
  asked.end();
  return promise;
}

t.test("the client's address is believed of the edge alone, and only if it is one", async (t) => {
  t.equal(await get('edge', { 'x-real-ip': '203.0.113.7' }), '203.0.113.7');
  t.equal(await get('edge', { 'x-real-ip': '2001:db8::1' }), '2001:db8::1');
  t.equal(await get('edge', { 'x-real-ip': 'somebody' }), 'undefined');
  t.equal(await get('edge', { 'x-real-ip': '1.2.3.4, 5.6.7.8' }), 'undefined');
  t.equal(await get('edge', { 'x-forwarded-for': '203.0.113.7' }), 'undefined');
  t.equal(await get('control', { 'x-real-ip': '203.0.113.7' }), 'undefined');
});

t.test('T2: a peer that is not on the list is not answered', async (t) => {
  await t.rejects(get('accounts'));
  t.equal(await get('edge'), 'undefined');
});

/** What the server writes before it closes a connection on which `text` was sent and nothing more. */
async function stall(text: string): Promise<{ text: string; ms: number }> {
  await using caller = await pki.identity('edge');
  const start = performance.now();
  const socket = connect({
    host: '127.0.0.1',
    port: server.port,
    ...clientOptions(caller, 'gateway'),
  });
  let got = '';
  socket.on('data', (data) => {
    got += data.toString();
  });
  socket.on('error', () => undefined);
  socket.write(text);
  await new Promise((resolve) => socket.once('close', resolve));
  return { text: got, ms: performance.now() - start };
}

t.test('a request that is never finished is shown out, with a stated code', async (t) => {
  const headers = await stall('GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ');
  t.match(headers.text, /^HTTP\/1.1 408 .*"code":"too_slow"/s);
  t.ok(headers.ms < 5000);
  const nothing = await stall('');
  t.ok(nothing.ms < 5000, 'one that never begins as well');
});
