/** What people call servers, channels, roles, members and permissions. */
import { sampleSpace } from '@island/protocol/space/testing/sample-space.ts';
import t from 'tap';
import {
  channelNamed,
  inviteNamed,
  isChannelName,
  memberNamed,
  permissionSum,
  permissionTexts,
  roleNamed,
  serverAmong,
} from './naming.ts';

t.test('a server is its title, an unambiguous beginning of it, or its id', async (t) => {
  const one = sampleSpace('one');
  const [book, books] = [
    { ...one.state, title: 'Book club' },
    { ...sampleSpace('two').state, title: 'Books' },
  ];
  const all = [book, books];
  t.equal(serverAmong(all, 'book club'), book);
  t.equal(serverAmong(all, 'Books'), books, 'the whole name goes before beginnings of others');
  t.equal(serverAmong(all, book.space.slice(0, 8)), book);
  t.throws(() => serverAmong(all, 'boo'), { code: 'space_ambiguous', message: /Book club.*Books/ });
  t.throws(() => serverAmong(all, 'film'), { code: 'space_unknown' });
  t.throws(() => serverAmong(all, ''), { code: 'space_unknown' });
});

t.test('a channel that somebody may not see has no name for them', async (t) => {
  const sample = sampleSpace('channels');
  const { state, owner } = sample;
  const bob = sample.join('bob');
  const id = sample.channel('general');
  sample.channel('secret', { overrides: [{ role: 0, allow: 0, deny: 1 }] });
  t.equal(channelNamed(state, '#gen', bob.account).channel, id);
  t.equal(channelNamed(state, 'secret', owner.account).name, 'secret');
  t.throws(() => channelNamed(state, '#secret', bob.account), { code: 'channel_unknown' });
  sample.channel('General');
  t.throws(() => channelNamed(state, '#general', bob.account), { code: 'channel_ambiguous' });
  for (const text of ['#general', 'Isle/#general', 'a/b/#c'])
    t.ok(isChannelName(text), `${text} is a channel`);
  for (const text of ['bob', '#', 'b#b']) t.notOk(isChannelName(text), `${text} is none`);
});

t.test(
  'roles, members and invites are found by their names, or it is said which are not',
  async (t) => {
    const sample = sampleSpace('roles');
    const { state, owner } = sample;
    sample.act(owner, { op: 'role', role: 7, name: 'Keepers', position: 1, permissions: 1024 });
    const bob = sample.join('bob');
    t.equal(roleNamed(state, 'keep').role, 7);
    t.equal(roleNamed(state, 'everyone').role, 0);
    t.throws(() => roleNamed(state, 'none'), { code: 'role_unknown' });
    t.equal(memberNamed(state, 'bob').account, bob.account);
    t.throws(() => memberNamed(state, 'bo'), { code: 'member_unknown' });
    const [key = ''] = state.invites.keys();
    t.same(inviteNamed(state, key.slice(0, 8)), state.invites.get(key));
    t.throws(() => inviteNamed(state, key.slice(0, 2)), { code: 'space_invite_unknown' });
  },
);

t.test('permissions are words, and an unknown one names those that there are', async (t) => {
  const sum = permissionSum(['kick,mention-all', 'view']);
  t.equal(sum, 0x0400 | 0x10 | 0x01);
  t.same(permissionTexts(sum), ['view', 'mention-all', 'kick']);
  t.throws(() => permissionSum(['fly']), {
    code: 'permission_unknown',
    message: /fly.*view, post/,
  });
});
