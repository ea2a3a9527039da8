/**
 * M5, M3: what an island stores of a server. A copy of its data folder without the master key shows no post, entry,
 * report, title or name of a channel; rows that are exchanged are refused, and they alone; what somebody puts in their
 * place who has the master key as well is found out by members. docs/protocol/at-rest.md §4, docs/protocol/channel.md
 */
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Member, memberOf } from '@island/appliance/verify/member.ts';
import { outcomeOf } from '@island/appliance/verify/onlooker.ts';
import { type Needle, searchFiles, spellings } from '@island/appliance/verify/traces.ts';
import { openOwnPerson } from '@island/client/people/own-person.ts';
import { openActors } from '@island/client/spaces/actors.ts';
import { openFollowing } from '@island/client/spaces/following.ts';
import { memoryStorage } from '@island/client/storage/memory.ts';
import { emptyFeed, feedHeadAfter } from '@island/protocol/crypto/feed.ts';
import { decodePost, hashPost } from '@island/protocol/crypto/post.ts';
import { fromHex, hex } from '@island/protocol/wire/text.ts';
import { layoutOf } from '@island/provisioning/layout.ts';
import t from 'tap';
import { bytesIn, type Row, rowsOf, stealDatabases, tamper } from './attacker/databases.ts';
import { postRow, unsealed, withMaster } from './attacker/master.ts';
import { postOnServer } from './attacker/server.ts';
import { bootIsland } from './island.ts';
import { members } from './members.ts';

t.setTimeout(240_000);

const island = await bootIsland();
t.teardown(() => island[Symbol.asyncDispose]());
const [alice, bob] = await members(island, ['alice', 'bob']);
if (!alice || !bob) throw new Error('nobody');
for (const person of [alice, bob]) t.teardown(() => person[Symbol.asyncDispose]());
const server = await postOnServer(alice, bob);
const { space, channel } = server;
const stolen = await stealDatabases(island.data);
const opened = await unsealed(island.data, stolen);
const layout = layoutOf(island.data);

/** Short enough that none is cut by the pages of a database. */
const pieces = (what: string, bytes: Uint8Array): Needle[] =>
  Array.from({ length: Math.floor(bytes.length / 64) }, (_, i) => ({
    what,
    bytes: Buffer.from(bytes.subarray(i * 64, i * 64 + 32)),
  }));
const needles = [
  ...server.names.flatMap((name) => spellings(`the name ${name}`, name)),
  ...server.texts.flatMap((text) => spellings('the text of a post', text)),
  ...server.posts.flatMap((post) => pieces('a post', post)),
  ...server.entries.flatMap((entry) => pieces('an entry', entry)),
  ...pieces('a report', server.report),
];

async function searchCopy(): Promise<string[]> {
  const copy = await mkdtemp(join(tmpdir(), 'stolen-'));
  try {
    await cp(island.data, copy, { recursive: true, filter: (path) => !/\.sock$/.test(path) });
    return (await searchFiles([copy], needles)).hits;
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

const mine = (rows: Row[]) =>
  rows
    .filter((row) => hex(bytesIn(row, 'channel')) === channel)
    .toSorted((a, b) => Number(a['seq']) - Number(b['seq']));
const postRows = mine(rowsOf(stolen, 'spaces', 'posts'));
const same = (a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean =>
  JSON.stringify(a.map(hex)) === JSON.stringify(b.map(hex));

t.test(
  'M5: with the master key posts, entries and reports are there as they were sent',
  async (t) => {
    const column = (table: string, name: string) =>
      rowsOf(opened, 'spaces', table).map((row) => bytesIn(row, name));
    t.equal(server.posts.length, 3);
    t.ok(
      same(
        mine(rowsOf(opened, 'spaces', 'posts')).map((row) => bytesIn(row, 'post')),
        server.posts,
      ),
    );
    t.ok(same(column('entries', 'entry'), server.entries));
    t.ok(same(column('reports', 'sealed'), [server.report]));
  },
);

t.test(
  'M5: a copy of the data folder shows no post, entry, report, title or channel',
  async (t) => {
    t.same(await searchCopy(), []);
    await island.stop();
    t.same(await searchCopy(), [], 'nor does one of an island at rest');
    await island.start();
  },
);

/** The posts of the channel as the island gives them out, of those that it can open. */
async function page(): Promise<{ seqs: number[]; feed: Uint8Array }> {
  const asked = { channel, after: 0, count: 100 };
  const { items } = await bobs.islander.session.call('posts', asked);
  const seen = items.map((item) => {
    const leaf = 'post' in item ? hashPost(item.post) : item.gone;
    return { ...item, leaf };
  });
  const seqs = items.filter((item) => 'post' in item).map(({ seq }) => seq);
  return { seqs, feed: feedHeadAfter(emptyFeed, seen).hash };
}

const islander = await bob.open();
t.teardown(() => islander[Symbol.asyncDispose]());
const bobs: Member = memberOf(islander);
const honest = await page();

const put = (seq: number, bytes: Uint8Array) =>
  [
    'update posts set post = ? where channel = ? and seq = ?',
    ...[bytes, fromHex(channel), seq],
  ] as const;

t.test('M5: posts that were exchanged are refused by name, and they alone', async (t) => {
  t.same(honest.seqs, [1, 2, 3]);
  const [one, two] = postRows.map((row) => bytesIn(row, 'post'));
  if (!one || !two) throw new Error('there are no two posts');
  {
    using _tampered = tamper(island.data, 'spaces', [put(1, two), put(2, one)]);
    const shown = await page();
    t.same(shown.seqs, [3]);
    t.same(shown.feed, honest.feed, 'what is missing leaves its hash, and the feed goes on');
  }
  const told = (await readFile(join(layout.log, 'core.log'), 'utf8'))
    .split('\n')
    .filter((line) => line.includes('space_row_unopened'));
  t.equal(told.length, 2);
  t.ok(told.every((line) => line.includes('record_unopened')));
  t.same((await page()).seqs, [1, 2, 3]);
});

t.test(
  'M3: who has the master key too exchanges posts, and members see another feed',
  async (t) => {
    const master = await withMaster(island.data, 'spaces', stolen);
    const at = (i: number) => {
      return { table: 'posts', column: 'post', row: postRow(postRows[i] ?? {}) };
    };
    const [one, two] = server.posts as [Uint8Array, Uint8Array];
    const bent = two.slice();
    bent[bent.length - 1] = (bent.at(-1) ?? 0) ^ 1;
    const cases: [string, Parameters<typeof tamper>[2]][] = [
      ['two exchanged', [put(1, master.seal(at(0), two)), put(2, master.seal(at(1), one))]],
      ['one twice', [put(2, master.seal(at(1), one))]],
      ['a bit of one', [put(2, master.seal(at(1), bent))]],
      [
        'another author',
        [
          [
            'update posts set author = ? where channel = ? and seq = 2',
            ...[fromHex(bob.account.account), fromHex(channel)],
          ],
        ],
      ],
    ];
    for (const [what, statements] of cases) {
      using _tampered = tamper(island.data, 'spaces', statements);
      t.notSame((await page()).feed, honest.feed, what);
    }
    {
      using _tampered = tamper(island.data, 'spaces', [
        ['delete from posts where channel = ? and seq = 2', fromHex(channel)],
      ]);
      await t.rejects(page(), { code: 'feed_broken' }, 'one left out');
    }
    t.equal(decodePost(two).iteration, 1, 'and each post names the one before');
    t.same(decodePost(two).prev, hashPost(one));
  },
);

t.test('M3: and entries: a member who reads the log anew refuses it', async (t) => {
  const master = await withMaster(island.data, 'spaces', stolen);
  const rows = rowsOf(stolen, 'spaces', 'entries').toSorted(
    (a, b) => Number(a['seq']) - Number(b['seq']),
  );
  const at = (i: number) => {
    const seq = Buffer.alloc(8);
    seq.writeBigUInt64BE(BigInt(Number(rows[i]?.['seq'])));
    const row = Buffer.concat([fromHex(space), seq]);
    return { table: 'entries', column: 'entry', row };
  };
  const putEntry = (i: number, bytes: Uint8Array) =>
    [
      'update entries set entry = ? where space = ? and seq = ?',
      ...[bytes, fromHex(space), Number(rows[i]?.['seq'])],
    ] as const;
  async function readAnew(): Promise<string> {
    const storage = memoryStorage();
    const { account, people, lookups, session } = islander;
    const own = openOwnPerson(bob?.joining.storage ?? storage, async () => {
      throw new Error('nothing of the own account changed');
    });
    const actors = openActors({ account, people, own, lookups });
    return outcomeOf(() => openFollowing({ account, storage, session, actors }).follow(space));
  }
  t.equal(await readAnew(), 'accepted');
  const last = server.entries.length - 1;
  const changed = (server.entries[2] ?? new Uint8Array()).slice();
  const name = Buffer.from(changed).indexOf('potting-shed');
  t.ok(name > 0);
  changed[name] = 'r'.charCodeAt(0);
  const raw = (i: number) => bytesIn(rows[i], 'entry');
  const cases: [string, Parameters<typeof tamper>[2], string][] = [
    ['exchanged without the master key', [putEntry(1, raw(2)), putEntry(2, raw(1))], 'internal'],
    ['another name of a channel', [putEntry(2, master.seal(at(2), changed))], 'space_forged'],
    [
      'one put in the place of another',
      [putEntry(2, master.seal(at(2), server.entries[3] ?? changed))],
      'space_forged',
    ],
    [
      'the newest left out',
      [
        ['delete from entries where space = ? and seq = ?', fromHex(space), last + 1],
        ['update spaces set seq = ? where space = ?', last, fromHex(space)],
      ],
      'accepted',
    ],
  ];
  for (const [what, statements, wanted] of cases) {
    using _tampered = tamper(island.data, 'spaces', statements);
    t.equal(await readAnew(), wanted, what);
  }
});

t.end();
