import t from 'tap';
import { permissions } from './permissions.ts';
import { couldPost, couldView, keyEpochAt, readersOf } from './readers.ts';
import type { ChannelOp } from './space-op.ts';
import { hashAt } from './space-state.ts';
import { sampleSpace } from './testing/sample-space.ts';

t.test(
  'M3: the key epoch moves with everybody who can read no more, and with nobody who comes',
  async (t) => {
    const isle = sampleSpace('readers.test');
    const { owner, state } = isle;
    const channel = isle.channel('lobby');
    const epoch = () => keyEpochAt(state, channel, state.seq);
    const made = state.seq;
    t.equal(epoch(), made);
    const [ann, bob, cleo] = [isle.join('ann'), isle.join('bob'), isle.join('cleo')];
    t.equal(epoch(), made, 'three came');
    t.same(
      readersOf(state, channel),
      [owner, ann, bob, cleo].map(({ account }) => account),
    );

    isle.act(ann, { op: 'leave' });
    t.equal(epoch(), state.seq, 'one left');
    isle.act(owner, { op: 'kick', account: bob.account, reason: '' });
    t.equal(epoch(), state.seq, 'one was kicked');
    const kicked = state.seq;
    t.ok(couldView(state, channel, bob.account, kicked - 1));
    t.notOk(couldView(state, channel, bob.account, kicked));
    t.notOk(couldPost(state, channel, bob.account, kicked));

    isle.act(owner, { op: 'settings', title: 'Other', joinLocked: false });
    t.equal(epoch(), kicked, 'another title');
    const there = state.channels.get(channel);
    if (!there) throw new Error('no channel');
    const { created: _, ...rest } = there;
    const op: ChannelOp = { op: 'channel', ...rest };
    isle.act(owner, { ...op, overrides: [{ role: 0, allow: 0, deny: permissions.post }] });
    t.equal(epoch(), kicked, 'a channel to read only');
    t.notOk(couldPost(state, channel, cleo.account, state.seq));
    t.ok(couldPost(state, channel, cleo.account, state.seq - 1), 'before that they could post');
    isle.act(owner, { ...op, overrides: [{ role: 0, allow: 0, deny: permissions.view }] });
    t.equal(epoch(), state.seq, 'the channel is private now');
    t.same(readersOf(state, channel), [owner.account]);
    isle.act(owner, op);
    const open = state.seq;
    t.equal(epoch(), open - 1, 'open again');
    isle.act(owner, { op: 'rekey', channel });
    t.equal(epoch(), state.seq, 'on demand');
    t.equal(keyEpochAt(state, channel, kicked), kicked, 'and as it was');
    isle.act(owner, { op: 'channelGone', channel });
    t.same(readersOf(state, channel), []);
  },
);

t.test('a role that is taken away or changed takes its readers with it', async (t) => {
  const isle = sampleSpace('readers of roles');
  const { owner, state } = isle;
  const { view } = permissions;
  isle.act(owner, { op: 'role', role: 1, name: 'crew', position: 1, permissions: 0 });
  const overrides = [
    { role: 0, allow: 0, deny: view },
    { role: 1, allow: view, deny: 0 },
  ];
  const channel = isle.channel('crew', { overrides });
  const ann = isle.join('ann', 1);
  const bob = isle.join('bob', 1);
  const cleo = isle.join('cleo');
  t.same(
    readersOf(state, channel),
    [owner, ann, bob].map(({ account }) => account),
  );
  isle.act(owner, { op: 'memberRoles', account: ann.account, roles: [] });
  t.equal(keyEpochAt(state, channel, state.seq), state.seq);
  isle.act(owner, { op: 'memberRoles', account: cleo.account, roles: [1] });
  t.not(keyEpochAt(state, channel, state.seq), state.seq);
  isle.act(owner, { op: 'roleGone', role: 1 });
  t.equal(keyEpochAt(state, channel, state.seq), state.seq);
  t.same(readersOf(state, channel), [owner.account]);
});

t.test('M3: whoever has the same entries has the same hash at each of them', async (t) => {
  const { state, entries } = sampleSpace('hashes');
  for (const { seq, hash } of entries) t.same(hashAt(state, seq), hash);
  t.equal(hashAt(state, state.seq + 1), undefined);
});
