/** What an island can do with the tokens that it issues: give none. docs/protocol/tokens.md §3, §4 */

import { randomBytes } from '@island/protocol/crypto/primitives.ts';
import { deriveIssuer } from '@island/protocol/crypto/token-issuer.ts';
import { base64url, fromBase64url } from '@island/protocol/wire/text.ts';
import { tokenClasses } from '@island/protocol/wire/token.ts';
import t from 'tap';
import type { Json } from '../testing/member.ts';
import { type OddIsland, oddIsland } from '../testing/odd-island.ts';
import { person, reopen } from '../testing/person.ts';

t.setTimeout(120_000);
// Each has an island of its own, and waits most of its time.
t.jobs = 5;

const spell = 3_000;
const until = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const today = Math.floor(Date.now() / 86_400_000);
const { delivery } = tokenClasses;
const other = deriveIssuer(randomBytes(32), delivery, today);

type Twisted = (path: string, answer: Json) => Json;
const tokens =
  (change: (answer: Json) => Json): Twisted =>
  (path, answer) =>
    path === '/v1/tokens' ? change(answer) : answer;
const keys =
  (change: (keys: Json[]) => Json[]): Twisted =>
  (path, answer) =>
    path === '/v1/token-keys' ? { keys: change(answer['keys'] as Json[]) } : answer;
const bytesOf = (answer: Json, name: string) => fromBase64url(String(answer[name]));

const lies: [what: string, twist: (island: OddIsland) => Twisted][] = [
  [
    'evaluated under another key',
    () =>
      tokens((answer) => {
        const { evaluated, proof } = other.evaluate(bytesOf(answer, 'evaluated'));
        return { evaluated: base64url(evaluated), proof: base64url(proof) };
      }),
  ],
  [
    'with another proof',
    () => tokens((answer) => ({ ...answer, proof: base64url(randomBytes(64)) })),
  ],
  [
    'one fewer',
    () =>
      tokens((answer) => ({
        ...answer,
        evaluated: base64url(bytesOf(answer, 'evaluated').slice(32)),
      })),
  ],
  [
    'one more',
    () =>
      tokens((answer) => {
        const evaluated = bytesOf(answer, 'evaluated');
        return {
          ...answer,
          evaluated: base64url(new Uint8Array([...evaluated, ...evaluated.slice(0, 32)])),
        };
      }),
  ],
  [
    'in another order',
    () =>
      tokens((answer) => {
        const evaluated = bytesOf(answer, 'evaluated');
        return {
          ...answer,
          evaluated: base64url(new Uint8Array([...evaluated.slice(32), ...evaluated.slice(0, 32)])),
        };
      }),
  ],
  ['of nothing', () => tokens((answer) => ({ ...answer, evaluated: '' }))],
  [
    'under a key for this client only',
    () => keys((all) => all.map((each) => ({ ...each, public: base64url(other.public) }))),
  ],
  [
    'under a key of last month',
    () => keys((all) => all.map((each) => ({ ...each, day: today - 30 }))),
  ],
  [
    'under a key of next year',
    () => keys((all) => all.map((each) => ({ ...each, day: today + 365 }))),
  ],
  ['under no key', () => keys(() => [])],
];

for (const [what, twist] of lies) {
  t.test(
    `M2 pitfall: tagging by key: tokens ${what} are none, and the island is asked for few`,
    { buffered: true },
    async (t) => {
      await using island = await oddIsland();
      const alice = await person(island, 'alice');
      await using bob = await person(island, 'bob');
      // They know each other, and have no tokens left.
      await alice.islander.send('bob', []);
      const rows = async () =>
        (await alice.storage.list('tokens')).map(({ key }) => ({ namespace: 'tokens', key }));
      await alice.storage.commit({ remove: await rows() });
      const pinned = (await alice.storage.list('token-keys')).map(({ key }) => ({
        namespace: 'token-keys',
        key,
      }));
      if (what.startsWith('under')) await alice.storage.commit({ remove: pinned });
      island.twist.answer = twist(island);
      const [key = ''] = await alice.islander.send('bob', ['patience']);
      const before = island.requests.length;
      alice.islander.startSending();
      await until(spell);
      const asked = island.requests.length - before;
      t.ok(asked < 40, `${asked} requests in ${spell} ms`);
      t.same(island.sends, [], 'nothing is paid with them');
      t.same(await alice.storage.list('tokens'), [], 'none is kept');
      const waits = (await alice.storage.read('outbox', key)) !== undefined;
      await alice.islander[Symbol.asyncDispose]();
      delete island.twist.answer;
      // What was pinned of a key that is not the island's is refused for as long as it is of today.
      if (what === 'under a key for this client only') return;
      if (!waits) {
        const state = Buffer.from(
          (await alice.storage.read('messages', key))?.bytes ?? [],
        ).toString();
        return t.match(state, /"state":"failed"/, 'it is said that the message failed, and why');
      }
      await using again = await reopen('alice', alice.storage);
      again.islander.startSending();
      t.same(await bob.hears(1), ['alice: patience']);
    },
  );
}
