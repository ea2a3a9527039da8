/** When contacts are told one's delivery key, and what that holds up. M2 */
import t from 'tap';
import { eventually } from '../../services/kit/testing/outcome.ts';
import { contacts } from '../people/contacts.ts';
import { waiting } from '../sending/outbox.ts';
import { oddIsland } from '../testing/odd-island.ts';
import { person } from '../testing/person.ts';

t.test('M2: several contacts are told at random times within an hour; messages pass', async (t) => {
  await using island = await oddIsland();
  await using alice = await person(island, 'alice');
  const names = ['bob', 'carol', 'dave', 'erin'];
  for (const name of names) {
    await using _other = await person(island, name);
    t.same(await alice.sends(name, 'hi'), ['accepted']);
  }
  const sent = island.sends.length;
  const before = Date.now();
  alice.islander.startReceiving();
  await eventually(async () => (await contacts(alice.storage)).every(({ told }) => told === 1));
  const rows = await waiting(alice.storage);
  t.same(new Set(rows.map(({ to }) => to)), new Set(names));
  const times = rows.map(({ notBefore = 0 }) => notBefore - before);
  t.ok(Math.max(...times) > 60_000 && Math.max(...times) < 3_660_000, times.join(' '));
  t.same(await alice.sends('bob', 'one', 'two'), ['accepted', 'accepted']);
  t.ok(island.sends.length < sent + 4 + 2, 'and they were not told before it');
});

t.test('one contact is told within seconds', async (t) => {
  await using island = await oddIsland();
  await using alice = await person(island, 'alice');
  await using _bob = await person(island, 'bob');
  await alice.sends('bob', 'hi');
  const sent = island.sends.length;
  alice.islander.startReceiving();
  await eventually(() => island.sends.length === sent + 1);
  await eventually(async () => (await waiting(alice.storage)).length === 0);
  t.equal(island.sends.length, sent + 1);
});
