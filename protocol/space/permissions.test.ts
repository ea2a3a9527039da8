import t from 'tap';
import type { ChannelId } from '../wire/ids.ts';
import {
  allPermissions,
  type Permission,
  permissions,
  permissionsIn,
  rankOf,
} from './permissions.ts';
import type { Channel, Member, Override, SpaceState } from './space-state.ts';
import { sampleSpace } from './testing/sample-space.ts';

const isle = sampleSpace('permissions.test');
const ann = isle.join('ann');
const stranger = isle.person('stranger');

type Word = 'none' | 'allow' | 'deny';
const words: readonly Word[] = ['none', 'allow', 'deny'];

/** Who says something about one permission, from the weakest to the strongest. */
interface Case {
  everybodyHas: boolean;
  roleHas: boolean;
  categoryEverybody: Word;
  categoryRole: Word;
  channelEverybody: Word;
  channelRole: Word;
  otherRole: Word;
  member: Word;
}

function* cases(): Generator<Case> {
  for (const everybodyHas of [false, true])
    for (const roleHas of [false, true])
      for (const categoryEverybody of words)
        for (const categoryRole of words)
          for (const channelEverybody of words)
            for (const channelRole of words)
              for (const otherRole of words)
                for (const member of words)
                  yield {
                    ...{ everybodyHas, roleHas, categoryEverybody, categoryRole },
                    ...{ channelEverybody, channelRole, otherRole, member },
                  };
}

/** The same rule, said another way: the strongest who says anything decides. */
function expected(each: Case): boolean {
  const said = (word: Word): boolean | undefined =>
    word === 'none' ? undefined : word === 'allow';
  const roles = [each.channelRole, each.otherRole].map(said).filter((word) => word !== undefined);
  const ofRoles = roles.length === 0 ? undefined : roles.includes(true);
  return (
    said(each.member) ??
    ofRoles ??
    said(each.channelEverybody) ??
    said(each.categoryRole) ??
    said(each.categoryEverybody) ??
    (each.everybodyHas || each.roleHas)
  );
}

const channelOf = (overrides: readonly Override[], parent?: ChannelId): Channel => ({
  ...{ channel: 'c' as ChannelId, kind: 'text', name: 'c', topic: '', parent, position: 0 },
  ...{ slowSeconds: 0, history: false, overrides, created: 2 },
});

function situation(bit: number, each: Case): { state: SpaceState; channel: Channel } {
  // What a channel needs before it shows anything else, unless that is what is looked at.
  const base =
    bit === permissions.view
      ? 0
      : permissions.view | (bit === permissions.post ? 0 : permissions.post);
  const role = (number: number, has: boolean) =>
    [number, { role: number, name: 'r', position: number, permissions: has ? bit : 0 }] as const;
  const to = (word: Word) => ({
    allow: word === 'allow' ? bit : 0,
    deny: word === 'deny' ? bit : 0,
  });
  const category = channelOf([
    { role: 0, ...to(each.categoryEverybody) },
    { role: 1, ...to(each.categoryRole) },
  ]);
  const channel = channelOf(
    [
      { role: 0, ...to(each.channelEverybody) },
      { role: 1, ...to(each.channelRole) },
      { role: 2, ...to(each.otherRole) },
      { role: 3, allow: 0, deny: bit },
      { account: ann.account, ...to(each.member) },
      { account: stranger.account, allow: 0, deny: bit },
    ],
    'p' as ChannelId,
  );
  const member = { ...(isle.state.members.get(ann.account) as Member), roles: [1, 2] };
  const everybody = { role: 0, name: '', position: 0 };
  const state: SpaceState = {
    ...isle.state,
    members: new Map([[ann.account, member]]),
    roles: new Map([
      [0, { ...everybody, permissions: base | (each.everybodyHas ? bit : 0) }],
      role(1, each.roleHas),
      role(2, false),
      role(3, true),
    ]),
    channels: new Map([['p' as ChannelId, category]]),
  };
  return { state, channel };
}

t.test('M3: every permission × role × override: the strongest word decides', async (t) => {
  const names = (Object.keys(permissions) as Permission[]).filter(
    (name) => name !== 'administrator',
  );
  for (const name of names) {
    const bit = permissions[name];
    const wrong = [...cases()].filter((each) => {
      const { state, channel } = situation(bit, each);
      return ((permissionsIn(state, ann.account, channel) & bit) !== 0) !== expected(each);
    });
    t.same(wrong, [], `${name}: ${[...cases()].length} cases`);
  }
});

t.test('who can’t see a channel can do nothing in it, who can’t post can’t attach', async (t) => {
  const { view, post, attach, react } = permissions;
  const state = { ...isle.state, owner: stranger.account };
  const shut = channelOf([{ role: 0, allow: 0, deny: view }]);
  t.equal(permissionsIn(state, ann.account, shut), 0);
  const quiet = permissionsIn(state, ann.account, channelOf([{ role: 0, allow: 0, deny: post }]));
  t.equal(quiet & (post | attach), 0);
  t.ok(quiet & react);
});

t.test('the owner and an administrator may everything, a stranger nothing', async (t) => {
  const shut = channelOf([{ role: 0, allow: 0, deny: permissions.view }]);
  t.equal(permissionsIn(isle.state, isle.owner.account, shut), allPermissions);
  t.equal(permissionsIn(isle.state, stranger.account, shut), 0);
  t.equal(permissionsIn(isle.state, stranger.account), 0);
  const { administrator } = permissions;
  isle.act(isle.owner, { op: 'role', role: 9, name: 'a', position: 5, permissions: administrator });
  isle.act(isle.owner, { op: 'memberRoles', account: ann.account, roles: [9] });
  t.equal(permissionsIn(isle.state, ann.account, shut), allPermissions);
  t.equal(rankOf(isle.state, ann.account), 5);
  t.equal(rankOf(isle.state, stranger.account), -1);
  t.ok(rankOf(isle.state, isle.owner.account) > 0xffff);
});
