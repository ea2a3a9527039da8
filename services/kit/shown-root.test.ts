/** The root that an island shows, by its hash: the right one, no leaf, and nobody. docs/protocol/http.md §1 */
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { sha256 } from '@island/protocol/crypto/primitives.ts';
import t from 'tap';
import { makeChain, serveEdge } from '../../client/testing/edge.ts';
import { shownRoot } from './shown-root.ts';

const patience = 10_000;
const chain = await makeChain(['localhost']);

t.test('the root is known by its hash, and a leaf or another root is none', async (t) => {
  await using edge = await serveEdge(chain, () => t.fail('nothing is sent'));
  const root = await shownRoot(edge.address, chain.fingerprint, patience);
  t.equal(root?.trim(), chain.root.trim());
  const leaf = sha256(new X509Certificate(chain.certificates).raw);
  t.equal(await shownRoot(edge.address, leaf, patience), undefined);
  t.equal(await shownRoot(edge.address, new Uint8Array(32), patience), undefined);
});

t.test('who hangs up, or says nothing in time, has shown nothing', async (t) => {
  let hangUp = true;
  const server = createServer((socket) => {
    socket.on('error', () => undefined).resume();
    if (hangUp) socket.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await t.rejects(shownRoot(address, chain.fingerprint, patience));
  hangUp = false;
  await t.rejects(shownRoot(address, chain.fingerprint, 50), /in time/);
  const ended = new AbortController();
  const connected = once(server, 'connection');
  const asking = shownRoot(address, chain.fingerprint, patience, ended.signal);
  await connected;
  ended.abort();
  await t.rejects(asking, /waits/, 'and whoever is no longer waited for is left at once');
  await t.rejects(shownRoot(address, chain.fingerprint, patience, ended.signal));
  const closed = once(server, 'close');
  server.close();
  await closed;
  await t.rejects(shownRoot(address, chain.fingerprint, patience), { code: 'ECONNREFUSED' });
});
