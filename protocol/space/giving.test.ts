import t from 'tap';
import { ed25519 } from '../crypto/primitives.ts';
import { seededRandom } from '../vectors/seeded.ts';
import type { ChannelId } from '../wire/ids.ts';
import { may, permissions, permissionsIn } from './permissions.ts';
import type { Override, SpaceOp } from './space-op.ts';
import { type SamplePerson, sampleSpace } from './testing/sample-space.ts';

const random = seededRandom('keys of giving');
const { view, post, ban, managePosts, manageChannels, manageRoles } = permissions;

/** A mate (rank 5) with these permissions, and a sailor. */
function crew(sum: number) {
  const isle = sampleSpace('giving.test');
  const { owner, state } = isle;
  const role = (number: number, position: number, permissions: number) =>
    isle.act(owner, { op: 'role', role: number, name: 'r', position, permissions });
  role(5, 5, sum);
  const [mate, sailor] = [isle.join('mate', 5), isle.join('sailor')];
  const changed = (channel: ChannelId, change: object): SpaceOp => {
    const there = state.channels.get(channel);
    if (!there) throw new Error('no channel');
    const { created: _, ...rest } = there;
    return { op: 'channel', ...rest, ...change };
  };
  const roles = (who: SamplePerson, ...numbers: number[]): SpaceOp => ({
    ...{ op: 'memberRoles', account: who.account, roles: numbers },
  });
  const invite = (number = 0, more: object = {}) => {
    const key = ed25519.fromSeed(random(32));
    const terms = { expires: 0, uses: 0, ...more };
    return { key, op: { op: 'invite', key: key.public, ...terms, role: number } as const };
  };
  return { isle, state, owner, mate, sailor, role, changed, roles, invite };
}

const code = 'not_permitted';

t.test('M3: what is denied to somebody is not theirs to lift', async (t) => {
  const { isle, state, owner, mate, changed } = crew(manageChannels | managePosts);
  const overrides: Override[] = [
    { account: mate.account, allow: 0, deny: managePosts },
    { role: 0, allow: 0, deny: post },
  ];
  const channel = isle.channel('quiet', { overrides });
  const without = (...left: Override[]) => changed(channel, { overrides: left });
  t.throws(() => isle.act(mate, without()), { code }, 'left out');
  const empty = { account: mate.account, allow: 0, deny: 0 };
  t.throws(() => isle.act(mate, without(empty, ...overrides.slice(1))), { code }, 'emptied');
  t.throws(() => isle.act(mate, without(...overrides.slice(0, 1))), { code }, 'post: denied here');
  const category = isle.channel('staff', { kind: 'category', overrides });
  const inside = isle.channel('inside', { parent: category });
  t.throws(() => isle.act(mate, changed(inside, { parent: undefined })), { code }, 'moved out');
  t.throws(() => isle.act(owner, { op: 'channelGone', channel: category }), {
    code: 'space_invalid',
  });
  isle.act(owner, changed(inside, { parent: undefined }));
  isle.act(owner, { op: 'channelGone', channel: category });
  t.ok(may(state, mate.account, 'managePosts', state.channels.get(inside)));
});

t.test('M3: no role gives, or its end gives back, what its giver lacks', async (t) => {
  const { isle, owner, mate, sailor, role, roles, invite } = crew(manageRoles);
  role(3, 3, ban);
  role(2, 2, 0);
  role(1, 1, 0);
  const overrides = [
    { role: 0, allow: 0, deny: view },
    { role: 2, allow: view, deny: 0 },
  ];
  isle.channel('staff', { overrides });
  isle.channel('silent', { overrides: [{ role: 1, allow: 0, deny: post }] });
  for (const who of [mate, sailor]) {
    const more = who === mate ? [5] : [];
    t.throws(() => isle.act(mate, roles(who, 3, ...more)), { code }, 'a right');
    t.throws(() => isle.act(mate, roles(who, 2, ...more)), { code }, 'a channel');
  }
  t.throws(() => isle.act(mate, invite(3).op), { code }, 'by an invite');
  isle.act(owner, roles(mate, 1, 5));
  t.throws(() => isle.act(mate, roles(mate, 5)), { code }, 'what a role denies');
  t.throws(() => isle.act(mate, { op: 'roleGone', role: 1 }), { code });
  isle.act(mate, roles(sailor, 1));
});

t.test('M3: a number that a role had gives another role nothing of it', async (t) => {
  const { isle, state, owner, sailor, role, roles, invite } = crew(0);
  role(7, 9, 0);
  const channel = isle.channel('staff', {
    overrides: [
      { role: 0, allow: 0, deny: view },
      { role: 7, allow: view, deny: 0 },
    ],
  });
  const { key, op } = invite(7);
  isle.act(owner, op);
  isle.act(owner, { op: 'roleGone', role: 7 });
  role(7, 1, 0);
  isle.act(owner, roles(sailor, 7));
  t.notOk(may(state, sailor.account, 'view', state.channels.get(channel)));
  const late = isle.person('late');
  isle.act(late, isle.joining(late, key));
  t.same(state.members.get(late.account)?.roles, []);
});

t.test('invites of who was sent away, or may give no more, give nothing', async (t) => {
  const { isle, state, owner, mate, role, invite, roles } = crew(manageRoles);
  role(2, 2, 0);
  const [first, second] = [invite(2), invite(2)];
  isle.act(mate, first.op);
  isle.act(mate, second.op);
  const [ann, bob, cleo] = [isle.person('ann'), isle.person('bob'), isle.person('cleo')];
  isle.act(ann, isle.joining(ann, first.key));
  t.same(state.members.get(ann.account)?.roles, [2]);
  isle.act(owner, roles(mate));
  isle.act(bob, isle.joining(bob, first.key));
  t.same(state.members.get(bob.account)?.roles, [], 'who made it has lost the right');
  isle.act(owner, { op: 'kick', account: mate.account, reason: '' });
  t.throws(() => isle.act(cleo, isle.joining(cleo, second.key)), { code: 'space_invite_refused' });
});

t.test('one member can’t use up all invites, and those that are over take no room', async (t) => {
  const { isle, state, owner, sailor, invite } = crew(0);
  for (let i = 0; i < 32; i++) isle.act(sailor, invite().op);
  t.throws(() => isle.act(sailor, invite().op), { code: 'space_full' });
  const expires = state.time;
  for (let i = 32; i < 256; i++) isle.act(owner, invite(0, { expires }).op);
  t.throws(() => isle.act(owner, invite().op), { code: 'space_full' });
  const [over, late] = [invite(), isle.entry(owner, invite().op, { time: expires + 1 })];
  isle.take(late);
  t.equal(state.invites.size, 33, 'what was over is gone');
  isle.take(isle.entry(owner, over.op, { time: expires + 1 }));
});

t.test('going and coming ends no timeout, and keeps no right', async (t) => {
  const { isle, state, owner, sailor, invite, changed } = crew(0);
  const channel = isle.channel('lobby');
  const { account } = sailor;
  const overrides = [{ account, allow: managePosts, deny: post }];
  isle.act(owner, changed(channel, { overrides }));
  const until = state.time + 600;
  isle.act(owner, { op: 'timeout', account, until, reason: '' });
  isle.act(owner, { op: 'mute', account, muted: true });
  const { key, op } = invite();
  isle.act(owner, op);
  isle.act(sailor, { op: 'leave' });
  isle.act(sailor, isle.joining(sailor, key));
  t.match(state.members.get(account), { timeoutUntil: until, muted: true });
  const sum = permissionsIn(state, account, state.channels.get(channel));
  t.equal(sum & (managePosts | post), 0);
  t.ok(sum & view);
});

t.test('ghost member: whose account was reset is let in again by who stands above', async (t) => {
  const { isle, state, owner, mate, sailor, role, roles } = crew(permissions.invite);
  const again = (who: SamplePerson): SpaceOp => ({
    ...{ op: 'readmit', account: who.account, aik: who.aik.public, resets: 1 },
  });
  t.throws(() => isle.act(sailor, again(mate)), { code }, 'somebody higher');
  t.throws(() => isle.act(mate, again(owner)), { code }, 'the owner');
  t.throws(() => isle.act(owner, again(owner)), { code }, 'oneself');
  isle.act(mate, again(sailor));
  t.equal(state.members.get(sailor.account)?.resets, 1);
  role(9, 9, permissions.administrator);
  const admin = isle.join('admin', 9);
  isle.act(admin, again(owner));
  t.equal(state.members.get(owner.account)?.resets, 1);
  isle.act(owner, roles(mate));
});
