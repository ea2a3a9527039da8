/** What an island can do with tokens and delivery keys: hold messages up, as it always can, and nothing else. docs/protocol/tokens.md */

import { Fault, type FaultCode } from '@island/protocol/wire/fault.ts';
import type { Send } from '@island/protocol/wire/send.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import t from 'tap';
import { eventually } from '../../services/kit/testing/outcome.ts';
import { type OddIsland, oddIsland } from '../testing/odd-island.ts';
import { person, reopen } from '../testing/person.ts';

t.setTimeout(120_000);
// Each has an island of its own, and waits most of its time.
t.jobs = 5;

const spell = 4_000;
const until = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Everything that a client shows while the island refuses all of it. */
function refusing(island: OddIsland, refuse: (send: Send) => Fault) {
  const shown: Send[] = [];
  island.twist.send = (send) => {
    shown.push(send);
    throw refuse(send);
  };
  const tokens = () =>
    new Set(shown.flatMap((send) => send.tokens.map((each) => base64url(each.input))));
  return { shown, tokens };
}

const refusals: [code: FaultCode, details: Record<string, number | number[]> | undefined][] = [
  ['token_needed', { needed: 16 }],
  ['token_needed', undefined],
  ['token_invalid', undefined],
  ['token_spent', undefined],
  ['delivery_key_refused', undefined],
  ['requests_full', undefined],
  ['tokens_exhausted', { seconds: 0 }],
  ['mailbox_full', undefined],
  ['stale_devices', { missing: [7], extra: [1], epoch: 1 }],
  ['stale_devices', undefined],
];

for (const [code, details] of refusals) {
  t.test(
    `M2: an island that says ${code} ${details ? JSON.stringify(details) : ''} for ever gets few requests and few tokens`,
    { buffered: true },
    async (t) => {
      await using island = await oddIsland();
      const alice = await person(island, 'alice');
      await using bob = await person(island, 'bob');
      const { shown, tokens } = refusing(island, () => new Fault(code, details));
      const before = island.requests.length;
      const [key = ''] = await alice.islander.send('bob', ['patience']);
      alice.islander.startSending();
      await until(spell);
      t.comment(
        `${shown.length} sends, ${tokens().size} tokens, ${island.requests.length - before} requests`,
      );
      t.ok(shown.length > 0 && shown.length <= 16, `${shown.length} sends in ${spell} ms`);
      t.ok(tokens().size <= 16, `${tokens().size} tokens`);
      delete island.twist.send;
      t.same((await alice.storage.read('outbox', key)) !== undefined, true, 'the message waits');
      await alice.islander[Symbol.asyncDispose]();
      await using again = await reopen('alice', alice.storage);
      again.islander.startSending();
      t.same(await bob.hears(1), ['alice: patience']);
    },
  );
}

t.test(
  'a delivery key whose number a thief put up, or an island that was put back: the client finds to one',
  async (t) => {
    await using island = await oddIsland();
    await using alice = await person(island, 'alice');
    let present = Number.MAX_SAFE_INTEGER;
    const taken: number[] = [];
    island.twist.before = (path, { epoch }) => {
      if (path !== '/v1/delivery-key') return undefined;
      const wanted = Number(epoch);
      if (wanted <= present || wanted > present + 1024)
        throw new Fault('stale_delivery_key', { epoch: present });
      present = wanted;
      taken.push(wanted);
      return undefined;
    };
    const own = async () => {
      const row = await alice.storage.read('delivery-key', 'own');
      return row && JSON.parse(Buffer.from(row.bytes).toString());
    };
    const agreed = (epoch: number) =>
      eventually(async () => (await own())?.registered && (await own()).epoch === epoch, 30_000);
    alice.islander.startReceiving();
    await until(500);
    t.equal(await own(), undefined, 'a number that no message can say is not taken over');
    // One of before has its own again, or has none.
    present = 1025;
    await agreed(1026);
    present = 0;
    const row = await alice.storage.read('delivery-key', 'own');
    const bytes = Buffer.from(JSON.stringify({ ...(await own()), epoch: 3000, registered: false }));
    await alice.storage.commit({
      put: [{ namespace: 'delivery-key', key: 'own', bytes }],
      expect: [{ namespace: 'delivery-key', key: 'own', version: row?.version ?? 0 }],
    });
    await agreed(3000);
    t.same(taken, [1026, 1024, 2048, 3000]);
  },
);
