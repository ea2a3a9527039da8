/** The witness through the gateway, as the log of another island meets it. Real bus, store and certificates. */
import { createHash } from 'node:crypto';
import { verifierOf } from '@island/protocol/transparency/cosignature.ts';
import { parseVkey, verifyNote } from '@island/protocol/transparency/note.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { freePorts } from '@island/provisioning/ports.ts';
import t from 'tap';
import { testIsland } from '../kit/testing/kit.ts';
import { faultCode } from '../kit/testing/outcome.ts';
import { witness } from '../witness/contract.ts';
import { witnessService } from '../witness/service.ts';
import { testLogOf } from '../witness/testing/log.ts';
import { gatewayService } from './service.ts';
import { testEdge } from './testing/edge.ts';

const [gatewayPort = 0] = await freePorts(1);
const island = await testIsland(['gateway', 'control', 'directory'], { settings: { gatewayPort } });
t.teardown(() => island[Symbol.asyncDispose]());
await island.start(witnessService);
await island.start(gatewayService);
const edge = testEdge(await island.pki.identity('edge'), gatewayPort);
const { bus } = await island.kit('control');
const { keys } = await bus.call(witness, 'keys', {});

const log = testLogOf('example.com/log');
await bus.call(witness, 'trust', { vkey: log.vkey });
const add = (body: Uint8Array | string, headers: Record<string, string> = {}) =>
  edge.ask('/witness/add-checkpoint', { method: 'POST', body, headers });
const read = (origin: string, method = 'GET') => {
  const id = createHash('sha256').update(origin).digest('hex');
  return edge.ask(`/witness/${id}/checkpoint`, { method });
};

t.test('K1: a checkpoint goes in, cosignatures come out, and anybody can read both', async (t) => {
  t.match(await read(log.origin), { status: 404 }, 'nothing was signed yet');
  const reply = await add(await log.request(0, 5));
  t.match(reply, { status: 200, headers: { 'content-type': 'text/plain; charset=utf-8' } });
  const known = [log.vkey, ...keys].map((key) => verifierOf(parseVkey(key)));
  const { verified } = verifyNote((await log.checkpoint(5)) + reply.body, known);
  t.equal(verified.length, 3, 'of the log, and two of the witness');
  const shown = await read(log.origin);
  t.match(shown, { status: 200, headers: { 'content-type': 'text/plain; charset=utf-8' } });
  t.equal(shown.body, (await log.checkpoint(5)) + reply.body);
  t.match(await read(log.origin, 'HEAD'), { status: 200, body: '' });
});

t.test('whatever type of body it is said to be; the size in a type of its own', async (t) => {
  for (const type of [
    'text/plain',
    'application/octet-stream',
    'application/x-www-form-urlencoded',
  ])
    t.match(await add(await log.request(3, 6), { 'Content-Type': type }), {
      status: 409,
      headers: { 'content-type': 'text/x.tlog.size' },
      body: '5\n',
    });
});

t.test('refusals', async (t) => {
  t.match(await add(await testLogOf('example.com/other').request(0, 2)), { status: 404 });
  t.match(await add('old 0\n'), { status: 400 });
  t.match(await add(await log.fork(2).request(5, 7)), { status: 422 });
  t.match(await add(new Uint8Array(limits.witnessRequestBytes + 1).fill(97)), { status: 413 });
  t.match(await add('old 0\n', { 'Content-Encoding': 'gzip' }), { status: 400 });
  t.match(await edge.ask('/witness/add-checkpoint'), { status: 405 });
  t.match(await edge.ask('/witness/x/checkpoint'), { status: 404 });
  t.match(await edge.ask('/witness/add-checkpoint/', { method: 'POST' }), { status: 404 });
});

t.test('T3: the witness is asked by the gateway and control, and by nobody else', async (t) => {
  const { bus: other } = await island.kit('directory');
  t.equal(await faultCode(other.call(witness, 'keys', {})), 'unavailable');
  const { bus: gateway } = await island.kit('gateway');
  t.equal(await faultCode(gateway.call(witness, 'trust', { vkey: log.vkey })), 'unavailable');
});

t.test('an address has so many questions, and others notice nothing of it', async (t) => {
  const ask = (address: string) => edge.ask('/witness/x/checkpoint', { address, agent });
  const agent = edge.agent(8);
  t.teardown(() => agent.destroy());
  const statuses = new Set<number>();
  for (let n = 0; n < 40 && !statuses.has(429); n++)
    for (const { status } of await Promise.all(Array.from({ length: 50 }, () => ask('192.0.2.7'))))
      statuses.add(status);
  t.same([...statuses].sort(), [404, 429]);
  t.match(await ask('192.0.2.8'), { status: 404 });
});
