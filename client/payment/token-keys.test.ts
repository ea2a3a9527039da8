/** What an island can't learn by the keys and days that it offers for tokens. M2 */
import { deriveIssuer } from '@island/protocol/crypto/token-issuer.ts';
import { base64url, fromBase64url } from '@island/protocol/wire/text.ts';
import { tokenClasses } from '@island/protocol/wire/token.ts';
import t from 'tap';
import { eventually } from '../../services/kit/testing/outcome.ts';
import { nodePlatform } from '../platform-node.ts';
import { memoryStorage } from '../storage/memory.ts';
import type { Json } from '../testing/member.ts';
import { type OddIsland, oddIsland } from '../testing/odd-island.ts';
import { person, reopen } from '../testing/person.ts';
import { openTokenKeys, tokenKeysNamespace } from './token-keys.ts';

const dayMs = 86_400_000;
const today = () => Math.floor(Date.now() / dayMs);
const classes = Object.values(tokenClasses);
const seed = new Uint8Array(32).fill(7);
const keyOf = (kind: (typeof classes)[number], day: number) => ({
  class: kind,
  day,
  public: base64url(deriveIssuer(seed, kind, day).public),
});
const offer = (...days: number[]) => ({
  keys: days.flatMap((day) => classes.map((kind) => keyOf(kind, day))),
});

/** It shows these keys, and issues under whatever day it is asked for. */
function offering(island: OddIsland, keys: () => Json): void {
  let asked: Json = {};
  island.twist.before = (_path, body) => {
    asked = body;
    return undefined;
  };
  island.twist.answer = (path, answer) => {
    if (path === '/v1/token-keys') return keys();
    if (path !== '/v1/tokens') return answer;
    const issuer = deriveIssuer(seed, asked['class'] as 1, Number(asked['day']));
    const { evaluated, proof } = issuer.evaluate(fromBase64url(String(asked['blinded'])));
    return { evaluated: base64url(evaluated), proof: base64url(proof) };
  };
}

const issued = ({ requests }: OddIsland) => requests.filter(({ path }) => path === '/v1/tokens');

t.test('M2: an island that offers each client a day of its own gives no tokens', async (t) => {
  await using island = await oddIsland();
  let next = today() + 1000;
  offering(island, () => {
    next += 2;
    return offer(next, next + 1);
  });
  await using alice = await person(island, 'alice');
  await using bob = await person(island, 'bob');
  alice.sends(bob.name, 'hi').catch(() => undefined);
  t.match(await alice.event('waiting'), { error: { code: 'clock_wrong' } });
  t.same(issued(island), []);
  t.same(await alice.storage.list(tokenKeysNamespace), []);
});

t.test('M2: a client whose clock is two days ahead says so, and gets no tokens', async (t) => {
  await using island = await oddIsland();
  await using bob = await person(island, 'bob');
  const first = await person(island, 'alice');
  await first.islander[Symbol.asyncDispose]();
  await using alice = await reopen('alice', first.storage, () => Date.now() + 2 * dayMs);
  alice.sends(bob.name, 'hi').catch(() => undefined);
  t.match(await alice.event('waiting'), { error: { code: 'clock_wrong' } });
  const tries = () => alice.events.filter(({ type }) => type === 'waiting').length;
  await eventually(() => tries() > 3, 30_000);
  t.same(issued(island), []);
  const asked = island.requests.filter(({ path }) => path === '/v1/token-keys');
  t.equal(asked.length, 1);
});

t.test('M2: tokens are got under the key of today, and keys are asked for once', async (t) => {
  await using island = await oddIsland();
  await using alice = await person(island, 'alice');
  await using bob = await person(island, 'bob');
  t.same(await alice.sends(bob.name, 'hi'), ['accepted']);
  const days = new Set(island.sends.flatMap(({ tokens }) => tokens.map(({ day }) => day)));
  t.same([...days], [today()]);
  const pins = await alice.storage.list(tokenKeysNamespace);
  t.same(
    pins.map(({ key }) => key).sort(),
    classes.flatMap((kind) => [`${kind} ${today()}`, `${kind} ${today() + 1}`]).sort(),
  );
});

t.test(
  'M2: keys of odd days and classes, too many or too few, or changed, are refused',
  async (t) => {
    await using island = await oddIsland();
    let shown: Json = {};
    offering(island, () => shown);
    await using transport = nodePlatform.transport({
      address: island.address,
      root: island.chain.root,
    });
    const day = 20_000;
    const noon = day * dayMs + dayMs / 2;
    const keysAt = (now: number, storage = memoryStorage()) =>
      openTokenKeys({ storage, transport, now: () => now });
    const { keys } = offer(day, day + 1);
    for (const [what, odd] of [
      ['today alone', offer(day)],
      ['three days', offer(day, day + 1, day + 2)],
      ['a day between', offer(day, day + 2)],
      ['one twice', { keys: [...keys.slice(1), keys[1]] }],
      ['two for one', { keys: [...keys, { ...keys[0], public: base64url(seed) }] }],
      ['none', { keys: [] }],
    ] as const) {
      shown = odd;
      await t.rejects(keysAt(noon).present(1), { code: 'token_keys_differ' }, what);
    }
    for (const other of [day - 1, day + 1, day + 1_000_000]) {
      shown = offer(other, other + 1);
      await t.rejects(keysAt(noon).present(1), { code: 'clock_wrong' }, String(other));
    }
    const storage = memoryStorage();
    shown = offer(day, day + 1);
    t.match(await keysAt(noon, storage).present(1), [{ day }]);
    shown = offer(day + 1_000_000, day + 1_000_001);
    t.match(await keysAt(noon + dayMs, storage).present(1), [{ day: day + 1 }], 'without asking');
    await t.rejects(keysAt(noon + dayMs, storage).ahead(), { code: 'clock_wrong' });
    t.equal((await storage.list(tokenKeysNamespace)).length, 4, 'and the pins stay');
    const [first] = offer(day + 1, day + 2).keys;
    shown = {
      keys: [{ ...first, public: base64url(seed) }, ...offer(day + 1, day + 2).keys.slice(1)],
    };
    await t.rejects(keysAt(noon + dayMs, storage).ahead(), { code: 'token_keys_differ' });
    shown = offer(day + 10, day + 11);
    await keysAt(noon + 10 * dayMs, storage).ahead();
    t.equal((await storage.list(tokenKeysNamespace)).length, 4, 'old ones go, by our clock');
  },
);

t.test('around midnight a clock may differ by less than an hour', async (t) => {
  await using island = await oddIsland();
  const day = 20_000;
  let first = day;
  offering(island, () => offer(first, first + 1));
  await using transport = nodePlatform.transport({
    address: island.address,
    root: island.chain.root,
  });
  const daysAt = async (now: number) => {
    const keys = openTokenKeys({ storage: memoryStorage(), transport, now: () => now });
    return (await keys.present(1)).map((key) => key.day);
  };
  const midnight = day * dayMs;
  const minutes = 60_000;
  t.same(await daysAt(midnight - 30 * minutes), [day], 'ours is behind');
  await t.rejects(daysAt(midnight - 90 * minutes), { code: 'clock_wrong' });
  first = day - 1;
  t.same(await daysAt(midnight + 30 * minutes), [day], 'ours is ahead');
  await t.rejects(daysAt(midnight + 90 * minutes), { code: 'clock_wrong' });
  t.same(await daysAt(midnight - 30 * minutes), [day - 1, day], 'both, ours first');
});
