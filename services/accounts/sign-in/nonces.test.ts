/** Nonces of the island, on real SQLite. docs/protocol/accounts.md §4 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { limits } from '@island/protocol/wire/limits.ts';
import { nonceBytes } from '@island/protocol/wire/route.ts';
import t from 'tap';
import { openStore } from '../../kit/store.ts';
import { faultCode } from '../../kit/testing/outcome.ts';
import { testLog } from '../../kit/testing/pki.ts';
import * as schema from '../schema.ts';
import { createNonces, forgetNonces } from './nonces.ts';

const migrations = join(import.meta.dirname, '../migrations');
let now = 1_800_000_000;
const clock = { now: () => now * 1000 };
const nonces = createNonces(randomBytes(32), clock);

const openAt = (dir: string) =>
  openStore({ file: join(dir, 'accounts.sqlite'), schema, migrations, log: testLog() });

t.test('a nonce is good for its time, whoever asks, and no two are alike', async (t) => {
  const nonce = nonces.make();
  t.equal(nonce.length, nonceBytes);
  t.notSame(nonce, nonces.make());
  nonces.check(nonce);
  now += limits.nonceSeconds - 1;
  nonces.check(nonce);
  now += 1;
  t.throws(() => nonces.check(nonce), { code: 'challenge_expired' });
});

t.test('a nonce that was shown is not shown again, and is forgotten when it is over', async (t) => {
  const [one, other] = [nonces.make(), nonces.make()];
  nonces.show(one);
  t.throws(() => nonces.show(one), { code: 'challenge_expired' });
  nonces.show(other);
  now += limits.nonceSeconds;
  t.throws(() => nonces.show(one), { code: 'challenge_expired' });
  nonces.show(nonces.make());
});

t.test('a nonce that anybody changed or invented is none', async (t) => {
  const nonce = nonces.make();
  for (let i = 0; i < nonce.length; i++) {
    const changed = nonce.slice();
    changed[i] = (changed[i] ?? 0) ^ 1;
    t.throws(() => nonces.check(changed), { code: 'challenge_expired' });
  }
  const stranger = createNonces(randomBytes(32), clock);
  t.throws(() => nonces.check(stranger.make()), { code: 'challenge_expired' });
  for (const length of [40, 0, 39, 41]) {
    t.throws(() => nonces.check(randomBytes(length)));
  }
});

t.test('64 transactions with one nonce: one spends it', async (t) => {
  await using store = await openAt(t.testdir());
  const nonce = nonces.make();
  const spend = () => faultCode(store.write((db) => nonces.spend(db, nonce)));
  const codes = await Promise.all(Array.from({ length: 64 }, spend));
  t.equal(codes.filter((code) => code === 'resolved').length, 1);
  t.equal(codes.filter((code) => code === 'challenge_expired').length, 63);
});

t.test(
  'a nonce that gave nothing is not spent: what undoes the transaction undoes that',
  async (t) => {
    await using store = await openAt(t.testdir());
    const nonce = nonces.make();
    const failed = store.write(async (db) => {
      await nonces.spend(db, nonce);
      throw new Error('later');
    });
    await t.rejects(failed, /later/);
    t.equal(await store.write((db) => nonces.trySpend(db, nonce)), true);
    t.equal(await store.write((db) => nonces.trySpend(db, nonce)), false);
  },
);

t.test('spent nonces are remembered exactly until they would have ended anyway', async (t) => {
  await using store = await openAt(t.testdir());
  const nonce = nonces.make();
  await store.write((db) => nonces.spend(db, nonce));
  const count = async () => (await store.rows('select hash from spent_nonces')).length;
  now += limits.nonceSeconds - 1;
  await store.write((db) => forgetNonces(db, now));
  t.equal(await count(), 1);
  now += 2;
  await store.write((db) => forgetNonces(db, now));
  t.equal(await count(), 0);
  t.throws(() => nonces.check(nonce), { code: 'challenge_expired' });
});
