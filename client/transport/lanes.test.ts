/** What an island can't put together by the connections on which nobody is signed in. M2 */
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { eventually } from '../../services/kit/testing/outcome.ts';
import { makeChain, serveEdge } from '../testing/edge.ts';
import { oddIsland } from '../testing/odd-island.ts';
import { person } from '../testing/person.ts';
import { nodeTransport } from './node.ts';

const chain = await makeChain(['localhost']);

/** Each request, as `path body` and the connection that it came on. */
async function edge() {
  const seen: { what: string; port: number | undefined }[] = [];
  const served = await serveEdge(chain, (request, response) => {
    let body = '';
    request.on('data', (part: Buffer) => {
      body += part.toString();
    });
    request.on('end', () => {
      seen.push({ what: `${request.url} ${body}`, port: request.socket.remotePort });
      // Two at once stay two.
      setTimeout(() => response.writeHead(202).end(), 20);
    });
  });
  const transport = nodeTransport({ address: served.address, root: chain.root });
  return {
    seen,
    transport,
    connections: served.connections,
    async [Symbol.asyncDispose]() {
      await transport[Symbol.asyncDispose]();
      await served[Symbol.asyncDispose]();
    },
  };
}

const bytes = (text: string) => new TextEncoder().encode(text);

t.test(
  'M2: lookups of and sends to one person go one way, each other person another',
  async (t) => {
    await using line = await edge();
    const { transport } = line;
    const ask = (lane: string) =>
      transport.apart({ method: 'POST', path: '/ask', body: `of ${lane}`, lane });
    for (const lane of ['bob', 'carol', 'alice']) {
      await ask(lane);
      await transport.send(bytes(`to ${lane}`), { lane });
    }
    for (let i = 0; i < 5; i++) await transport.send(bytes('once more to bob'), { lane: 'bob' });
    const ports = (lane: string) =>
      new Set(line.seen.filter(({ what }) => what.endsWith(lane)).map(({ port }) => port));
    const sizes = ['bob', 'carol', 'alice'].map((lane) => ports(lane).size);
    t.ok(
      sizes.every((size) => size <= 2),
      'kept for a while',
    );
    const all = new Set(line.seen.map(({ port }) => port)).size;
    t.equal(
      all,
      sizes.reduce((sum, size) => sum + size, 0),
      'none carries two lanes',
    );
    t.notOk(line.connections.some(({ socket }) => socket.isSessionReused()));
  },
);

t.test('M2: what has no lane has a connection to itself, which ends with the answer', async (t) => {
  await using line = await edge();
  const { transport } = line;
  await transport.send(bytes('x'), { lane: 'bob' });
  for (let i = 0; i < 3; i++) await transport.apart({ method: 'GET', path: '/keys' });
  await Promise.all([1, 2, 3].map(() => transport.apart({ method: 'GET', path: '/keys' })));
  t.equal(new Set(line.seen.map(({ port }) => port)).size, 7);
  t.notOk(line.connections.some(({ socket }) => socket.isSessionReused()));
  await eventually(() => line.connections.filter(({ socket }) => !socket.destroyed).length === 1);
});

t.test(
  'lanes are few: the one used least recently ends, and what is under way ends well',
  async (t) => {
    await using line = await edge();
    const { transport } = line;
    const lanes = Array.from({ length: 60 }, (_, i) => `p${i}`);
    const answers = await Promise.all(lanes.map((lane) => transport.send(bytes(lane), { lane })));
    t.ok(answers.every(({ status }) => status === 202));
    const open = () => line.connections.filter(({ socket }) => !socket.destroyed).length;
    await eventually(() => open() <= 32);
    await delay(20);
    t.equal(open(), 32);
    const before = line.connections.length;
    await transport.send(bytes('again'), { lane: 'p59' });
    t.equal(line.connections.length, before);
  },
);

t.test(
  'M2: sends to two people, keys of tokens and what is signed in share no connection',
  async (t) => {
    await using island = await oddIsland();
    await using alice = await person(island, 'alice');
    await using bob = await person(island, 'bob');
    await using carol = await person(island, 'carol');
    const ways = new Map<number | undefined, Set<string>>();
    island.onRequest = ({ socket, url, headers }) => {
      const way = ways.get(socket.remotePort) ?? new Set();
      ways.set(socket.remotePort, way.add(headers.authorization ? 'signed in' : `${url}`));
      if (url === '/v1/send') last = socket.remotePort ?? 0;
    };
    // One message at a time: the last request to send is this one.
    let last = 0;
    const sends: { account: string; port: number }[] = [];
    island.twist.send = ({ account }) => {
      sends.push({ account, port: last });
      return undefined;
    };
    t.same(await alice.sends(bob.name, 'hi'), ['accepted']);
    t.same(await alice.sends(carol.name, 'hi'), ['accepted']);
    const sets = [...ways.values()].map((set) => [...set].sort());
    const alone = sets.filter((set) => set.includes('/v1/token-keys'));
    t.same(alone, [['/v1/token-keys']], 'asked once, on a connection of its own');
    const to = new Map<string, Set<number>>();
    for (const { account, port } of sends)
      to.set(account, (to.get(account) ?? new Set()).add(port));
    t.equal(to.size, 2);
    t.equal(
      [...to.values()].reduce((sum, { size }) => sum + size, 0),
      new Set(sends.map(({ port }) => port)).size,
      'no connection goes to both',
    );
    t.notOk(sets.some((set) => set.includes('signed in') && set.length > 1));
  },
);
