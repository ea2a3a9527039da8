/** Several programs on one home: they share its sessions and never take two steps from one state. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { fileStorage } from '../storage/file.ts';
import { oddIsland } from '../testing/odd-island.ts';
import { person, reopen } from '../testing/person.ts';

const numbered = (who: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${who} ${i}`);

t.test(
  'M1 pitfall: counter reuse (two tabs): two programs send and receive with one home at once',
  async (t) => {
    const home = mkdtempSync(join(tmpdir(), 'islander-'));
    t.teardown(() => rmSync(home, { recursive: true }));
    await using island = await oddIsland();
    await using bob = await person(island, 'bob');
    await using storage = fileStorage(home);
    await using one = await person(island, 'alice', storage);
    await using second = fileStorage(home);
    await using two = await reopen('alice', second);
    one.islander.startReceiving();
    two.islander.startReceiving();
    const count = 25;
    await Promise.all([
      one.sends('bob', ...numbered('one', count)),
      two.sends('bob', ...numbered('two', count)),
      bob.sends('alice', ...numbered('bob', count)),
    ]);
    const heard = await bob.hears(2 * count);
    for (const who of ['one', 'two']) {
      t.same(
        heard.filter((line) => line.startsWith(`alice: ${who}`)),
        numbered(who, count).map((text) => `alice: ${text}`),
      );
    }
    const expected = numbered('bob', count).map((text) => `bob: ${text}`);
    t.same(await two.hears(count), expected, 'what came through either is there for both');
    // Receipts may be on their way, too.
    const ids = island.sends.flatMap(({ envelopes }) => envelopes.map(({ id }) => id));
    t.ok(ids.length >= 3 * count);
    t.equal(new Set(ids).size, ids.length, 'nothing was sent twice');
  },
);

t.test('a program that holds the inbox ends, and the other one takes over by itself', async (t) => {
  await using island = await oddIsland();
  await using alice = await person(island, 'alice');
  await using bob = await person(island, 'bob');
  const holder = await reopen('bob', bob.storage);
  holder.islander.startReceiving();
  await holder.event('online');
  bob.islander.startReceiving();
  await alice.sends('bob', 'first');
  t.same(await bob.hears(1), ['alice: first'], 'through the storage');
  t.notOk(bob.events.some(({ type }) => type === 'online'));
  await holder.islander[Symbol.asyncDispose]();
  await bob.event('online');
  await alice.sends('bob', 'second');
  t.same(await bob.hears(1), ['alice: second']);
});
