/** What an island can do with tokens and delivery keys: hold messages up, as it always can, and nothing else. docs/protocol/tokens.md */

import { Fault, type FaultCode } from '@island/protocol/wire/fault.ts';
import type { Send } from '@island/protocol/wire/send.ts';
import { base64url } from '@island/protocol/wire/text.ts';
import t from 'tap';
import { type OddIsland, oddIsland } from '../testing/odd-island.ts';
import { person, reopen } from '../testing/person.ts';

t.setTimeout(120_000);

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
