/** What is kept in memory, and what goes. */
import t from 'tap';
import { newestKept, oftenKept } from './newest-kept.ts';

t.test('what was used longest ago goes first', async (t) => {
  const kept = newestKept<number>(2);
  kept.set('a', 1);
  kept.set('b', 2);
  kept.get('a');
  kept.set('c', 3);
  t.same(
    ['a', 'b', 'c'].map((key) => kept.get(key)),
    [1, undefined, 3],
  );
});

t.test('whoever asks for everything in turn drives nothing out', async (t) => {
  const kept = oftenKept<number>(2);
  const ask = (key: string, value: number) => {
    const known = kept.get(key);
    if (known === undefined) kept.set(key, value);
    return known;
  };
  t.same([ask('a', 1), ask('a', 1), ask('a', 1)], [undefined, undefined, 1]);
  for (let i = 0; i < 100; i++) t.equal(ask(`once ${i}`, i), undefined);
  t.equal(ask('a', 1), 1);
  kept.delete('a');
  t.equal(ask('a', 1), undefined);
});
