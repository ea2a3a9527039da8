/** What an island that lies, loses, repeats and floods can do to a client: nothing that shows a wrong message. */
import { encodeState } from '@island/protocol/crypto/account-state.ts';
import { createDevice, signDeviceCert } from '@island/protocol/crypto/device.ts';
import {
  nextDeviceList,
  openDeviceList,
  signDeviceList,
} from '@island/protocol/crypto/device-list.ts';
import { ed25519, randomBytes } from '@island/protocol/crypto/primitives.ts';
import { contentTypes, seal } from '@island/protocol/crypto/sealed-envelope.ts';
import type { CertifiedSender } from '@island/protocol/crypto/sender-certificate.ts';
import { sign } from '@island/protocol/crypto/signature.ts';
import { concat } from '@island/protocol/wire/bytes.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { encodeServerFrame } from '@island/protocol/wire/frames.ts';
import { deviceId, type EnvelopeId } from '@island/protocol/wire/ids.ts';
import { base64url, hex } from '@island/protocol/wire/text.ts';
import t from 'tap';
import { readAccount } from './account/account.ts';
import { openPeople } from './people/people.ts';
import { problems } from './problem.ts';
import { bundleOf, type Member } from './testing/member.ts';
import { certify } from './testing/odd-answers.ts';
import { type OddIsland, oddIsland } from './testing/odd-island.ts';
import { person, type TestPerson } from './testing/person.ts';

const about = (code: keyof typeof problems, name: string): string =>
  problems[code].replaceAll('{name}', name);

function memberOf(island: OddIsland, { name }: TestPerson): Member {
  const member = island.members.get(name);
  if (!member) throw new Error(`${name} is not registered`);
  return member;
}

async function listOf({ storage }: TestPerson) {
  const record = await readAccount(storage);
  if (!record) throw new Error('no account');
  return { list: openDeviceList(record.list), aik: ed25519.fromSeed(record.aik) };
}

t.test('pitfall: ghost device: a list that the identity key did not sign is refused', async (t) => {
  await using island = await oddIsland();
  await using alice = await person(island, 'alice');
  await using bob = await person(island, 'bob');
  const { list } = await listOf(bob);
  const ghost = signDeviceCert(
    createDevice({ account: list.account, device: deviceId(2) }),
    list.aik,
    20_000,
  );
  const fields = encodeState(nextDeviceList(list, { devices: [...list.devices, ghost] }, 20_000));
  const forged = sign('device-list', ed25519.generate(), fields);
  memberOf(island, bob).list = base64url(concat(fields, forged));
  await t.rejects(alice.islander.send('bob', ['hi']), { code: 'list_invalid' });
  memberOf(island, bob).list = memberOf(island, alice).list;
  await t.rejects(
    alice.islander.send('bob', ['hi']),
    { code: 'list_invalid' },
    'somebody else’s list',
  );
  t.equal(island.sends.length, 0);
});

t.test(
  'K2, pitfall: a changed identity key is refused in a sentence, and nothing is sent to it',
  async (t) => {
    await using island = await oddIsland();
    await using alice = await person(island, 'alice');
    await using bob = await person(island, 'bob');
    t.same(await alice.sends('bob', 'first'), ['accepted']);
    const { list } = await listOf(bob);
    const aik = ed25519.generate();
    const device = createDevice({ account: list.account, device: deviceId(2) });
    const devices = [signDeviceCert(device, aik.public, 20_000)];
    const replace = { aik: aik.public, how: 'reset' } as const;
    const reset = signDeviceList(nextDeviceList(list, { devices, replace }, 20_000), aik);
    memberOf(island, bob).list = base64url(reset);
    island.twist.send = () => {
      throw new Fault('stale_devices', { missing: [2], extra: [1], epoch: 2 });
    };
    t.same(await alice.sends('bob', 'second'), [about('identity_changed', 'bob')]);
    t.equal(island.sends.length, 1);
  },
);

t.test('pitfall: rollback of DeviceList: an older list is refused', async (t) => {
  await using island = await oddIsland();
  await using alice = await person(island, 'alice');
  await using bob = await person(island, 'bob');
  const first = memberOf(island, bob).list;
  const { list, aik } = await listOf(bob);
  const second = createDevice({ account: list.account, device: deviceId(2) });
  const devices = [...list.devices, signDeviceCert(second, list.aik, 20_000)];
  memberOf(island, bob).list = base64url(
    signDeviceList(nextDeviceList(list, { devices }, 20_000), aik),
  );
  await alice.islander.send('bob', []);
  memberOf(island, bob).list = first;
  island.twist.send = () => {
    throw new Fault('stale_devices', { missing: [], extra: [2], epoch: 1 });
  };
  island.twist.answer = (path, answer) =>
    path === '/v1/bundles'
      ? {
          bundles: [
            { ...bundleOf(memberOf(island, bob)), device: 1 },
            { ...bundleOf(memberOf(island, bob)), device: 2 },
          ],
        }
      : answer;
  const outcome = await alice.sends('bob', 'hi');
  t.same(
    outcome,
    [about('bundle_invalid', 'bob')],
    'nor do prekeys of one device serve for another',
  );
  island.twist.answer = (_path, answer) => answer;
  t.equal(island.sends.length, 0);
  const people = openPeople(alice.storage, alice.islander.lookups);
  await t.rejects(people.refresh('bob'), { code: 'list_rolled_back' });
});

t.test('pitfall: swapped prekeys: bundles that the device did not sign are refused', async (t) => {
  await using island = await oddIsland();
  await using alice = await person(island, 'alice');
  await using bob = await person(island, 'bob');
  await using carol = await person(island, 'carol');
  for (const [kind, part] of [
    ['one-time', 'signedPrekey'],
    ['one-time', 'oneTime'],
    ['last-resort', 'lastResort'],
  ] as const) {
    const theirs = bundleOf(memberOf(island, carol), kind);
    island.twist.answer = (path, answer) =>
      path === '/v1/bundles'
        ? { bundles: [{ ...bundleOf(memberOf(island, bob), kind), [part]: theirs[part] }] }
        : answer;
    t.same(await alice.sends('bob', part), [about('bundle_invalid', 'bob')], part);
  }
  island.twist.answer = (path, answer) => (path === '/v1/bundles' ? { bundles: [] } : answer);
  t.same(await alice.sends('bob', 'none'), [about('bundle_invalid', 'bob')]);
  t.equal(island.sends.length, 0);
  island.twist.answer = (_path, answer) => answer;
  t.same(await alice.sends('bob', 'good'), ['accepted']);
  t.same(await bob.hears(1), ['alice: good']);
});

t.test(
  'pitfall: OPK exhaustion: without a one-time prekey the session is made with the last resort',
  async (t) => {
    await using island = await oddIsland();
    await using alice = await person(island, 'alice');
    await using bob = await person(island, 'bob');
    island.twist.answer = (path, answer) => {
      if (path !== '/v1/bundles') return answer;
      return { bundles: [bundleOf(memberOf(island, bob), 'last-resort')] };
    };
    t.same(await alice.sends('bob', 'hello'), ['accepted']);
    t.same(await bob.hears(1), ['alice: hello']);

    await t.test(
      'pitfall: last-resort replay: the first message again is dropped without a word',
      async (t) => {
        const [first] = memberOf(island, bob).mailbox;
        island.deliver(memberOf(island, bob), first?.body ?? new Uint8Array(0));
        t.same(await alice.sends('bob', 'after'), ['accepted']);
        t.same(await bob.hears(1), ['alice: after']);
      },
    );
  },
);

t.test(
  'pitfall: duplicate delivery: replayed, repeated and reordered envelopes give each message once',
  async (t) => {
    await using island = await oddIsland();
    await using alice = await person(island, 'alice');
    await using bob = await person(island, 'bob');
    const texts = Array.from({ length: 20 }, (_, i) => `message ${i}`);
    await alice.sends('bob', ...texts);
    const member = memberOf(island, bob);
    const bodies = member.mailbox.map(({ body }) => body);
    member.mailbox.length = 0;
    for (const body of [...bodies].reverse()) island.deliver(member, body);
    for (const body of bodies) island.deliver(member, body);
    const heard = await bob.hears(20);
    t.same([...heard].sort(), texts.map((text) => `alice: ${text}`).sort());
    for (const body of bodies) island.deliver(member, body);
    await alice.sends('bob', 'last');
    t.same(await bob.hears(1), ['alice: last']);
    t.same(
      bob.events.filter(({ type }) => type === 'dropped'),
      [],
    );
  },
);

t.test('M2, M6: a message whose sender is not proved is not shown', async (t) => {
  await using island = await oddIsland();
  await using alice = await person(island, 'alice');
  await using bob = await person(island, 'bob');
  await using mallory = await person(island, 'mallory');
  await alice.sends('bob', 'known');
  await bob.hears(1);
  await mallory.sends('bob', 'mine');
  const dik = (await listOf(bob)).list.devices[0]?.dik ?? new Uint8Array(32);
  const real = alice.islander.account;
  const claims = [
    {
      name: 'alice',
      account: real.account,
      device: deviceId(1),
      dik: mallory.islander.account.dik.public,
    },
    { name: 'alice', account: real.account, device: deviceId(2), dik: real.dik.public },
    {
      name: 'nobody',
      account: hex(randomBytes(16)) as typeof real.account,
      device: deviceId(1),
      dik: real.dik.public,
    },
    {
      name: 'alice',
      account: hex(randomBytes(16)) as typeof real.account,
      device: deviceId(1),
      dik: real.dik.public,
    },
    {
      name: 'bob',
      account: bob.islander.account.account,
      device: deviceId(1),
      dik: bob.islander.account.dik.public,
    },
  ];
  for (const sender of claims) {
    island.deliver(memberOf(island, bob), sealedAs(sender, dik));
  }
  // The keys on a list are public: what the session does not open is said, but not under the name.
  const sender = {
    name: 'alice',
    account: real.account,
    device: deviceId(1),
    dsk: real.dsk.public,
    dik: real.dik.public,
  };
  island.deliver(memberOf(island, bob), sealedAs(sender, dik));
  island.deliver(memberOf(island, bob), randomBytes(500));
  island.deliver(memberOf(island, bob), new Uint8Array(0));
  await alice.sends('bob', 'still here');
  const heard = await bob.hears(3);
  t.equal(heard[0], 'mallory: mine');
  t.match(heard[1], /^claims alice\? /);
  t.equal(heard[2], 'alice: still here');
  t.equal(bob.events.filter(({ type }) => type === 'dropped').length, claims.length + 2);
});

/** The island certifies whomever it likes; the DSK is the real one where there is one. */
function sealedAs(
  sender: Pick<CertifiedSender, 'name' | 'account' | 'device' | 'dik'> & { dsk?: Uint8Array },
  dik: Uint8Array,
): Uint8Array {
  const someKey = ed25519.generate().public;
  const certificate = certify({ aik: someKey, dsk: someKey, listEpoch: 1, ...sender });
  return seal(dik, { certificate, type: contentTypes.ratchet, message: randomBytes(400) });
}

t.test('garbage, text and oversize frames end the connection, not the client', async (t) => {
  await using island = await oddIsland();
  await using alice = await person(island, 'alice');
  await using bob = await person(island, 'bob');
  const member = memberOf(island, bob);
  const bad: (string | Uint8Array)[] = [
    'text',
    new Uint8Array(0),
    randomBytes(64),
    Uint8Array.of(1, 0x99),
    Uint8Array.of(2, 0x81),
    new Uint8Array(40_000).fill(1),
    encodeServerFrame({
      type: 'envelope',
      seq: 1,
      request: false,
      id: '0'.repeat(32) as EnvelopeId,
      body: new Uint8Array(10),
    }).subarray(0, 30),
  ];
  let greeted = 0;
  const all = Promise.withResolvers<void>();
  island.twist.greet = (socket) => {
    const next = bad[greeted++];
    if (next !== undefined) return socket.send(next);
    for (const envelope of member.mailbox)
      socket.send(encodeServerFrame({ type: 'envelope', request: false, ...envelope }));
    all.resolve();
  };
  await alice.sends('bob', 'through');
  t.same(await bob.hears(1), ['alice: through']);
  await all.promise;
  t.equal(greeted, bad.length + 1);
});

t.test(
  'an endless backlog that ignores the window is cut off before it fills the memory',
  async (t) => {
    await using island = await oddIsland();
    await using bob = await person(island, 'bob');
    const closed = Promise.withResolvers<number>();
    island.twist.greet = (socket) => {
      let sent = 0;
      socket.once('close', () => closed.resolve(sent));
      const flood = (): void => {
        if (socket.readyState !== socket.OPEN) return;
        while (socket.bufferedAmount < 1_000_000) {
          sent += 1;
          socket.send(
            encodeServerFrame({
              type: 'envelope',
              seq: sent,
              request: false,
              id: hex(randomBytes(16)) as EnvelopeId,
              body: new Uint8Array(15_000),
            }),
          );
        }
        setImmediate(flood);
      };
      flood();
    };
    bob.islander.startReceiving();
    await closed.promise;
    const event = await bob.event('offline');
    t.match(event, { error: { code: 'not_an_island' } });
  },
);

t.test('a copy of the home that connects ends this one, and it does not fight back', async (t) => {
  await using island = await oddIsland();
  await using bob = await person(island, 'bob');
  island.twist.greet = (socket) => socket.close(4410, 'replaced');
  bob.islander.startReceiving();
  await t.rejects(bob.islander.failed, { code: 'replaced' });
});
