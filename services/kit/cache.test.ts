/** The cache over a real redis-server with mTLS: what it keeps, and what callers notice when Redis goes away. */
import t from 'tap';
import { connectCache } from './cache.ts';
import { testRedis } from './testing/engines.ts';
import { eventually, faultCode } from './testing/outcome.ts';
import { testLog, testPki } from './testing/pki.ts';

const pki = await testPki();
const redis = await testRedis(pki, ['accounts', 'gateway']);
const log = testLog();
const identity = await pki.renewable('accounts');
const user = { user: 'accounts', password: redis.passwords['accounts'] ?? '' };
const cache = await connectCache({ port: redis.port, identity, log, ...user });
t.teardown(async () => {
  await cache[Symbol.asyncDispose]();
  await identity[Symbol.asyncDispose]();
  await redis[Symbol.asyncDispose]();
  await pki[Symbol.asyncDispose]();
});

t.test('T4: values are bytes, and gone after their time or when removed', async (t) => {
  const value = new Uint8Array([0, 255, 13, 10]);
  await cache.set('a', value, 60);
  t.strictSame(await cache.get('a'), value);
  await cache.remove('a');
  t.equal(await cache.get('a'), undefined);
  t.equal(await cache.get('never set'), undefined);
  await cache.set('short', value, 1);
  t.strictSame(await cache.get('short'), value);
  const until = Date.now() + 5000;
  while ((await cache.get('short')) !== undefined && Date.now() < until);
  t.equal(await cache.get('short'), undefined);
});

t.test('a lifetime that is not a whole number of seconds is a bug of the caller', async (t) => {
  for (const seconds of [0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    await t.rejects(cache.set('a', new Uint8Array(), seconds), TypeError);
    await t.rejects(cache.count('a', seconds), TypeError);
  }
});

t.test(
  'parallel counts are all different, and a window ends once, however often it is counted',
  async (t) => {
    const counts = await Promise.all(
      Array.from({ length: 200 }, () => cache.count('parallel', 60)),
    );
    t.strictSame(
      counts.sort((a, b) => a - b),
      Array.from({ length: 200 }, (_, index) => index + 1),
    );
    const start = performance.now();
    t.equal(await cache.count('window', 1), 1);
    let last = 1;
    // Counting all the while must not put off the end of the window.
    for (
      let next = await cache.count('window', 1);
      next > last;
      next = await cache.count('window', 1)
    )
      last = next;
    t.ok(performance.now() - start < 3000);
    t.ok(last > 1);
  },
);

t.test('a value that is no counter is not counted, and the cache goes on', async (t) => {
  await cache.set('text', new TextEncoder().encode('no number'), 60);
  t.equal(await faultCode(cache.count('text', 60)), 'unavailable');
  t.equal(await cache.count('number', 60), 1);
});

t.test(
  'Redis killed: every call is `unavailable` within a second; back again, they work',
  async (t) => {
    await redis.end('SIGKILL');
    const start = performance.now();
    const codes = await Promise.all([
      faultCode(cache.get('a')),
      faultCode(cache.set('a', new Uint8Array(1), 1)),
      faultCode(cache.count('a', 1)),
      faultCode(cache.remove('a')),
    ]);
    t.strictSame(codes, Array(4).fill('unavailable'));
    t.ok(performance.now() - start < 1100);
    await redis.start();
    const until = performance.now() + 8000;
    while ((await faultCode(cache.get('a'))) !== 'resolved' && performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    t.equal(await cache.get('a'), undefined);
    t.equal(
      log.lines.filter((line) => line.includes('cache_lost')).length,
      1,
      'said once, not at every attempt',
    );
  },
);

t.test('a Redis that hangs costs a caller no more than a second', async (t) => {
  await redis.hang();
  const start = performance.now();
  t.equal(await faultCode(cache.get('a')), 'unavailable');
  t.ok(performance.now() - start < 1500);
  redis.signal('SIGCONT');
  const until = performance.now() + 8000;
  while ((await faultCode(cache.get('a'))) !== 'resolved' && performance.now() < until);
  t.equal(await faultCode(cache.get('a')), 'resolved');
});

t.test('a renewed certificate is taken up without an error', async (t) => {
  const work: Promise<number>[] = [];
  const timer = setInterval(() => work.push(cache.count('renewal', 60)), 1);
  for (let round = 1; round <= 3; round++) {
    await identity.renew();
    await eventually(
      () => log.lines.filter((line) => line.includes('cache_renewed')).length === round,
    );
  }
  clearInterval(timer);
  const counts = await Promise.all(work);
  t.equal(new Set(counts).size, work.length);
});

t.test(
  'a start without Redis does not hang; a cache that never connected can be closed',
  async (t) => {
    await redis.end('SIGKILL');
    const start = performance.now();
    {
      await using lonely = await connectCache({ port: redis.port, identity, log, ...user });
      t.equal(await faultCode(lonely.get('a')), 'unavailable');
    }
    t.ok(performance.now() - start < 4000);
    await redis.start();
  },
);
