/** The same acts make the same conversation, whatever order they came in; nobody changes what another said. */
import { fromHex } from '@island/protocol/wire/text.ts';
import fc from 'fast-check';
import t from 'tap';
import { type FoldedAct, fold } from './fold.ts';

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
