/** Witnesses change one policy after the other, each announced under the one before; and never to none. docs/protocol/transparency.md §8.3 */
import { formatVkey } from '@island/protocol/transparency/note.ts';
import { parsePolicy } from '@island/protocol/transparency/policy.ts';
import { testPolicy } from '@island/protocol/vectors/directory-log.ts';
import t from 'tap';
import { type Attacked, attacked, caught } from '../testing/attacked.ts';
import { reopen } from '../testing/person.ts';
import { readPins } from './pins.ts';
import { renewPolicy } from './policy-change.ts';
import { witnessChange, witnessChangeTold } from './witness-change.ts';

t.setTimeout(120_000);

const [w1, w2, w3] = parsePolicy(testPolicy).witnesses.map(({ vkey }) => formatVkey(vkey));
const only = (name: string, vkey: string | undefined): string =>
  `witness ${name} ${vkey}\nquorum ${name}\n`;

const numberOf = async ({ alice }: Attacked) => (await readPins(alice.storage))?.policyNumber;
const renewed = async (here: Attacked) => {
  const { storage, islander } = here.alice;
  await renewPolicy({ storage, transport: islander.transport });
  return numberOf(here);
};

t.test(
  'K1: who was away goes from policy to policy, to witnesses that it never knew',
  async (t) => {
    await using here = await attacked({ policy: only('w1', w1), by: ['w1'] });
    const { island, alice, history } = here;
    await island.log.announce(only('w2', w2), ['w1', 'w2']);
    await island.log.announce(only('w3', w3), ['w2', 'w3']);
    history().signing.by = ['w3'];
    await history().publish();
    t.equal(await here.asks(), 'fine');
    t.match(await readPins(alice.storage), { policyNumber: 3, policy: only('w3', w3) });
    history().signing.by = ['w1', 'w2'];
    await history().publish();
    t.equal(await here.asks(), 'unwitnessed', 'those of before count no more');
  },
);

t.test('K1: where nobody was asked before, the first witnesses are taken over', async (t) => {
  await using here = await attacked();
  const { island, history } = here;
  t.equal(await renewed(here), 1);
  await island.log.announce(only('w1', w1), ['w1']);
  t.equal(await renewed(here), 2);
  history().signing.by = [];
  await history().publish();
  t.equal(await here.asks(), 'unwitnessed');
});

t.test(
  'K1: whoever counts now is told, in one word for all steps, until it was said',
  async (t) => {
    const all = (k: number) =>
      ['w1', 'w2', 'w3'].map((name, i) => `witness ${name} ${[w1, w2, w3][i]}\n`).join('') +
      `group all ${k} w1 w2 w3\nquorum all\n`;
    await using here = await attacked({ policy: only('w1', w1), by: ['w1'] });
    const { island, alice } = here;
    const change = () => witnessChange(alice.storage);
    t.equal(await change(), undefined, 'who it began with is no news');
    await island.log.announce(all(2), ['w1', 'w2']);
    await renewed(here);
    await island.log.announce(only('w3', w3), ['w1', 'w2', 'w3']);
    alice.islander.startReceiving();
    const event = await alice.event('witnesses');
    const told = { added: ['w3'], removed: ['w1'], witnesses: ['w3'], quorum: 'w3' };
    t.match(event, { change: told });
    await alice.islander[Symbol.asyncDispose]();
    await using again = await reopen('alice', alice.storage);
    t.same(await change(), told, 'also by the next program');
    await witnessChangeTold(alice.storage);
    again.islander.startReceiving();
    await again.event('online');
    await renewPolicy({ storage: alice.storage, transport: again.islander.transport });
    t.equal(await change(), undefined);
    await island.log.announce(all(1), ['w3']);
    await renewPolicy({ storage: alice.storage, transport: again.islander.transport });
    t.match(await change(), { added: ['w1', 'w2'], removed: [], quorum: 'any of w1, w2, w3' });
    await witnessChangeTold(alice.storage);
    await island.log.announce(all(3), ['w1', 'w2', 'w3']);
    await renewPolicy({ storage: alice.storage, transport: again.islander.transport });
    t.match(await change(), { added: [], removed: [], quorum: '3 of w1, w2, w3' });
    await island.log.announce(all(1), ['w1', 'w2', 'w3']);
    await renewPolicy({ storage: alice.storage, transport: again.islander.transport });
    t.equal(await change(), undefined, 'what is as it was when it was told is no news');
  },
);

const refusals: { what: string; announce: (here: Attacked) => Promise<void> }[] = [
  {
    what: 'the witnesses of the known one have not signed',
    announce: ({ island }) => island.log.announce(only('w3', w3), ['w3']),
  },
  {
    what: 'its own witnesses have not signed',
    announce: ({ island }) => island.log.announce(only('w3', w3), ['w1']),
  },
  {
    what: 'it asks for nobody',
    announce: ({ island }) => island.log.announce('quorum none\n', ['w1']),
  },
  {
    what: 'it is none',
    announce: ({ island }) => island.log.announce('quorum nobody\n', ['w1']),
  },
  {
    what: 'the log announced another text',
    async announce({ island }) {
      await island.log.announce(only('w3', w3), ['w1', 'w2', 'w3']);
      const file = new TextDecoder().decode(island.log.policies.get(2));
      const other = Buffer.from(only('w2', w2)).toString('base64');
      const lied = file.replace(/^extra .*$/m, `extra ${other}`);
      island.log.policies.set(2, new TextEncoder().encode(lied));
    },
  },
  {
    what: 'another number was announced',
    async announce({ island }) {
      await island.log.announce(only('w3', w3), ['w1', 'w2', 'w3']);
      await island.log.announce(only('w3', w3), ['w1', 'w2', 'w3']);
      island.log.policies.set(2, island.log.policies.get(3) ?? new Uint8Array(0));
    },
  },
  {
    what: 'it is of another log',
    async announce({ island }) {
      await island.log.announce(only('w3', w3), ['w1', 'w2', 'w3']);
      const file = new TextDecoder().decode(island.log.policies.get(2));
      const lied = file.replace('\npi-kt/test\n', '\npi-kt/other\n');
      island.log.policies.set(2, new TextEncoder().encode(lied));
    },
  },
  {
    what: 'the file is none',
    async announce({ island }) {
      island.log.policies.set(2, Uint8Array.of(0xff, 0, 1));
    },
  },
];

for (const { what, announce } of refusals) {
  t.test(`K1: a policy is not taken over where ${what}`, async (t) => {
    await using here = await attacked({ policy: only('w1', w1), by: ['w1'] });
    await announce(here);
    t.equal(await renewed(here), 1);
    const { history } = here;
    history().signing.by = ['w3'];
    await history().publish();
    t.equal(await here.asks(), 'unwitnessed');
    history().signing.by = ['w1'];
    await history().publish();
    t.equal(await here.asks(), 'fine', 'and the known one goes on');
    t.equal(await caught(here.alice.storage), 'not caught');
  });
}
