/** M7: a session that lost its step repairs itself. docs/protocol/ratchet.md §9 */
import t from 'tap';
import { eventually } from '../../services/kit/testing/outcome.ts';
import { history } from '../messages/history.ts';
import { sessionsNamespace } from '../ratchets/ratchets.ts';
import type { Storage } from '../storage/storage.ts';
import { oddIsland } from '../testing/odd-island.ts';
import { person, type TestPerson } from '../testing/person.ts';

t.setTimeout(120_000);

const told = async ({ storage }: TestPerson): Promise<string[]> =>
  (await history(storage)).map((message) =>
    message.type === 'unreadable'
      ? `${message.state ?? 'unreadable'} ${message.count ?? 1}`
      : message.text,
  );

/** As if the rows had never been. */
async function lose(storage: Storage, namespace: string): Promise<void> {
  const rows = await storage.list(namespace);
  await storage.commit({ remove: rows.map(({ key }) => ({ namespace, key })) });
}

t.test('M7: who has lost the session asks, and gets what was on its way', async (t) => {
  await using island = await oddIsland();
  await using alice = await person(island, 'alice');
  await using bob = await person(island, 'bob');
  for (const one of [alice, bob]) {
    one.islander.startReceiving();
    one.islander.startSending();
  }
  await alice.sends('bob', 'one');
  await eventually(async () => (await told(bob)).length === 1);
  await bob.sends('alice', 'two');
  await eventually(async () => (await told(alice)).length === 2);
  await lose(bob.storage, sessionsNamespace);
  await alice.sends('bob', 'three', 'four');
  await eventually(async () => (await told(bob)).join() === 'one,two,three,four', 20_000);
  await bob.sends('alice', 'five');
  await alice.sends('bob', 'six');
  await eventually(async () => (await told(bob)).includes('six'));
  await eventually(async () => (await told(alice)).includes('five'));
  t.same(await told(bob), ['one', 'two', 'three', 'four', 'five', 'six'], 'each in its place');
});
