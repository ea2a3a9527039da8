/** Several devices of one person: what one has read is read, what was taken back is not shown by one that joins later. */
import t from 'tap';
import { eventually } from '../../services/kit/testing/outcome.ts';
import { type Islander, openIslander } from '../islander.ts';
import { recover } from '../joining/recovery.ts';
import { history } from '../messages/history.ts';
import type { Storage } from '../storage/storage.ts';
import { credentials, type Home, home, registered } from '../testing/member-home.ts';
import { type RealIsland, realIsland } from '../testing/real-island.ts';

t.setTimeout(240_000);

interface Program extends AsyncDisposable {
  storage: Storage;
  islander: Islander;
  texts(other: string): Promise<string[]>;
  unread(): Promise<number[]>;
}

async function program(island: RealIsland, { storage, platform }: Home): Promise<Program> {
  const on = () => undefined;
  const islander = await openIslander({ storage, platform, now: island.clock.now, on });
  islander.startReceiving();
  islander.startSending();
  return {
    storage,
    islander,
    texts: async (other) =>
      (await islander.conversations.view(other)).map((shown) =>
        shown.type === 'unreadable' ? '?' : shown.deleted ? 'gone' : shown.text,
      ),
    unread: async () => (await islander.conversations.list()).map(({ unread }) => unread),
    [Symbol.asyncDispose]: () => islander[Symbol.asyncDispose](),
  };
}

const soon = (condition: () => Promise<boolean>) => eventually(condition, 40_000);
const same = (found: unknown, expected: unknown) =>
  JSON.stringify(found) === JSON.stringify(expected);

t.test('A4: a device that joins later, and what both know from then on', async (t) => {
  await using island = await realIsland();
  const first = await registered(island, 'alice');
  await using alice = await program(island, first);
  await using bob = await program(island, await registered(island, 'bob'));
  const [hers, his] = [alice.islander.conversations, bob.islander.conversations];
  await hers.say('bob', 'stays');
  await soon(async () => same(await bob.texts('alice'), ['stays']));
  await his.say('alice', 'better not');
  await soon(async () => same(await alice.texts('bob'), ['stays', 'better not']));
  await alice.islander.archive.flush();
  const [, regretted] = await his.view('alice');
  await his.takeBack('alice', regretted?.at ?? '');
  await soon(async () => same(await alice.texts('bob'), ['stays', 'gone']));
  await his.setTimer('alice', 3600);
  await soon(async () => (await hers.timer('bob')) === 3600);
  await his.say('alice', 'between us');
  await soon(async () => same(await alice.texts('bob'), ['stays', 'gone', 'between us']));
  await alice.islander.archive.flush();

  const fresh = home(island);
  await recover(fresh.joining, island.recoverLink('alice'), {
    credentials,
    code: first.codes[0] ?? '',
  });
  await using second = await program(island, fresh);
  await soon(async () => same(await second.texts('bob'), ['stays', 'gone']));
  t.notOk(
    (await history(second.storage)).some(
      (message) => message.type !== 'unreadable' && message.text.includes('better'),
    ),
  );
  t.equal(await second.islander.conversations.timer('bob'), 3600);
  t.equal((await second.islander.conversations.search('better')).total, 0);

  await hers.read('bob');
  await second.islander.conversations.say('bob', 'from the second');
  await soon(async () => (await alice.texts('bob')).includes('from the second'));
  // Bob has to hear of the new device first.
  await bob.islander.people.refresh('alice');
  await his.say('alice', 'to both');
  await soon(async () => (await second.texts('bob')).includes('to both'));
  await soon(async () => same(await alice.unread(), [1]));
  t.same(await second.unread(), [1]);
  await hers.read('bob');
  await soon(async () => same(await second.unread(), [0]));
  const [shown] = await second.islander.conversations.view('bob', { last: 1 });
  t.ok(shown?.type === 'message' && shown.expires !== undefined, 'its time runs there, too');
});
