/** Limits by themselves, with the time as an argument. */
import t from 'tap';
import { network, openOrigin } from './origin.ts';
import { SlidingWindow, TokenBuckets } from './rate.ts';

t.test(
  'T6: no window of one second holds more than 30, however the messages are spaced',
  async (t) => {
    const window = new SlidingWindow(30, 1000);
    const taken: number[] = [];
    let seed = Date.now() % 100_000;
    const printed = seed;
    for (let now = 0; now < 60_000; ) {
      seed = (seed * 16_807) % 2_147_483_647;
      now += seed % 60;
      if (window.take(now)) taken.push(now);
    }
    for (const [at, start] of taken.entries()) {
      const within = taken.slice(at, at + 31).filter((time) => time < start + 1000);
      if (within.length > 30) t.fail(`seed ${printed}: ${within.length} after ${start} ms`);
    }
    t.ok(taken.length > 1000, 'and it does let through');
  },
);

t.test('T6: refused messages do not prolong the refusal', async (t) => {
  const window = new SlidingWindow(30, 1000);
  for (let i = 0; i < 30; i++) t.ok(window.take(0));
  for (let now = 1; now < 1000; now += 10) t.notOk(window.take(now));
  t.ok(window.take(1000));
});

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

t.test('an origin is an IPv4 address or 64 bits of IPv6, under a key of its own', async (t) => {
  t.equal(network('192.0.2.7'), '192.0.2.7');
  t.equal(network('::ffff:192.0.2.7'), '192.0.2.7');
  t.equal(network('2001:DB8:0:1:aaaa::1'), '2001:db8:0:1');
  t.equal(network('2001:db8:0:1::'), '2001:db8:0:1');
  t.equal(network('2001:db8::1'), '2001:db8:0:0');
  t.equal(network('::1'), '0:0:0:0');
  t.equal(network('fe80::1%eth0'), 'fe80:0:0:0');
  const [one, other] = [openOrigin(), openOrigin()];
  t.strictSame(one('192.0.2.7'), one('192.0.2.7'));
  t.strictSame(one('2001:db8::1'), one('2001:db8::2'));
  t.notSame(one('192.0.2.7'), one('192.0.2.8'));
  t.notSame(one('192.0.2.7'), other('192.0.2.7'));
  t.equal(one('192.0.2.7').length, 16);
});
