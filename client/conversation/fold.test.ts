/** The same acts make the same conversation, whatever order they came in; nobody changes what another said. */
import { fromHex } from '@island/protocol/wire/text.ts';
import fc from 'fast-check';
import t from 'tap';
import { aboutMessage, type FoldedAct, fold, mostEmoji, outdone, type TargetOf } from './fold.ts';

const digits = fc.constantFrom('aa', 'bb', 'cc').map((byte) => byte.repeat(16));
const whose = fc.constantFrom('mine', 'yours') as fc.Arbitrary<'mine' | 'yours'>;
const body: fc.Arbitrary<FoldedAct['body']> = fc.oneof(
  fc.record({
    kind: fc.constant('edit' as const),
    id: digits.map(fromHex),
    revision: fc.integer({ min: 0, max: 3 }),
    text: fc.string({ minLength: 1, maxLength: 3 }),
  }),
  fc.record({
    kind: fc.constant('reaction' as const),
    target: fc.record({ whose, id: digits.map(fromHex) }),
    put: fc.boolean(),
    emoji: fc.constantFrom('👍', '🎉'),
  }),
  fc.record({ kind: fc.constant('delete' as const), id: digits.map(fromHex) }),
);
/** One id is one act: reception takes an id once. */
const acts = fc
  .uniqueArray(
    fc.record({
      id: fc.integer({ min: 0, max: 255 }).map((n) => n.toString(16).padStart(32, '0')),
      direction: fc.constantFrom('in' as const, 'out' as const),
      sentAt: fc.integer({ min: 0, max: 3 }),
      body,
    }),
    { selector: ({ id }) => id, maxLength: 12 },
  )
  .filter((all) => all.filter(({ body }) => body.kind === 'delete').length < 3);

function isAbout(of: TargetOf, act: FoldedAct): boolean {
  const target = aboutMessage(act);
  return target?.id === of.id && target.direction === of.direction;
}

const message = { direction: 'out', id: 'aa'.repeat(16), text: 'as it was' } as const;

t.test('M6: any order and any repetition of acts come to the same', async () => {
  fc.assert(
    fc.property(
      acts.chain((all) =>
        fc.tuple(
          fc.constant(all),
          fc.shuffledSubarray([...all, ...all], {
            minLength: all.length * 2,
            maxLength: all.length * 2,
          }),
        ),
      ),
      ([all, shuffled]) => {
        const expected = JSON.stringify(fold(message, all));
        return JSON.stringify(fold(message, shuffled)) === expected;
      },
    ),
    { numRuns: 2000 },
  );
});

t.test('M1: whatever the other side sends, they neither edit nor delete what we said', async () => {
  fc.assert(
    fc.property(acts, (all) => {
      const theirs = all.filter(({ direction }) => direction === 'in');
      const { text, deleted, edited } = fold(message, theirs);
      return text === message.text && !deleted && edited === undefined;
    }),
    { numRuns: 1000 },
  );
});

t.test('M1: both sides of a conversation fold to mirror images', async () => {
  const mirror = (direction: 'in' | 'out') => (direction === 'in' ? 'out' : 'in');
  fc.assert(
    fc.property(acts, (all) => {
      const here = fold(message, all);
      const mirrored = all.map((act) => ({ ...act, direction: mirror(act.direction) }) as const);
      const there = fold({ ...message, direction: 'in' }, mirrored);
      const swapped = there.reactions.map(({ emoji, mine, theirs }) => ({
        emoji,
        mine: theirs,
        theirs: mine,
      }));
      return JSON.stringify(here) === JSON.stringify({ ...there, reactions: swapped });
    }),
    { numRuns: 1000 },
  );
});

t.test('a deletion holds for good, and what never went counts for nothing', async (t) => {
  const id = fromHex(message.id);
  const by = { direction: 'out', sentAt: 1 } as const;
  const edit = { ...by, id: '2', body: { kind: 'edit', id, revision: 1, text: 'new' } } as const;
  const gone = { ...by, id: '1', body: { kind: 'delete', id } } as const;
  t.match(fold(message, [edit]), { text: 'new', edited: 1, revision: 1 });
  t.match(fold(message, [gone, edit]), { text: '', deleted: true, reactions: [] });
  t.match(fold(message, [{ ...gone, failed: 'refused' }]), { text: 'as it was', deleted: false });
});

t.test('M6: what was dropped because it counts no more would never have counted', async () => {
  const emoji = fc.integer({ min: 0, max: 24 }).map((n) => String.fromCodePoint(0x1f600 + n));
  const target = { whose: 'yours', id: fromHex(message.id) } as const;
  const theirs = fc.uniqueArray(
    fc.record({
      id: fc.integer({ min: 0, max: 999 }).map((n) => n.toString(16).padStart(32, '0')),
      direction: fc.constant('in' as const),
      sentAt: fc.integer({ min: 0, max: 30 }),
      body: fc.record({
        kind: fc.constant('reaction' as const),
        target: fc.constant(target),
        put: fc.boolean(),
        emoji,
      }),
    }),
    { selector: ({ id }) => id, minLength: 20, maxLength: 80 },
  );
  for (const [of, some] of [
    [message, theirs],
    [{ ...message, direction: 'in' }, acts],
  ] as const) {
    fc.assert(
      fc.property(some, fc.array(fc.boolean(), { minLength: 80, maxLength: 80 }), (all, looks) => {
        const about = all.filter((act) => isAbout(of, act));
        let held: FoldedAct[] = [];
        for (const [i, act] of about.entries()) {
          held.push(act);
          const over = looks[i] ? new Set(outdone(held)) : new Set();
          held = held.filter((each) => !over.has(each));
        }
        const over = new Set(outdone(held));
        const kept = held.filter((each) => !over.has(each));
        const incoming = kept.filter(({ direction }) => direction === 'in').length;
        const same = JSON.stringify(fold(of, kept)) === JSON.stringify(fold(of, about));
        return same && incoming <= mostEmoji + 2;
      }),
      { numRuns: 1000 },
    );
  }
});

t.test('of one person sixteen emoji on a message are counted, the latest', async (t) => {
  const target = { whose: 'yours', id: fromHex(message.id) } as const;
  const all = Array.from({ length: 40 }, (_, n): FoldedAct => {
    const body = {
      kind: 'reaction',
      target,
      put: true,
      emoji: String(n).padStart(2, '0'),
    } as const;
    return { id: String(n).padStart(32, '0'), direction: 'in', sentAt: n, body };
  });
  const { reactions } = fold(message, all);
  t.same(
    reactions.map(({ emoji }) => Number(emoji)),
    Array.from({ length: 16 }, (_, n) => 24 + n),
  );
});
