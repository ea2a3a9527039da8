/** Conversations made of rows in any order: what is shown, what is erased, what is found. */
import { accountId } from '@island/protocol/wire/ids.ts';
import { fromHex } from '@island/protocol/wire/text.ts';
import fc from 'fast-check';
import t from 'tap';
import { actRow, actsAfter } from '../messages/acts.ts';
import {
  arrival,
  departure,
  type Incoming,
  messagesAfter,
  type Outgoing,
  unshown,
} from '../messages/messages.ts';
import { contactChanges } from '../people/contacts.ts';
import { memoryStorage } from '../storage/memory.ts';
import type { Append, Storage } from '../storage/storage.ts';
import { catchUp } from './catch-up.ts';
import { conversations } from './conversation-list.ts';
import { expireDue } from './expiry.ts';
import { takeMark } from './marks.ts';
import { markRead } from './reading.ts';
import { dueReceipts } from './receipt-rows.ts';
import { sendDue, takeReceipt } from './receipts.ts';
import { search } from './search.ts';
import { changeSettings } from './settings.ts';
import { type Shown, view } from './view.ts';

const bob = accountId('b0'.repeat(16));
const id = (n: number): string => n.toString(16).padStart(32, '0');
const at = 1_700_000_000_000;
const now = () => at + 1_000;

const incoming = (n: number, text: string, more: Partial<Incoming> = {}): Append =>
  arrival({
    ...{ type: 'message', id: id(n), from: 'bob', peer: bob, text },
    ...{ sentAt: at + n, receivedAt: at + n, ...more },
  });
const outgoing = (n: number, text: string, more: Partial<Outgoing> = {}): Append =>
  departure(
    {
      ...{ type: 'sent', id: id(n), to: 'bob', peer: bob, text },
      ...{ sentAt: at + n, state: 'accepted', ...more },
    },
    { namespace: 'unused', bytes: new Uint8Array(0) },
  );
type ActBody = Parameters<typeof actRow>[0]['body'];
const act = (n: number, direction: 'in' | 'out', body: ActBody): Append =>
  actRow(
    { id: id(n), direction, peer: bob, name: 'bob', sentAt: at + n, receivedAt: at + n, body },
    {},
  );
const edit = (n: number, revision: number, text: string) =>
  ({ kind: 'edit', id: fromHex(id(n)), revision, text }) as const;
const gone = (n: number) => ({ kind: 'delete', id: fromHex(id(n)) }) as const;
const thumb = (n: number, whose: 'mine' | 'yours') =>
  ({ kind: 'reaction', target: { whose, id: fromHex(id(n)) }, put: true, emoji: '👍' }) as const;

async function accept(storage: Storage): Promise<void> {
  const changes = contactChanges(storage);
  await changes.change(bob, (contact) => ({ ...contact, state: 'accepted', decided: at }));
  await storage.commit(changes.rows());
}
const told = (shown: readonly Shown[]): string[] =>
  shown.map((each) =>
    each.type === 'message'
      ? `${each.direction} ${each.deleted ? 'gone' : each.text}${each.edited ? '*' : ''} ${each.reactions
          .map(({ emoji, mine, theirs }) => `${emoji}${mine ? 'm' : ''}${theirs ? 't' : ''}`)
          .join()}`
      : '?',
  );
/** Everything that is in the storage, to look for what should not be. */
async function everything(storage: Storage, names: readonly string[]): Promise<string> {
  const rows = await Promise.all(names.map((name) => storage.list(name)));
  return rows
    .flat()
    .map(({ key, bytes }) => `${key} ${Buffer.from(bytes).toString('latin1')}`)
    .join('\n');
}
const said = ['messages', 'acts', 'words', 'words-of', 'arrived', 'archive-pending', 'outbox'];

t.test('M6: rows in any order, taken in at any moments, show the same conversation', async () => {
  const rows = [
    incoming(1, 'first'),
    outgoing(2, 'second'),
    incoming(3, 'taken back'),
    act(4, 'in', edit(1, 1, 'first, better')),
    act(5, 'in', edit(1, 2, 'first, best')),
    act(6, 'in', gone(3)),
    act(7, 'in', edit(3, 1, 'taken back, they say')),
    act(8, 'in', thumb(2, 'yours')),
    act(9, 'out', thumb(2, 'mine')),
    // Not theirs to change, also where they use the same id.
    act(10, 'in', edit(2, 9, 'forged')),
    act(11, 'in', gone(2)),
    act(12, 'out', gone(1)),
    incoming(2, 'under an id of ours'),
  ];
  const expected = ['in first, best* ', 'in gone ', 'out second 👍mt', 'in gone '];
  await fc.assert(
    fc.asyncProperty(
      fc.shuffledSubarray(rows, { minLength: rows.length, maxLength: rows.length }),
      fc.array(fc.boolean(), { minLength: rows.length, maxLength: rows.length }),
      async (shuffled, looks) => {
        await using storage = memoryStorage();
        for (const [i, row] of shuffled.entries()) {
          await storage.commit({ append: [row] });
          if (looks[i]) await catchUp(storage, now);
        }
        const shown = told(await view(storage, now, 'bob')).sort();
        const kept = await everything(storage, said);
        return (
          JSON.stringify(shown) === JSON.stringify([...expected].sort()) &&
          !kept.includes('taken back') &&
          !kept.includes('under an id')
        );
      },
    ),
    { numRuns: 150 },
  );
});

t.test('a page is the newest, or those before a place', async (t) => {
  await using storage = memoryStorage();
  await storage.commit({ append: Array.from({ length: 30 }, (_, n) => incoming(n, `m${n}`)) });
  const newest = await view(storage, now, 'bob', { last: 3 });
  t.same(told(newest), ['in m27 ', 'in m28 ', 'in m29 ']);
  const before = await view(storage, now, 'bob', { last: 2, before: newest[0]?.at ?? '' });
  t.same(told(before), ['in m25 ', 'in m26 ']);
});

t.test('a reply shows what it answers, from either side, until that is taken back', async (t) => {
  await using storage = memoryStorage();
  await storage.commit({
    append: [
      outgoing(1, 'a question'),
      incoming(2, 'to yours', { reply: { whose: 'yours', id: id(1) } }),
      incoming(3, 'to mine', { reply: { whose: 'mine', id: id(2) } }),
      incoming(4, 'to nothing', { reply: { whose: 'mine', id: id(1) } }),
    ],
  });
  const quotes = async () =>
    (await view(storage, now, 'bob')).map((each) => each.type === 'message' && each.reply?.excerpt);
  t.same(await quotes(), [undefined, 'a question', 'to yours', undefined]);
  await storage.commit({ append: [act(5, 'out', gone(1))] });
  t.same(await quotes(), [undefined, undefined, 'to yours', undefined]);
});

t.test('messages under a timer: theirs live from reading, ours from sending', async (t) => {
  await using storage = memoryStorage();
  await storage.commit({
    append: [
      incoming(1, 'theirs', { timer: 10 }),
      outgoing(2, 'ours', { timer: 10 }),
      outgoing(3, 'waits', { timer: 10, state: 'queued' }),
      act(4, 'in', thumb(2, 'yours')),
    ],
  });
  await catchUp(storage, now);
  await expireDue(storage, at + 11_000);
  t.same(told(await view(storage, now, 'bob')), ['in theirs ', 'out waits ']);
  await markRead(storage, () => at + 20_000, 'bob');
  await expireDue(storage, at + 29_999);
  t.equal((await view(storage, now, 'bob')).length, 2, 'what was not sent has its time again');
  await expireDue(storage, at + 30_000);
  const kept = await everything(storage, [...said, 'talk bob', 'unread bob', 'message-places']);
  t.notMatch(kept, /theirs|ours/);
  t.equal((await actsAfter(storage)).length, 0);
});

t.test('unread, read here, read on another device', async (t) => {
  await using storage = memoryStorage();
  await storage.commit({ append: [outgoing(1, 'hello'), incoming(2, 'a'), incoming(3, 'b')] });
  const unread = async () => (await conversations(storage, now)).map((each) => each.unread);
  // The first look is at a home of before: what was not shown is unread.
  t.same(await unread(), [2]);
  const [first] = (await view(storage, now, 'bob')).slice(1);
  t.same(await markRead(storage, now, 'bob', first?.at), [{ peer: bob, readUpTo: at + 2 }]);
  t.same(await unread(), [1]);
  const put: Parameters<typeof takeMark>[1]['put'] = [];
  await takeMark(storage, { put }, bob, at + 3, now());
  await storage.commit({ put });
  t.same(await unread(), [0]);
  t.same(await unshown(storage), []);
  await storage.commit({ append: [incoming(2, 'late', { id: id(77) })] });
  t.same(await unread(), [0], 'read before it came here');
  await storage.commit({ append: [incoming(5, 'new')] });
  t.same(await unread(), [1]);
});

t.test('a home of before: what was shown is read, whom it wrote to is accepted', async (t) => {
  await using storage = memoryStorage();
  await storage.commit({ append: [outgoing(1, 'hello'), incoming(2, 'a'), incoming(3, 'b')] });
  const [shown] = await unshown(storage);
  await storage.commit({ remove: [{ namespace: 'arrived', key: shown ?? '' }] });
  t.match(await conversations(storage, now), [{ name: 'bob', unread: 1, standing: 'open' }]);
  await using other = memoryStorage();
  await other.commit({ append: [incoming(3, 'hi there')] });
  t.match(await conversations(other, now), [{ standing: 'request', excerpt: 'hi there' }]);
});

t.test('receipts: to contacts only, together, as settings say, rising only', async (t) => {
  await using storage = memoryStorage();
  await storage.commit({ append: [outgoing(1, 'x'), incoming(2, 'a'), incoming(3, 'b')] });
  const clock = { now: at };
  const sending = { storage, now: () => clock.now, nameOf: async () => 'bob' };
  const sentReceipts = async () => (await storage.list('outbox')).length;
  await catchUp(storage, now);
  await storage.commit({ remove: [{ namespace: 'contacts', key: bob }] });
  await markRead(storage, now, 'bob', (await view(storage, now, 'bob'))[1]?.at);
  t.same(await dueReceipts(storage), [], 'a stranger is told nothing');
  await accept(storage);
  await storage.commit({ append: [incoming(4, 'c')] });
  await markRead(storage, now, 'bob');
  const owed = await dueReceipts(storage);
  t.equal(owed.length, 2);
  t.ok(owed.every(({ at: due }) => due >= now() + 1_000 && due <= now() + 30_000));
  t.equal(await sendDue(sending), Math.min(...owed.map(({ at: due }) => due)));
  t.equal(await sentReceipts(), 0);
  clock.now = at + 40_000;
  await sendDue(sending);
  t.equal(await sentReceipts(), 1, 'one for both');
  t.same(await dueReceipts(storage), []);

  const stateOf = async () => {
    const [first] = await view(storage, now, 'bob');
    return first?.type === 'message' && first.state;
  };
  const receipt = async (read: boolean, ...ids: string[]) => {
    const put: Parameters<typeof takeReceipt>[0]['put'] = [];
    const body = { kind: 'receipt', read, ids: ids.map(fromHex) } as const;
    await takeReceipt({ storage, put, now }, bob, 'bob', body);
    await storage.commit({ put });
    return put.length;
  };
  t.equal(await stateOf(), 'sent');
  t.equal(await receipt(true, id(2)), 0, 'it names nothing of ours');
  await receipt(false, id(1));
  t.equal(await stateOf(), 'delivered');
  await receipt(true, id(1));
  await receipt(false, id(1));
  t.equal(await stateOf(), 'read');
  await changeSettings(storage, { read: false });
  t.equal(await stateOf(), 'delivered', 'who does not tell is not told');
  await storage.commit({ append: [incoming(5, 'd')] });
  await markRead(storage, now, 'bob');
  t.same(await dueReceipts(storage), []);
});

t.test(
  'search: words by their beginnings, without case and marks, as messages are now',
  async (t) => {
    await using storage = memoryStorage();
    await storage.commit({
      append: [
        incoming(1, 'Ärger mit dem Käsekuchen'),
        outgoing(2, 'the cheese cake was fine'),
        incoming(3, '奶酪蛋糕很好吃'),
        incoming(4, 'cheese, but taken back'),
        act(5, 'in', gone(4)),
        act(6, 'out', edit(2, 1, 'the chess board was fine')),
      ],
    });
    const found = async (text: string) =>
      told((await search(storage, now, text)).messages.map(({ message }) => message));
    t.same(await found('arger KASE'), ['in Ärger mit dem Käsekuchen ']);
    t.same(await found('蛋糕'), ['in 奶酪蛋糕很好吃 ']);
    t.same(await found('che'), ['out the chess board was fine* ']);
    t.same(await found('cheese'), []);
    t.same(await found('chess arger'), []);
    t.match(await search(storage, now, 'fine', { with: 'carol' }), { total: 0, since: at + 1 });
    t.equal((await messagesAfter(storage, '')).length, 4);
  },
);

t.test(
  'what is asked for again stands where it is missed, and nobody’s conversation begins with it',
  async (t) => {
    const storage = memoryStorage();
    const stand = (claims: string, count?: number) => {
      const state = count === undefined ? ('recovering' as const) : ('lost' as const);
      const what = { id: 'ab', claims, reason: 'No.', receivedAt: 20, state, count };
      return arrival({ type: 'unreadable', ...what });
    };
    const said = { id: 'cd', from: 'bob', text: 'hello', sentAt: 10, receivedAt: 10 };
    await storage.commit({ append: [arrival({ type: 'message', ...said })] });
    await view(storage, Date.now, 'bob');
    const { keys } = await storage.commit({
      append: [stand('bob'), stand('eve'), stand('bob', 3)],
    });
    const now = await view(storage, Date.now, 'bob');
    t.match(now, [{ text: 'hello' }, { state: 'recovering' }, { state: 'lost', count: 3 }]);
    t.same(await view(storage, Date.now, 'eve'), []);
    const remove = [keys[0] ?? '', keys[2] ?? ''].map((key) => ({ namespace: 'messages', key }));
    await storage.commit({ remove });
    t.match(await view(storage, Date.now, 'bob', { last: 1 }), [{ text: 'hello' }]);
  },
);

/** The most rows that one commit wrote and removed. */
function weighed(): { storage: Storage; most: () => number } {
  const storage = memoryStorage();
  let most = 0;
  const commit: Storage['commit'] = (batch) => {
    most = Math.max(most, (batch.put?.length ?? 0) + (batch.remove?.length ?? 0));
    return storage.commit(batch);
  };
  return { storage: { ...storage, commit }, most: () => most };
}

t.test(
  'a flood of reactions, edits and acts on nothing takes room for a few of them, and stays quick',
  async (t) => {
    const { storage, most } = weighed();
    await storage.commit({ append: [outgoing(1, 'ours'), incoming(2, 'theirs')] });
    const reaction = (n: number, emoji: string) =>
      act(n, 'in', {
        kind: 'reaction',
        target: { whose: 'yours', id: fromHex(id(1)) },
        put: true,
        emoji,
      });
    for (let i = 0; i < 1_000; i++)
      await storage.commit({
        append: [
          reaction(10_000 + i, `😀${i}`),
          act(20_000 + i, 'in', edit(2, i + 1, `changed ${i}`)),
          act(30_000 + i, 'in', thumb(50_000 + i, 'mine')),
          act(40_000 + i, 'in', { kind: 'timer', seconds: 0 }),
        ],
      });
    const shown = await view(storage, now, 'bob');
    t.match(shown, [{ reactions: { length: 16 } }, { text: 'changed 999', revision: 1_000 }]);
    t.equal((await actsAfter(storage, '', 10_000)).length, 16 + 1 + 500);
    t.equal((await storage.list(`acts-loose ${bob}`)).length, 500);
    t.ok(most() < 4_500, `${most()} rows in one commit`);

    await storage.commit({ append: [incoming(50_999, 'comes later')] });
    const [later] = await view(storage, now, 'bob', { last: 1 });
    t.match(later, { text: 'comes later', reactions: [{ emoji: '👍' }] });
    t.equal((await storage.list(`acts-loose ${bob}`)).length, 499, 'it is loose no more');
  },
);

t.test('messages of very many words are taken in over several commits', async (t) => {
  const { storage, most } = weighed();
  const words = (n: number) => Array.from({ length: 600 }, (_, i) => `w${n}x${i}`).join(' ');
  await storage.commit({
    append: Array.from({ length: 60 }, (_, n) => incoming(n, words(n), { timer: 1 })),
  });
  await catchUp(storage, now);
  t.ok(most() < 3_000, `${most()} rows in one commit`);
  t.equal((await storage.list('words')).length, 60 * 512);
  await storage.commit({
    append: Array.from({ length: 30 }, (_, n) => act(100 + n, 'in', edit(n, 1, words(n + 60)))),
  });
  await storage.commit({
    append: Array.from({ length: 15 }, (_, n) => act(200 + n, 'in', gone(n))),
  });
  await catchUp(storage, now);
  t.equal((await storage.list('words')).length, 45 * 512);
  await markRead(storage, now, 'bob');
  await expireDue(storage, at + 10_000);
  t.equal((await storage.list('words')).length, 0);
  t.ok(most() < 3_500, `${most()} rows in one commit`);
});
