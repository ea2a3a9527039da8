/** What is asked at once is asked together, and whoever asks later is not answered from before. */
import t from 'tap';
import { gathered } from './gathered.ts';
import { faultCode } from './testing/outcome.ts';

t.test('one at a time, whatever comes meanwhile together, so many at most', async (t) => {
  const rounds: (readonly number[])[] = [];
  let go = Promise.withResolvers<void>();
  const ask = gathered(async (items: readonly number[]) => {
    rounds.push(items);
    await go.promise;
    return rounds.length;
  }, 3);
  const first = [ask(1), ask(2)];
  await Promise.resolve();
  const later = [3, 4, 5, 6].map((item) => ask(item));
  go.resolve();
  t.same(await Promise.all(first), [1, 1]);
  t.same(await Promise.all(later), [2, 2, 2, 3]);
  t.same(rounds, [[1, 2], [3, 4, 5], [6]]);
  go = Promise.withResolvers<void>();
  go.resolve();
  t.equal(await ask(7), 4, 'and goes on when it was at rest');
});

t.test('a round that fails, fails for those in it alone', async (t) => {
  let failing = true;
  const ask = gathered(async () => {
    if (failing) throw new TypeError('not now');
  }, 8);
  const codes = await Promise.all([faultCode(ask(1)), faultCode(ask(2))]);
  t.equal(codes.includes('resolved'), false);
  failing = false;
  t.equal(await faultCode(ask(3)), 'resolved');
});
