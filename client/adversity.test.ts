/** What a client must survive: floods, refusals at a bad moment, a full disk, an island that does not let go. */
import type { Socket } from 'node:net';
import { createDevice, signDeviceCert } from '@island/protocol/crypto/device.ts';
import {
  nextDeviceList,
  openDeviceList,
  signDeviceList,
} from '@island/protocol/crypto/device-list.ts';
import { ed25519, randomBytes } from '@island/protocol/crypto/primitives.ts';
import { contentTypes, seal } from '@island/protocol/crypto/sealed-envelope.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { encodeServerFrame } from '@island/protocol/wire/frames.ts';
import { deviceId } from '@island/protocol/wire/ids.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import t from 'tap';
import { readAccount } from './account/account.ts';
import { openIslander } from './islander.ts';
import { openPeople } from './people/people.ts';
import type { Platform } from './platform.ts';
import { Problem } from './problem.ts';
import { memoryStorage } from './storage/memory.ts';
import type { Batch, Storage } from './storage/storage.ts';
import { makeChain, serveEdge } from './testing/edge.ts';
import type { Member } from './testing/member.ts';
import { certify } from './testing/odd-answers.ts';
import { type OddIsland, oddIsland } from './testing/odd-island.ts';
import { person, quickPlatform, type TestPerson } from './testing/person.ts';
import { nodeTransport } from './transport/node.ts';

function memberOf(island: OddIsland, { name }: TestPerson): Member {
  const member = island.members.get(name);
  if (!member) throw new Error(`${name} is not registered`);
  return member;
}

/** Rejects when nothing comes: a message that is lost must not keep the test. */
function soon<T>(work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error('nothing came')), 8_000);
  return Promise.race([work, promise]).finally(() => clearTimeout(timer));
}

/** A storage whose commits fail while `full` says so. */
function fillable(full: (batch: Batch) => boolean): Storage {
  const storage = memoryStorage();
  return {
    ...storage,
    [Symbol.asyncDispose]: () => storage[Symbol.asyncDispose](),
    async commit(batch) {
      if (full(batch)) throw new Problem('disk_full', { home: 'memory' });
      return storage.commit(batch);
    },
  };
}

t.setTimeout(60_000);

t.test(
  'M1: a full disk while a new sender is looked up does not lose the message',
  { timeout: 12_000 },
  async (t) => {
    await using island = await oddIsland();
    await using alice = await person(island, 'alice');
    let left = 2;
    const storage = fillable(
      ({ put = [] }) => put.some(({ namespace }) => namespace === 'people') && left-- > 0,
    );
    await using bob = await person(island, 'bob', storage);
    t.same(await alice.sends('bob', 'first'), ['accepted']);
    t.same(await soon(bob.hears(1)), ['alice: first']);
    t.ok(left <= 0, 'the disk was full');
  },
);

t.test(
  'M1: a refused token while a new sender is looked up does not lose the message',
  async (t) => {
    await using island = await oddIsland();
    await using alice = await person(island, 'alice');
    await using bob = await person(island, 'bob');
    t.same(await alice.sends('bob', 'first'), ['accepted']);
    let left = 3;
    island.twist.before = (path) => {
      if (path === '/v1/people/alice' && left-- > 0) throw new Fault('unauthenticated');
      return undefined;
    };
    t.same(await soon(bob.hears(1)), ['alice: first']);
    t.ok(left <= 0, 'it was refused');
  },
);

t.test(
  'M1: a full disk keeps a message queued: it does not fail',
  { timeout: 12_000 },
  async (t) => {
    await using island = await oddIsland();
    let left = 0;
    const storage = fillable(
      ({ put = [] }) => put.some(({ namespace }) => namespace === 'outbox') && left-- > 0,
    );
    await using bob = await person(island, 'bob');
    await using alice = await person(island, 'alice', storage);
    left = 2;
    t.same(await soon(alice.sends('bob', 'kept', 'next')), ['accepted', 'accepted']);
    t.match(await alice.event('waiting'), { error: { code: 'disk_full' } });
    t.same(await soon(bob.hears(2)), ['alice: kept', 'alice: next']);
  },
);

t.test(
  'M2: a flood under one name asks the island for that person once a batch',
  { timeout: 12_000 },
  async (t) => {
    await using island = await oddIsland();
    await using alice = await person(island, 'alice');
    await using bob = await person(island, 'bob');
    const { account, device } = alice.islander.account;
    const dik = bob.islander.account.dik.public;
    const member = memberOf(island, bob);
    const key = ed25519.generate().public;
    for (let i = 0; i < 120; i++) {
      const sender = { name: 'alice', account, device: deviceId(device + 1 + i), dik };
      island.deliver(
        member,
        seal(dik, {
          certificate: certify({ ...sender, aik: key, dsk: key, listEpoch: 1 }),
          type: contentTypes.ratchet,
          message: randomBytes(300),
        }),
      );
    }
    await alice.sends('bob', 'through');
    t.same(await soon(bob.hears(1)), ['alice: through']);
    const asked = island.requests.filter(({ path }) => path === '/v1/people/alice').length;
    t.ok(asked <= 20, `${asked} requests for 120 envelopes`);
  },
);

t.test('a wait that an island asks for is bounded', async (t) => {
  await using island = await oddIsland();
  await using alice = await person(island, 'alice');
  await using bob = await person(island, 'bob');
  let tries = 0;
  const settled = Promise.withResolvers<void>();
  island.twist.send = () => {
    tries += 1;
    if (tries > 20) settled.resolve();
    throw new Fault('rate_limited', { seconds: 9_999_999_999 });
  };
  await alice.islander.send(bob.name, ['hi']);
  alice.islander.startSending();
  await alice.event('waiting');
  const probe = new Promise<void>((resolve) => setTimeout(resolve, 1_000));
  await Promise.race([settled.promise, probe]);
  t.equal(tries, 1, 'a number beyond what a timer can hold is not a hot loop');
});

t.test(
  'M1: what follows a batch that could not be stored is not stored before it',
  { timeout: 12_000 },
  async (t) => {
    await using island = await oddIsland();
    await using alice = await person(island, 'alice');
    let left = 0;
    const storage = fillable(({ append = [] }) => append.length > 0 && left-- > 0);
    await using bob = await person(island, 'bob', storage);
    await alice.sends('bob', 'known');
    await soon(bob.hears(1));
    const member = memberOf(island, bob);
    const { socket } = member;
    member.socket = undefined;
    const texts = Array.from({ length: 60 }, (_, i) => `message ${i}`);
    await alice.sends('bob', ...texts);
    left = 1;
    for (const envelope of member.mailbox.slice(1))
      socket?.send(encodeServerFrame({ type: 'envelope', request: false, ...envelope }));
    t.same(
      await soon(bob.hears(60)),
      texts.map((text) => `alice: ${text}`),
    );
    t.ok(left <= 0, 'the disk was full');
  },
);

t.test(
  'pitfall: swapped OPK: one that the island hands out twice serves one session',
  { timeout: 12_000 },
  async (t) => {
    await using island = await oddIsland();
    await using alice = await person(island, 'alice');
    await using mallory = await person(island, 'mallory');
    await using bob = await person(island, 'bob');
    // The first is opened alone, while the others come; those are opened together.
    await mallory.sends('bob', 'before');
    await alice.sends('bob', 'one');
    memberOf(island, bob).handed = 1;
    await using carol = await person(island, 'carol');
    await carol.sends('bob', 'two');
    const heard = await soon(bob.hears(3));
    t.same(heard.slice(0, 2), ['mallory: before', 'alice: one']);
    t.match(heard[2], /^claims carol\? /);
  },
);

t.test('a frame that says it is larger than any is refused before it is in memory', async (t) => {
  await using island = await oddIsland();
  await using alice = await person(island, 'alice');
  await using bob = await person(island, 'bob');
  let greeted = 0;
  island.twist.greet = (socket) => {
    greeted += 1;
    if (greeted > 1) return island.deliver(memberOf(island, bob), new Uint8Array(0));
    const head = Buffer.alloc(10);
    head.set([0x82, 127]);
    head.writeBigUInt64BE(64n * 1024n * 1024n, 2);
    // The announcement and a little of the body: an honest end would never come.
    const raw = (socket as unknown as { _socket: Socket })._socket;
    raw.write(Buffer.concat([head, Buffer.alloc(100_000)]));
  };
  bob.islander.startReceiving();
  await soon(bob.event('offline'));
  delete island.twist.greet;
  await alice.sends('bob', 'after');
  t.same(await soon(bob.hears(1)), ['alice: after']);
});

t.test('an answer that trickles without end keeps nobody for ever', async (t) => {
  const chain = await makeChain(['localhost']);
  const trickling = new Set<NodeJS.Timeout>();
  await using edge = await serveEdge(chain, (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    const timer = setInterval(() => response.write(' '), 20);
    trickling.add(timer);
    response.once('close', () => clearInterval(timer));
  });
  await using transport = nodeTransport(
    { address: edge.address, root: chain.root },
    { whole: 300 },
  );
  await t.rejects(soon(transport.request({ method: 'GET', path: '/' })), { code: 'unreachable' });
  for (const timer of trickling) clearInterval(timer);
});

t.test('pitfall: rollback of DeviceList: two answers that cross are no rollback', async (t) => {
  await using island = await oddIsland();
  await using alice = await person(island, 'alice');
  await using bob = await person(island, 'bob');
  await alice.islander.send('bob', []);
  const member = memberOf(island, bob);
  const first = member.list;
  const record = await readAccount(bob.storage);
  if (!record) throw new Error('no account');
  const aik = ed25519.fromSeed(record.aik);
  const list = openDeviceList(record.list);
  const second = createDevice({ account: list.account, device: deviceId(2) });
  const devices = [...list.devices, signDeviceCert(second, aik.public, 20_000)];
  const people = openPeople(alice.storage, alice.islander.lookups);
  const later = Promise.withResolvers<void>();
  let asked = 0;
  island.twist.before = async (path) => {
    if (path === '/v1/people/bob' && asked++ === 0) await later.promise;
    return undefined;
  };
  const slow = people.refresh('bob');
  while (asked === 0) await new Promise((resolve) => setImmediate(resolve));
  member.list = base64url(signDeviceList(nextDeviceList(list, { devices }, 20_000), aik));
  t.equal((await people.refresh('bob')).list.epoch, 2);
  member.list = first;
  later.resolve();
  t.equal((await slow).list.epoch, 2, 'the newer one holds');
  await t.rejects(people.refresh('bob'), { code: 'list_rolled_back' });
});

t.test('a program that is to end while its socket opens ends', async (t) => {
  await using island = await oddIsland();
  const { storage, islander: first } = await person(island, 'alice');
  await first[Symbol.asyncDispose]();
  const ended = Promise.withResolvers<void>();
  const platform: Platform = {
    ...quickPlatform,
    transport(pinned) {
      const transport = quickPlatform.transport(pinned);
      const socket: typeof transport.socket = async (path) => {
        const opened = await transport.socket(path);
        ended.resolve(islander[Symbol.asyncDispose]());
        return opened;
      };
      return { ...transport, socket };
    },
  };
  const islander = await openIslander({ storage, platform, on: () => undefined });
  islander.startReceiving();
  await t.resolves(soon(ended.promise));
});
