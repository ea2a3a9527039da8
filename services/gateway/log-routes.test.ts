/** The log as anybody reads it, through the gateway, with the real directory behind it. docs/protocol/transparency.md §6 */
import { openCheckpoint } from '@island/protocol/transparency/checkpoint.ts';
import { readLeaf } from '@island/protocol/transparency/leaves.ts';
import { noteVerifier, parseVkey } from '@island/protocol/transparency/note.ts';
import { decodeEntries, tilePath, tileReader } from '@island/protocol/transparency/tiles.ts';
import { leafHash, verifyInclusion } from '@island/protocol/transparency/tree.ts';
import { inclusionProof } from '@island/protocol/transparency/tree-proofs.ts';
import { freePorts } from '@island/provisioning/ports.ts';
import t from 'tap';
import { directory } from '../directory/contract.ts';
import { testDirectory } from '../directory/testing/directory.ts';
import { gatewayService } from './service.ts';
import { testEdge } from './testing/edge.ts';

const test = await testDirectory();
t.teardown(() => test[Symbol.asyncDispose]());
const [gatewayPort = 0] = await freePorts(1);
const kit = await test.island.kit('gateway');
const service = await gatewayService.start({ ...kit, settings: { ...kit.settings, gatewayPort } });
t.teardown(() => service[Symbol.asyncDispose]());
const identity = await test.island.pki.identity('edge');
t.teardown(() => identity[Symbol.asyncDispose]());
const edge = testEdge(identity, gatewayPort);
const agent = edge.agent(2);
t.teardown(() => agent.destroy());
const get = (path: string) => edge.ask(path, { agent, address: '192.0.2.7' });

await test.enrolled('ada');
const { vkey } = await test.gateway.call(directory, 'log', {});
const checkpoint = async () =>
  openCheckpoint((await get('/log/checkpoint')).body, noteVerifier(parseVkey(vkey)));

t.test(
  'K1: anybody reads checkpoint and tiles without a session, and they fit together',
  async (t) => {
    const answered = await get('/log/checkpoint');
    t.equal(answered.headers['content-type'], 'text/plain; charset=utf-8');
    t.equal(answered.headers['cache-control'], 'no-cache');
    const { size, root } = await checkpoint();
    const read = tileReader({ size, root }, async (path) => {
      const { status, headers, bytes } = await get(`/log/${path}`);
      t.equal(status, 200, path);
      t.match(headers['cache-control'], /immutable/);
      return bytes;
    });
    const at = tilePath({ level: 'entries', index: 0, width: size });
    const entries = decodeEntries((await get(`/log/${at}`)).bytes, size);
    for (const [index, entry] of entries.entries()) {
      const proof = await inclusionProof(index, size, read);
      verifyInclusion({ leaf: leafHash(entry), index, size, proof, root });
    }
    t.same(
      entries.slice(0, 3).map((entry) => readLeaf(entry).type),
      [3, 3, 2],
      'policy, VRF key, epoch',
    );
  },
);

t.test('what the published log does not have is not found, whatever it is called', async (t) => {
  const { size } = await checkpoint();
  for (const path of [
    `tile/0/000.p/${size + 1}`,
    'tile/0/000',
    'tile/0/001',
    'tile/1/000.p/1',
    'tile/0/x000/000.p/1',
    'tile/0/000.p/0',
    'tile/64/000',
    'tile/entries/../../checkpoint',
    'tile/0/000.p/%31',
    'tile/',
    'policy/0',
    'policy/2',
    'policy/01',
    'policy/',
    '',
  ])
    t.equal((await get(`/log/${path}`)).status, path === 'tile/0/000.p/%31' ? 200 : 404, path);
  t.equal((await get('/log/checkpoint?x=1')).status, 400);
  t.equal((await edge.ask('/log/checkpoint', { method: 'POST', agent })).status, 405);
});

t.test('K1: the first policy is shown as a proof that anybody reads', async (t) => {
  const { status, headers, body } = await get('/log/policy/1');
  t.equal(status, 200);
  t.match(headers['cache-control'], /immutable/);
  t.match(body, /^c2sp\.org\/tlog-proof@v1\nextra .*\nindex 0\n/);
});

t.test('discovery says what clients pin', async (t) => {
  const log = await test.gateway.call(directory, 'log', {});
  t.match(log.policy, /^log pi-kt\/[a-z2-7]{26}\+.*\nquorum none\n$/);
  t.equal(log.witnessed, false);
  t.equal(log.policyNumber, 1);
});
