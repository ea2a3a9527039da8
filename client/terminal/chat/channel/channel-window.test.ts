/** The window of a channel: what stands where, at 80 columns and where there is room for more. */
import { sampleSpace } from '@island/protocol/space/testing/sample-space.ts';
import t from 'tap';
import type { Shown, ShownPost } from '../../../channels/view.ts';
import { textBody } from '../../channels/posts.ts';
import { widthOf } from '../../screen/columns.ts';
import { emptyLine } from '../../screen/line-editor.ts';
import { completions } from './channel-commands.ts';
import { layOutChannel, mainColumns } from './channel-layout.ts';
import { channelLines } from './channel-lines.ts';
import type { ListedPlace } from './places-list.ts';

const sample = sampleSpace('window');
const bob = sample.join('bob');
const id = sample.channel('general', { topic: 'Everything' });
const { state, owner } = sample;
const channel = [...state.channels.values()][0];
if (!channel) throw new TypeError('there is a channel');
const place = { state, channel };
const at = new Date(2026, 3, 2, 9, 40).getTime();
const plainly = (_style: string, text: string): string => text;

const post = (
  seq: number,
  by: typeof bob,
  text: string,
  more: Partial<ShownPost> = {},
): ShownPost => ({
  ...{ key: undefined, seq, author: by.account, id: 'ab'.repeat(16), authorName: by.name },
  ...{
    device: undefined,
    mine: by === owner,
    sentAt: at,
    text,
    mentions: undefined,
    everyone: false,
  },
  ...{ attachments: [], edited: false, revision: 0, deleted: false, pinned: false, calls: false },
  ...{
    reactions: new Map(),
    reply: undefined,
    sharedBy: undefined,
    state: 'sent',
    reason: undefined,
  },
  ...more,
});

const look = { place, newFrom: 7, now: at + 1000, paint: plainly };

t.test(
  'posts, answers, reactions and what is not there; nothing steers the terminal',
  async (t) => {
    const reply = { author: owner.account, id: 'ab', text: 'Hello', authorName: 'olga' };
    const posts: Shown[] = [
      post(3, owner, 'Hello', { pinned: true, reactions: new Map([['👍', [bob.account]]]) }),
      post(7, bob, 'Hi \u001b[2J@olga', { reply, calls: true }),
      { seq: 8, author: bob.account, authorName: 'bob', hidden: 'gone', why: undefined },
      post(9, bob, '', { deleted: true }),
      post(10, owner, 'late', { seq: undefined, state: 'failed', reason: 'No.' }),
    ];
    const { lines, mark } = channelLines(posts, { ...look, columns: 60 });
    t.same(lines.slice(1), [
      '  3 09:40 you    Hello 📌',
      '                 👍 bob',
      '─────────────── new since you were last here ───────────────',
      '  7 09:40 bob  @ ↳ olga: Hello',
      '                 Hi \ufffd[2J@olga',
      '  8       a post of bob was removed',
      '  9 09:40 bob    bob took this back',
      '  … 09:40 you    late ✗ No.',
    ]);
    t.equal(mark, 3);
    for (const line of lines) t.ok(widthOf(line) <= 60);
  },
);

t.test('80×24 has the channel alone, a wide one the places beside it', async (t) => {
  const { lines } = channelLines([post(3, bob, 'Hello '.repeat(40))], { ...look, columns: 80 });
  const places: ListedPlace[] = [
    { head: 'Isle', label: '#general', go: '', channel: id, unread: 0, calls: 0 },
    { head: undefined, label: '#plans', go: '', channel: undefined, unread: 4, calls: 2 },
  ];
  const common = { place, paint: plainly, lines, scroll: 0, online: true, trouble: undefined };
  const rest = { moving: undefined, panel: undefined, places, line: emptyLine, selected: false };
  const narrow = layOutChannel({ ...common, ...rest, columns: 80, rows: 24, posts: true });
  t.equal(narrow.frame.lines.length, 24);
  t.match(narrow.frame.lines[0], /^ Isle\/#general · 2 members · Everything/);
  t.match(narrow.frame.lines.at(-2), /^connected · #plans @2: \/list {2,}\/help$/);
  for (const line of narrow.frame.lines) t.ok(widthOf(line) <= 80);

  t.equal(mainColumns(120), 94);
  const wide = layOutChannel({ ...common, ...rest, columns: 120, rows: 30, posts: false });
  t.match(wide.frame.lines[0], /^Isle {20}│ {2}Isle\/#general/);
  t.match(wide.frame.lines[2], /^ #plans +@2 │/);
  t.match(wide.frame.lines.at(-2), /you can read here, and not write/);
  t.equal(wide.frame.lines.length, 30);
  for (const line of wide.frame.lines) t.ok(widthOf(line) <= 120);
});

t.test('an @ calls members and nobody else; a Tab completes it', async (t) => {
  const body = textBody(place, 'Ça va, @bob? @nobody a@bob.example @everyone');
  t.same(body.mentions, [{ account: bob.account, start: 8, length: 4 }], 'in bytes');
  t.equal(body.everyone, true);
  t.same(textBody(place, 'mail bob@everyone.org'), { kind: 'text', text: 'mail bob@everyone.org' });
  t.same(completions('Hi @b', state), { line: 'Hi @bob ', choices: [] });
  t.same(completions('/ki', state), { line: '/kick ', choices: [] });
  t.same(completions('/pin', state), { line: '/pin', choices: ['/pin', '/pins'] });
});
