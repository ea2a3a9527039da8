/** The log of a server in plain words. */
import type { SpaceOp } from '@island/protocol/space/space-op.ts';
import { sampleSpace } from '@island/protocol/space/testing/sample-space.ts';
import t from 'tap';
import { toldLog } from './audit.ts';

async function* each<T>(all: readonly T[]): AsyncGenerator<T> {
  yield* all;
}

t.test('each act says who did what, by the names of then', async (t) => {
  const sample = sampleSpace('audit');
  const { owner, state, entries } = sample;
  const bob = sample.join('bob');
  const general = sample.channel('general');
  const acts: SpaceOp[] = [
    { op: 'settings', title: 'New \u202eltr', joinLocked: true },
    { op: 'role', role: 1, name: 'keepers', position: 1, permissions: 0x0400 },
    { op: 'role', role: 1, name: 'guards', position: 1, permissions: 0x0800 },
    { op: 'memberRoles', account: bob.account, roles: [1] },
    { op: 'memberRoles', account: bob.account, roles: [] },
    { op: 'timeout', account: bob.account, until: state.time + 60, reason: 'calm down' },
    { op: 'rekey', channel: general },
    { op: 'removePosts', channel: general, seqs: [3, 4] },
    { op: 'kick', account: bob.account, reason: 'spam' },
    { op: 'ban', account: bob.account, reason: '' },
    { op: 'unban', account: bob.account },
    { op: 'channelGone', channel: general },
    { op: 'close' },
  ];
  for (const op of acts) sample.act(owner, op);
  const told = await Array.fromAsync(toldLog(each(entries)));
  t.same(
    told.map(({ seq }) => seq),
    entries.map(({ seq }) => seq),
  );
  t.same([...new Set(told.map(({ by }) => by))], ['olga', 'bob']);
  t.match(told[2], { by: 'bob', text: /^came, by the invite [0-9a-f]{8}$/ });
  t.same(
    told.slice(4).map(({ text }) => text.replace(/until .* UTC/, 'until')),
    [
      'named the server New \ufffdltr and locked joining',
      'made the role keepers: kick',
      'changed the role keepers: is called guards now, may ban, may not kick any more',
      'gave bob guards',
      'took guards from bob',
      'paused bob until (calm down)',
      'began new keys in #general',
      'removed 2 posts in #general',
      'kicked bob (spam)',
      'banned bob',
      'took the ban of bob back',
      'removed #general',
      'deleted the server',
    ],
  );
  t.equal(told.at(-3)?.whom, 'bob');
});
