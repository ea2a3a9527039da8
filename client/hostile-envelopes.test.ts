/** What an island can do with envelopes and their certificates: drop them, as it always can. docs/protocol/dm.md §6.2, §9 */
import { ed25519, randomBytes } from '@island/protocol/crypto/primitives.ts';
import { contentTypes, open, seal } from '@island/protocol/crypto/sealed-envelope.ts';
import type { CertifiedSender } from '@island/protocol/crypto/sender-certificate.ts';
import { encodeServerFrame } from '@island/protocol/wire/frames.ts';
import { deviceId, type EnvelopeId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { hex } from '@island/protocol/wire/text.ts';
import t from 'tap';
import { certify } from './testing/odd-answers.ts';
import { type OddIsland, oddIsland } from './testing/odd-island.ts';
import { certified, memberOf, withheld } from './testing/odd-people.ts';
import { person, type TestPerson } from './testing/person.ts';

t.setTimeout(120_000);

const daySeconds = 86_400;
const now = () => Math.floor(Date.now() / 1000);

async function scene() {
  const held = new AsyncDisposableStack();
  const island = held.use(await oddIsland());
  const alice = held.use(await person(island, 'alice'));
  const bob = held.use(await person(island, 'bob'));
  const carol = held.use(await person(island, 'carol'));
  return { island, alice, bob, carol, [Symbol.asyncDispose]: () => held.disposeAsync() };
}

const drops = ({ events }: TestPerson): string[] =>
  events.flatMap((event) =>
    event.type === 'dropped' && 'code' in event.error ? [String(event.error.code)] : [],
  );

/** An envelope of a real message with another certificate around it: the recipient's key opens it for the test. */
function recertified(bob: TestPerson, body: Uint8Array, certificate: Uint8Array): Uint8Array {
  const { dik } = bob.islander.account;
  const { type, message } = open(dik, body);
  return seal(dik.public, { certificate, type, message });
}

async function oneMessage(island: OddIsland, from: TestPerson, to: TestPerson, text: string) {
  await from.sends(to.name, text);
  const [body = new Uint8Array(0)] = withheld(island, to);
  return body;
}

t.test(
  'M1: an envelope that is cut, longer, or wrong in one bit is dropped, and the good one opens',
  async (t) => {
    await using here = await scene();
    const { island, alice, bob } = here;
    const body = await oneMessage(island, alice, bob, 'whole');
    const member = memberOf(island, bob);
    const spoilt = [
      ...[0, 1, 2, 33, 35, 100, body.length - 17, body.length - 1].map((end) => body.slice(0, end)),
      new Uint8Array([...body, 0]),
      ...Array.from({ length: 40 }, () => {
        const bit = body.slice();
        const at = Math.floor(Math.random() * bit.length);
        bit[at] = (bit[at] ?? 0) ^ (1 << Math.floor(Math.random() * 8));
        return bit;
      }),
    ];
    for (const each of spoilt) island.deliver(member, each);
    island.deliver(member, body);
    t.same(await bob.hears(1), ['alice: whole']);
    t.equal(drops(bob).length, spoilt.length, 'each is told of, none is shown');
  },
);

t.test(
  'M2, M6: envelopes of another recipient, another device or the sender’s own open nowhere else',
  async (t) => {
    await using here = await scene();
    const { island, alice, bob, carol } = here;
    const toCarol = await oneMessage(island, alice, carol, 'for carol');
    const toBob = await oneMessage(island, alice, bob, 'for bob');
    island.deliver(memberOf(island, bob), toCarol);
    island.deliver(memberOf(island, bob), toBob);
    island.deliver(memberOf(island, carol), toBob);
    island.deliver(memberOf(island, carol), toCarol);
    island.deliver(memberOf(island, alice), toBob);
    t.same(await bob.hears(1), ['alice: for bob']);
    t.same(await carol.hears(1), ['alice: for carol']);
    t.same(drops(bob), ['unsealable']);
    t.same(drops(carol), ['unsealable']);
  },
);

t.test(
  'M1 pitfall: UKS: the message of one sender under the certificate of another is nobody’s',
  async (t) => {
    await using here = await scene();
    const { island, alice, bob, carol } = here;
    await carol.sends('bob', 'known');
    t.same(await bob.hears(1), ['carol: known']);
    withheld(island, bob);
    const member = memberOf(island, bob);
    const { socket } = member;
    member.socket = undefined;
    const body = await oneMessage(island, alice, bob, 'from alice');
    member.socket = socket;
    island.deliver(member, recertified(bob, body, certify(certified(carol))));
    const [claimed = ''] = await bob.hears(1);
    t.match(claimed, /^claims carol\? /);
    island.deliver(memberOf(island, bob), body);
    t.same(await bob.hears(1), ['alice: from alice'], 'and spoils nothing');
  },
);

t.test(
  'M1: a message of one session in the place of another’s opens once, and only as its own',
  async (t) => {
    await using here = await scene();
    const { island, alice, bob, carol } = here;
    await alice.sends('bob', 'a1', 'a2');
    await carol.sends('bob', 'c1', 'c2');
    const bodies = withheld(island, bob);
    const member = memberOf(island, bob);
    for (const body of [...bodies].reverse()) island.deliver(member, body);
    for (const body of bodies) island.deliver(member, body, ++member.head);
    const heard = await bob.hears(4);
    t.same([...heard].sort(), ['alice: a1', 'alice: a2', 'carol: c1', 'carol: c2']);
    await carol.sends('bob', 'last');
    t.same(await bob.hears(1), ['carol: last']);
  },
);

const certificates: [
  what: string,
  make: (alice: CertifiedSender, mallory: CertifiedSender) => Uint8Array,
][] = [
  ['under another root', (alice) => certify(alice, now(), ed25519.generate())],
  ['of the person’s other device', (alice) => certify({ ...alice, device: deviceId(2) })],
  [
    'of another account with these keys',
    (alice, mallory) => certify({ ...alice, account: mallory.account }),
  ],
  ['with another DIK', (alice, mallory) => certify({ ...alice, dik: mallory.dik })],
  ['with another DSK', (alice, mallory) => certify({ ...alice, dsk: mallory.dsk })],
  [
    'that is over, for longer than an envelope may wait',
    (alice) => certify(alice, now() - (limits.envelopeDays + 3) * daySeconds),
  ],
  ['of next year', (alice) => certify(alice, now() + 365 * daySeconds)],
  ['that is zeros', () => new Uint8Array(348)],
  ['that is noise', () => randomBytes(348)],
];

for (const [what, make] of certificates) {
  t.test(`M2: a certificate ${what} is refused, and what follows opens`, async (t) => {
    await using here = await scene();
    const { island, alice, bob, carol } = here;
    const body = await oneMessage(island, alice, bob, 'certified');
    const asked = island.requests.length;
    const certificate = make(certified(alice), certified(carol));
    for (let n = 0; n < 5; n++)
      island.deliver(memberOf(island, bob), recertified(bob, body, certificate));
    island.deliver(memberOf(island, bob), body);
    t.same(await bob.hears(1), ['alice: certified']);
    t.equal(drops(bob).length, 5);
    t.ok(island.requests.length - asked < 30, 'nobody is asked for each of them');
  });
}

t.test(
  'pitfall: cert expiry vs queue time: a certificate that ended while its envelope waited is taken',
  async (t) => {
    await using here = await scene();
    const { island, alice, bob } = here;
    const body = await oneMessage(island, alice, bob, 'waited');
    const old = certify(certified(alice), now() - limits.envelopeDays * daySeconds);
    island.deliver(memberOf(island, bob), recertified(bob, body, old));
    t.same(await bob.hears(1), ['alice: waited']);
  },
);

t.test(
  'M1: an island that takes messages and drops them keeps nobody from reading the rest',
  async (t) => {
    await using here = await scene();
    const { island, alice, bob } = here;
    t.same(await alice.sends('bob', 'kept', 'dropped 1', 'dropped 2'), [
      'accepted',
      'accepted',
      'accepted',
    ]);
    memberOf(island, bob).mailbox.splice(1);
    t.same(await alice.sends('bob', 'after'), ['accepted']);
    t.same(await bob.hears(2), ['alice: kept', 'alice: after']);
    t.same(await bob.sends('alice', 'answer'), ['accepted']);
    t.same(await alice.hears(1), ['bob: answer']);
  },
);

t.test('READY and envelopes with odd numbers lose nothing and stop nothing', async (t) => {
  await using here = await scene();
  const { island, alice, bob } = here;
  await alice.sends('bob', 'one', 'two', 'three');
  const bodies = withheld(island, bob);
  const member = memberOf(island, bob);
  member.head = 2 ** 40;
  const seqs = [2 ** 40, 1, 0];
  let greeted = 0;
  island.twist.greet = (socket) => {
    greeted += 1;
    for (const [n, body] of bodies.entries())
      socket.send(
        encodeServerFrame({
          type: 'envelope',
          seq: seqs[n] ?? 0,
          id: hex(randomBytes(16)) as EnvelopeId,
          request: n === 1,
          body,
        }),
      );
  };
  t.same(await bob.hears(3), ['alice: one', 'alice: two', 'alice: three']);
  t.ok(greeted <= 2);
  t.ok(island.acks.length < 10, `${island.acks.length} acknowledgements`);
});

t.test('M2: covers and content of unknown types are dropped, however many', async (t) => {
  await using here = await scene();
  const { island, alice, bob } = here;
  const body = await oneMessage(island, alice, bob, 'after all');
  const { dik } = bob.islander.account;
  const certificate = certify(certified(alice));
  const asked = island.requests.length;
  for (let n = 0; n < 100; n++)
    island.deliver(
      memberOf(island, bob),
      seal(dik.public, { certificate, type: contentTypes.cover, message: randomBytes(300) }),
    );
  island.deliver(memberOf(island, bob), body);
  t.same(await bob.hears(1), ['alice: after all']);
  t.ok(island.requests.length - asked < 30);
});
