/**
 * The ratchet core against independent implementations, in the test-only signal-v3 profile: random
 * conversations with loss and reordering, both roles, both directions.
 */
import fc from 'fast-check';
import t from 'tap';
import { equal, randomBytes } from './primitives.ts';
import { ourV3Peer, type V3Message, type V3Peer } from './testing/signal-v3.ts';
import { libsignalPeer, privacyResearchPeer, xeddsa } from './testing/signal-v3-peers.ts';

interface Step {
  readonly from: 0 | 1;
  readonly act: 'send' | 'deliver' | 'lose';
  readonly pick: number;
}

const steps = (most: number) =>
  fc.array(
    fc.record<Step>({
      from: fc.constantFrom(0, 1),
      act: fc.constantFrom('send', 'send', 'send', 'deliver', 'deliver', 'deliver', 'lose'),
      pick: fc.nat({ max: 5 }),
    }),
    { minLength: most / 2, maxLength: most },
  );

interface Waiting {
  readonly message: V3Message;
  readonly plaintext: Uint8Array;
  /** Sending chain of the sender it belongs to. */
  readonly chain: number;
}

/** Plays the script between two devices; every delivered message must open to what was sent. */
async function converse(
  initiator: V3Peer,
  responder: V3Peer,
  oneTime: boolean,
  script: readonly Step[],
) {
  const peers = [initiator, responder] as const;
  const queues: [Waiting[], Waiting[]] = [[], []];
  const chain = [0, 0];
  const turned = [false, false];
  let delivered = 0;
  await initiator.start(await responder.bundle(oneTime));

  async function send(from: 0 | 1, length: number): Promise<void> {
    if (turned[from]) chain[from] = (chain[from] ?? 0) + 1;
    turned[from] = false;
    const plaintext = randomBytes(length);
    const message = await peers[from].encrypt(plaintext);
    queues[from].push({ message, plaintext, chain: chain[from] ?? 0 });
  }

  let newest = [-1, -1];
  async function deliver(from: 0 | 1, pick: number): Promise<void> {
    const [waiting] = queues[from].splice(pick % Math.max(queues[from].length, 1), 1);
    // Implementations keep chains of different age; two turns back all of them still know.
    if (waiting === undefined || waiting.chain < (newest[from] ?? 0) - 2) return;
    const to = from === 0 ? 1 : 0;
    const opened = await peers[to].decrypt(waiting.message);
    if (!equal(opened, waiting.plaintext)) throw new Error('opened to something else');
    if (waiting.chain > (newest[from] ?? -1)) turned[to] = true;
    newest = newest.with(from, Math.max(newest[from] ?? -1, waiting.chain));
    delivered++;
  }

  await send(0, 20);
  await deliver(0, 0);
  for (const { from, act, pick } of script) {
    if (act === 'send') await send(from, 1 + pick * 40);
    else if (act === 'deliver') await deliver(from, pick);
    else queues[from].splice(pick % Math.max(queues[from].length, 1), 1);
  }
  // Whatever was lost, the conversation goes on.
  for (const from of [0, 1, 0, 1] as const) {
    queues[from].length = 0;
    await send(from, 5);
    await deliver(from, 0);
  }
  return delivered;
}

const others: readonly {
  name: string;
  make: () => V3Peer | Promise<V3Peer>;
  runs: number;
  length: number;
}[] = [
  { name: 'libsignal 0.22.0', make: libsignalPeer, runs: 50, length: 120 },
  { name: 'Privacy Research 0.0.16', make: privacyResearchPeer, runs: 5, length: 50 },
];

for (const { name, make, runs, length } of others) {
  for (const role of ['initiator', 'responder'] as const) {
    t.test(
      `M1 the ratchet as ${role} agrees with ${name}: loss, reordering, many turns`,
      async (t) => {
        let delivered = 0;
        await fc.assert(
          fc.asyncProperty(fc.boolean(), steps(length), async (oneTime, script) => {
            const other = await make();
            const ours = ourV3Peer(xeddsa);
            delivered += await (role === 'initiator'
              ? converse(ours, other, oneTime, script)
              : converse(other, ours, oneTime, script));
          }),
          { numRuns: runs },
        );
        t.ok(delivered > runs * 5, `${delivered} messages opened`);
      },
    );
  }
}

t.test('M1 the ratchet turns fifty times with each other implementation', async (t) => {
  for (const make of [libsignalPeer, privacyResearchPeer]) {
    const other = await make();
    const turns: Step[] = [];
    for (let i = 0; i < (make === libsignalPeer ? 50 : 10); i++) {
      for (const from of [1, 0] as const) {
        turns.push({ from, act: 'send', pick: i % 5 }, { from, act: 'deliver', pick: 0 });
      }
    }
    t.equal(
      await converse(ourV3Peer(xeddsa), other, true, turns),
      5 + turns.length / 2,
      other.name,
    );
  }
});

t.test('M1 both sides keep the keys of a long run of lost messages', async (t) => {
  for (const ours of [0, 1] as const) {
    const other = libsignalPeer();
    const script: Step[] = [];
    for (let i = 0; i < 300; i++) script.push({ from: 0, act: 'send', pick: 0 });
    script.push({ from: 0, act: 'deliver', pick: 299 });
    for (let i = 0; i < 299; i++) script.push({ from: 0, act: 'deliver', pick: 0 });
    const us = ourV3Peer(xeddsa);
    const count = await (ours === 0
      ? converse(us, other, true, script)
      : converse(other, us, true, script));
    t.equal(count, 305);
  }
});
