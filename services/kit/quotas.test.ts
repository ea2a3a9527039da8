/** Quotas, on real Redis. */
import { randomBytes } from 'node:crypto';
import t from 'tap';
import { createQuotas } from './quotas.ts';
import { testIsland } from './testing/kit.ts';
import { faultCode } from './testing/outcome.ts';

const island = await testIsland(['accounts']);
t.teardown(() => island[Symbol.asyncDispose]());
const { cache } = await island.kit('accounts');
if (cache === undefined) throw new Error('accounts has a cache');
const begun = Date.now();
const clock = { ahead: 0, now: () => begun + clock.ahead };
const hour = 3600;
const parts = { cache, clock, secret: randomBytes(32), prefix: 'test' };

t.test('so many in a stretch of time, of any number at once; each key has its own', async (t) => {
  const quotas = createQuotas(parts);
  const codes = await Promise.all(
    Array.from({ length: 20 }, () => faultCode(quotas.count('a', 5, hour))),
  );
  t.equal(codes.filter((code) => code === 'resolved').length, 5);
  t.equal(codes.filter((code) => code === 'rate_limited').length, 15);
  t.equal(await faultCode(quotas.count('b', 5, hour)), 'resolved');
  t.equal(await faultCode(quotas.count('a', 30, 24 * hour)), 'resolved', 'and each stretch');
});

t.test('a process that was restarted is held to what was counted before', async (t) => {
  for (let i = 0; i < 3; i++) await createQuotas(parts).count('restarted', 3, hour);
  const fault = await createQuotas(parts)
    .count('restarted', 3, hour)
    .catch((error: unknown) => error);
  t.match(fault, { code: 'rate_limited', details: { seconds: hour } });
});

t.test(
  'without Redis the process counts alone, and begins anew when the time is over',
  async (t) => {
    await island.redis.end();
    const quotas = createQuotas(parts);
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 5; i++) t.equal(await faultCode(quotas.count('c', 5, hour)), 'resolved');
      clock.ahead += hour * 1000 - 1000;
      const fault = await quotas.count('c', 5, hour).catch((error: unknown) => error);
      t.match(fault, { code: 'rate_limited', details: { seconds: 1 } });
      clock.ahead += 1000;
    }
    await island.redis.start();
  },
);
