/** What came is acknowledged when the archive has it, and nothing waits longer than it must. docs/protocol/archive.md §5 */
import { Fault } from '@island/protocol/wire/fault.ts';
import t from 'tap';
import { eventually } from '../../services/kit/testing/outcome.ts';
import { messagesAfter } from '../messages/messages.ts';
import { type OddIsland, oddIsland } from '../testing/odd-island.ts';
import { person, reopen } from '../testing/person.ts';
import { hasPending } from './rows.ts';

const texts = (count: number): string[] => Array.from({ length: count }, (_, i) => `message ${i}`);

/** Does something in place of taking a segment of alice. */
function onAppend(island: OddIsland, act: () => Promise<void> | void): void {
  island.twist.before = async (path, body) => {
    if (path === '/v1/archive' && 'segment' in body) await act();
    return undefined;
  };
}

t.test(
  'pitfall: lost between two devices: the mailbox keeps what the archive does not have',
  async (t) => {
    await using island = await oddIsland();
    await using alice = await person(island, 'alice');
    await using bob = await person(island, 'bob');
    onAppend(island, () => {
      throw new Fault('unavailable');
    });
    await bob.sends('alice', 'hello');
    t.same(await alice.hears(1), ['bob: hello'], 'it is shown at once');
    await alice.event('archiving');
    t.same(island.acks, []);
    t.ok(await hasPending(alice.storage));
    island.twist = {};
    await eventually(() => island.acks.length === 1);
    t.equal(island.members.get('alice')?.archive.length, 1);
    t.notOk(await hasPending(alice.storage));
  },
);

t.test(
  'batches are opened while a segment is on its way, and acknowledged up to what is archived',
  async (t) => {
    await using island = await oddIsland();
    await using alice = await person(island, 'alice');
    await using bob = await person(island, 'bob');
    const way = Promise.withResolvers<void>();
    onAppend(island, () => way.promise);
    await bob.sends('alice', 'first');
    t.same(await alice.hears(1), ['bob: first']);
    await bob.sends('alice', ...texts(100));
    await alice.hears(100);
    t.same(island.acks, [], 'all are here, none is archived');
    way.resolve();
    await eventually(() => island.acks.at(-1) === 101);
    t.ok((island.members.get('alice')?.archive.length ?? 0) <= 3, 'many messages, few segments');
  },
);

for (const code of ['archive_full', 'forbidden'] as const) {
  t.test(
    `an archive that refuses for good (${code}) is named once, and holds up nothing`,
    async (t) => {
      await using island = await oddIsland();
      await using alice = await person(island, 'alice');
      await using bob = await person(island, 'bob');
      let refused = 0;
      onAppend(island, () => {
        refused += 1;
        throw new Fault(code);
      });
      await bob.sends('alice', 'one');
      await alice.hears(1);
      t.match(await alice.event('unarchived'), { error: { code } });
      await bob.sends('alice', 'two', 'three');
      await alice.hears(2);
      await eventually(() => island.acks.at(-1) === 3);
      t.equal(alice.events.filter(({ type }) => type === 'unarchived').length, 1);
      t.ok(refused <= 2, 'and is not asked for each message');
      t.ok(await hasPending(alice.storage), 'but it is not forgotten');
    },
  );
}

t.test(
  'pitfall: archive tampering: an island that lost the archive is named, and mail still comes',
  async (t) => {
    await using island = await oddIsland();
    const alice = await person(island, 'alice');
    await using bob = await person(island, 'bob');
    await bob.sends('alice', 'one');
    await alice.hears(1);
    await eventually(() => island.acks.length === 1);
    await alice[Symbol.asyncDispose]();
    const member = island.members.get('alice');
    if (member) member.archive = [];
    await using again = await reopen('alice', alice.storage);
    await bob.sends('alice', 'two');
    t.same(await again.hears(1), ['bob: two']);
    t.match(await again.event('unarchived'), { error: { code: 'archive_rolled_back' } });
    await eventually(() => island.acks.at(-1) === 2);
  },
);

t.test('what a command has sent is archived when it ends', async (t) => {
  await using island = await oddIsland();
  await using alice = await person(island, 'alice');
  const bob = await person(island, 'bob');
  t.same(await bob.sends('alice', 'hello'), ['accepted']);
  t.ok(await hasPending(bob.storage));
  t.equal(island.members.get('bob')?.archive.length, 0, 'not at once: that would tell who sent it');
  await bob.islander[Symbol.asyncDispose]();
  t.equal(island.members.get('bob')?.archive.length, 1);
  t.notOk(await hasPending(bob.storage));
  t.ok(alice);
});

t.test('a command does not wait for an archive that is away: the next one writes it', async (t) => {
  await using island = await oddIsland();
  await using alice = await person(island, 'alice');
  const bob = await person(island, 'bob');
  onAppend(island, () => {
    throw new Fault('unavailable');
  });
  await bob.sends('alice', 'hello');
  await bob.islander[Symbol.asyncDispose]();
  t.ok(await hasPending(bob.storage));
  island.twist = {};
  await using again = await reopen('bob', bob.storage);
  again.islander.startReceiving();
  await eventually(async () => !(await hasPending(bob.storage)));
  t.equal((await messagesAfter(bob.storage, '')).length, 1);
  t.ok(alice);
});
