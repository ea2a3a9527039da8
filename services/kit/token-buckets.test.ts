/** Buckets by themselves, with the time as an argument. */
import t from 'tap';
import { TokenBuckets } from './token-buckets.ts';

t.test('a bucket gives its burst at once, then its rate, and says how long to wait', async (t) => {
  const buckets = new TokenBuckets({ perSecond: 2, burst: 3, keys: 10 });
  t.strictSame(
    [0, 0, 0, 0].map((now) => buckets.take('a', now)),
    [0, 0, 0, 1],
  );
  t.equal(buckets.take('b', 0), 0, 'others have their own');
  t.equal(buckets.take('a', 500), 0);
  t.equal(buckets.take('a', 500), 1);
  t.strictSame(
    [9000, 9000, 9000, 9000].map((now) => buckets.take('a', now)),
    [0, 0, 0, 1],
  );
});

t.test('buckets are bounded: of too many, the one unused longest is forgotten', async (t) => {
  const buckets = new TokenBuckets({ perSecond: 1, burst: 1, keys: 3 });
  for (const key of ['a', 'b', 'c']) buckets.take(key, 0);
  buckets.take('a', 0);
  buckets.take('d', 0);
  t.equal(buckets.size, 3);
  t.equal(buckets.take('a', 0), 1, 'still empty');
  t.equal(buckets.take('b', 0), 0, 'forgotten, so full');
});

t.test('a clock that goes back empties no bucket and stops none', async (t) => {
  const buckets = new TokenBuckets({ perSecond: 1, burst: 2, keys: 3 });
  t.equal(buckets.take('a', 100_000), 0);
  t.equal(buckets.take('a', 0), 0);
  t.equal(buckets.take('a', 0), 1);
  t.equal(buckets.take('a', 1000), 0);
});

t.test('a key that is forgiven begins anew', async (t) => {
  const buckets = new TokenBuckets({ perSecond: 1, burst: 1, keys: 3 });
  buckets.take('a', 0);
  t.equal(buckets.take('a', 0), 1);
  buckets.forgive('a');
  t.equal(buckets.take('a', 0), 0);
});
