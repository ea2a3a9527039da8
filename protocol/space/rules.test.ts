import t from 'tap';
import { ed25519 } from '../crypto/primitives.ts';
import { seededRandom } from '../vectors/seeded.ts';
import type { FaultCode } from '../wire/fault.ts';
import { type Permission, permissions } from './permissions.ts';
import { checkPermitted } from './rules.ts';
import type { SpaceOp } from './space-op.ts';
import { type SamplePerson, sampleSpace } from './testing/sample-space.ts';

const random = seededRandom('rules.test');
const key = () => ed25519.fromSeed(random(32));

/** A captain (rank 5), a mate with one permission (rank 3), and sailors. */
function crew(permission: Permission) {
  const isle = sampleSpace('rules.test');
  const { owner } = isle;
  const role = (number: number, position: number, sum: number) =>
    isle.act(owner, { op: 'role', role: number, name: 'r', position, permissions: sum });
  const everybody = permissions.view | permissions.post;
  isle.act(owner, { op: 'role', role: 0, name: '', position: 0, permissions: everybody });
  role(5, 5, 0);
  role(3, 3, permissions[permission]);
  role(2, 2, 0);
  const channel = isle.channel('lobby');
  const captain = isle.join('captain', 5);
  const mate = isle.join('mate', 3);
  const equal = isle.join('equal', 3);
  const sailor = isle.join('sailor');
  return { isle, channel, captain, mate, equal, sailor, stranger: isle.person('stranger') };
}
type Crew = ReturnType<typeof crew>;

function verdict({ isle }: Crew, by: SamplePerson, op: SpaceOp): FaultCode | 'ok' {
  try {
    checkPermitted(isle.state, isle.entry(by, op));
    return 'ok';
  } catch (error) {
    return (error as { code: FaultCode }).code;
  }
}

const acts: [Permission, string, (crew: Crew, on: SamplePerson) => SpaceOp][] = [
  ['kick', 'kick', (_, { account }) => ({ op: 'kick', account, reason: '' })],
  ['ban', 'ban', (_, { account }) => ({ op: 'ban', account, reason: '' })],
  ['timeout', 'timeout', (_, { account }) => ({ op: 'timeout', account, until: 0, reason: '' })],
  ['mute', 'mute', (_, { account }) => ({ op: 'mute', account, muted: true })],
  ['manageRoles', 'give a role', (_, { account }) => ({ op: 'memberRoles', account, roles: [2] })],
];

t.test(
  'M3, forged moderation: who has not the permission acts on nobody, who has on those below',
  async (t) => {
    for (const [permission, name, act] of acts) {
      const all = crew(permission);
      const { isle, captain, mate, equal, sailor, stranger } = all;
      const on = (by: SamplePerson, target: SamplePerson) => verdict(all, by, act(all, target));
      t.equal(on(mate, sailor), 'ok', `${name}: a mate, a sailor`);
      t.equal(on(sailor, mate), 'not_permitted', 'without the permission');
      t.equal(on(stranger, sailor), 'not_permitted', 'a stranger');
      t.equal(on(mate, captain), 'not_permitted', 'somebody above');
      t.equal(on(captain, sailor), 'not_permitted', 'above, without the permission');
      t.equal(on(isle.owner, captain), 'ok', 'the owner');
      t.equal(on(mate, isle.owner), 'not_permitted', 'on the owner');
      if (permission !== 'manageRoles') t.equal(on(mate, mate), 'not_permitted', 'on oneself');
      t.not(on(mate, equal), 'ok', 'on somebody as high');
    }
  },
);

t.test('M3: nobody gives what they have not, or touches a role as high as their own', async (t) => {
  const all = crew('manageRoles');
  const { mate, sailor } = all;
  const role = (number: number, position: number, sum: number): SpaceOp => ({
    ...{ op: 'role', role: number, name: 'new', position, permissions: sum },
  });
  t.equal(verdict(all, mate, role(9, 2, permissions.post)), 'ok');
  t.equal(verdict(all, mate, role(9, 2, permissions.ban)), 'not_permitted', 'a right of others');
  t.equal(verdict(all, mate, role(9, 3, 0)), 'not_permitted', 'as high');
  t.equal(verdict(all, mate, role(5, 1, 0)), 'not_permitted', 'a higher one is pulled down');
  t.equal(verdict(all, mate, { op: 'roleGone', role: 3 }), 'not_permitted');
  t.equal(verdict(all, mate, { op: 'roleGone', role: 2 }), 'ok');
  const give = (roles: number[]): SpaceOp => ({
    ...{ op: 'memberRoles', account: sailor.account, roles },
  });
  t.equal(verdict(all, mate, give([5])), 'not_permitted', 'a role above one’s own');
  t.equal(verdict(all, mate, give([77])), 'space_invalid', 'no such role');
  const own: SpaceOp = { op: 'memberRoles', account: mate.account, roles: [3, 5] };
  t.equal(verdict(all, mate, own), 'not_permitted', 'to oneself');
});

t.test('M3: overrides give nobody what their maker has not', async (t) => {
  const all = crew('manageChannels');
  const { isle, channel, mate, captain } = all;
  const there = isle.state.channels.get(channel);
  const change = (allow: number, deny: number, of: { role: number }): SpaceOp => {
    if (!there) throw new Error('no channel');
    const { created: _, ...rest } = there;
    return { op: 'channel', ...rest, overrides: [{ ...of, allow, deny }] };
  };
  t.equal(verdict(all, mate, change(0, permissions.view, { role: 0 })), 'ok');
  t.equal(verdict(all, mate, change(permissions.managePosts, 0, { role: 0 })), 'not_permitted');
  t.equal(
    verdict(all, mate, change(permissions.post, 0, { role: 5 })),
    'not_permitted',
    'of a role above',
  );
  t.equal(verdict(all, captain, change(0, 0, { role: 0 })), 'not_permitted');
});

t.test('ghost member: nobody comes without an invite that is good', async (t) => {
  const all = crew('invite');
  const { isle, mate, sailor } = all;
  const invite = key();
  const joins = (who: SamplePerson, by = invite) => verdict(all, who, isle.joining(who, by));
  const ghost = isle.person('ghost');
  t.equal(joins(ghost), 'space_invite_refused', 'nobody made it');
  const made = { op: 'invite', key: invite.public, uses: 1, role: 0 } as const;
  t.equal(verdict(all, sailor, { ...made, expires: 0 }), 'not_permitted');
  t.equal(verdict(all, mate, { ...made, expires: 0, role: 2 }), 'not_permitted', 'a role with it');
  isle.act(mate, { ...made, expires: isle.state.time + 60 });
  t.equal(joins(ghost), 'ok');
  t.equal(joins(sailor), 'space_invalid', 'a member already');
  const late = isle.entry(ghost, isle.joining(ghost, invite), { time: isle.state.time + 61 });
  t.throws(() => checkPermitted(isle.state, late), { code: 'space_invite_refused' }, 'too late');
  isle.act(ghost, isle.joining(ghost, invite));
  t.equal(joins(isle.person('second')), 'space_invite_refused', 'used up');
});

t.test('who was banned comes in by no invite, where joining is locked nobody does', async (t) => {
  const all = crew('ban');
  const { isle, mate, sailor } = all;
  const invite = key();
  isle.act(isle.owner, { op: 'invite', key: invite.public, expires: 0, uses: 0, role: 0 });
  isle.act(mate, { op: 'ban', account: sailor.account, reason: '' });
  t.equal(verdict(all, sailor, isle.joining(sailor, invite)), 'banned');
  isle.act(mate, { op: 'unban', account: sailor.account });
  t.equal(verdict(all, sailor, isle.joining(sailor, invite)), 'ok');
  isle.act(isle.owner, { op: 'settings', title: 'Isle', joinLocked: true });
  t.equal(verdict(all, sailor, isle.joining(sailor, invite)), 'joining_locked');
});

t.test('concurrent add and remove: the second of two changes is told of the first', async (t) => {
  const { isle, mate, sailor } = crew('kick');
  const kick = isle.entry(mate, { op: 'kick', account: sailor.account, reason: '' });
  isle.act(isle.owner, { op: 'settings', title: 'Else', joinLocked: false });
  t.throws(() => checkPermitted(isle.state, kick), { code: 'log_moved' });
  t.ok(isle.state.members.has(sailor.account));
});

t.test(
  'M3: an entry of another history, out of its time, or behind the end is refused',
  async (t) => {
    const { isle, sailor } = crew('kick');
    const { owner } = isle;
    const entry = (change: object) =>
      isle.entry(owner, { op: 'unban', account: sailor.account }, change);
    const refused = (change: object, code: string) =>
      t.throws(() => checkPermitted(isle.state, entry(change)), { code });
    refused({ prev: random(32) }, 'log_moved');
    refused({ seq: isle.state.seq + 2 }, 'log_moved');
    refused({ time: isle.state.time - 1 }, 'space_invalid');
    isle.act(owner, { op: 'owner', account: sailor.account });
    t.throws(() => isle.act(owner, { op: 'close' }), { code: 'not_permitted' }, 'given away');
    t.throws(() => isle.act(sailor, { op: 'leave' }), { code: 'not_permitted' }, 'an owner stays');
    isle.act(owner, { op: 'leave' });
    isle.act(sailor, { op: 'close' });
    t.throws(() => isle.act(sailor, { op: 'settings', title: 'a', joinLocked: false }), {
      code: 'space_closed',
    });
  },
);
