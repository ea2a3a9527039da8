/** Delivery keys: which of them open a mailbox, and until when. Real SQLite, a clock that the test turns. */
import { randomBytes } from 'node:crypto';
import type { AccountId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import t from 'tap';
import { unixDay } from '../kit/clock.ts';
import { testIsland } from '../kit/testing/kit.ts';
import { faultCode } from '../kit/testing/outcome.ts';
import { hashOfKey, setDeliveryKey } from './delivery-keys.ts';
import { expire } from './retention.ts';
import { envelope, testLists } from './testing/lists.ts';
import { forger } from './testing/payer.ts';
import { type TestTill, testTill } from './testing/till.ts';

const day = 86_400_000;
const island = await testIsland(['directory', 'delivery']);
t.teardown(() => island[Symbol.asyncDispose]());
const lists = testLists((await island.kit('directory')).bus);
const kit = await island.kit('delivery');

const newKey = () => new Uint8Array(randomBytes(16));
const set = (till: TestTill, account: AccountId, epoch: number, key: Uint8Array, cut = false) =>
  setDeliveryKey(till.store, { account, epoch, hash: hashOfKey(key), cut }, unixDay(till.clock));
function put(till: TestTill, account: AccountId, key: Uint8Array): Promise<string> {
  const tokens = forger(till.secrets.seed, till.clock)(1);
  return faultCode(till.put({ tokens, key, account, epoch: 1, envelopes: [envelope(1)] }));
}

t.test('a wrong key stores nothing and costs nothing; no key at all opens nothing', async (t) => {
  await using till = await testTill(kit);
  const account = lists.person(1);
  const key = newKey();
  t.equal(await put(till, account, key), 'delivery_key_refused', 'there is none yet');
  await set(till, account, 1, key);
  t.equal(await put(till, account, newKey()), 'delivery_key_refused');
  t.same(await till.spent(), []);
  t.equal((await till.store.rows('SELECT * FROM envelopes')).length, 0);
  t.equal(await put(till, account, key), 'resolved');
  const other = lists.person(1);
  t.equal(await put(till, other, key), 'delivery_key_refused', "one person's key is no other's");
});

t.test('a key is good for seven days after the next one, unless it was cut off', async (t) => {
  await using till = await testTill(kit);
  const account = lists.person(1);
  const keys = [newKey(), newKey(), newKey(), newKey()] as const;
  await set(till, account, 1, keys[0]);
  await set(till, account, 2, keys[1]);
  t.equal(await put(till, account, keys[0]), 'resolved');
  till.clock.at += limits.deliveryKeyDays * day;
  t.equal(await put(till, account, keys[0]), 'resolved');
  till.clock.at += day;
  t.equal(await put(till, account, keys[0]), 'delivery_key_refused');
  t.equal(await put(till, account, keys[1]), 'resolved');
  await set(till, account, 3, keys[2]);
  t.equal(await put(till, account, keys[1]), 'resolved');
  await set(till, account, 4, keys[3], true);
  for (const old of keys.slice(0, 3)) {
    t.equal(await put(till, account, old), 'delivery_key_refused', 'a block ends them all at once');
  }
  t.equal(await put(till, account, keys[3]), 'resolved');
  t.equal((await till.store.rows('SELECT * FROM delivery_keys')).length, 1);
});

t.test('no send that began before a cut gets in after it', async (t) => {
  await using till = await testTill(kit);
  const account = lists.person(1);
  const [old, next] = [newKey(), newKey()];
  await set(till, account, 1, old);
  let cut = false;
  const late: string[] = [];
  const sends = Array.from({ length: 40 }, async () => {
    const code = await put(till, account, old);
    if (cut) late.push(code);
  });
  await set(till, account, 2, next, true);
  cut = true;
  const { head } = await till.mailboxes.since(account, envelope(1).device, 0, 1);
  await Promise.all(sends);
  const after = await till.mailboxes.since(account, envelope(1).device, 0, 1);
  t.equal(after.head, head, 'what the mailbox had when the block was answered is what it has');
  t.same(
    new Set(late.filter((code) => code !== 'resolved')),
    new Set(late.length > 0 ? ['delivery_key_refused'] : []),
  );
});

t.test('an epoch only grows; the same again changes nothing, and may still cut', async (t) => {
  await using till = await testTill(kit);
  const account = lists.person(1);
  const [first, fifth] = [newKey(), newKey()];
  await set(till, account, 1, first);
  await set(till, account, 5, fifth);
  await set(till, account, 5, fifth);
  t.equal(await put(till, account, first), 'resolved');
  for (const epoch of [5, 4, 1]) {
    await t.rejects(set(till, account, epoch, newKey(), true), {
      code: 'stale_delivery_key',
      details: { epoch: 5 },
    });
  }
  t.equal(await put(till, account, first), 'resolved', 'a stale cut cuts nothing');
  await set(till, account, 5, fifth, true);
  t.equal(await put(till, account, first), 'delivery_key_refused');
  t.equal(await put(till, account, fifth), 'resolved');
});

t.test('a thief of a token with a number far up leaves the owner one to set', async (t) => {
  await using till = await testTill(kit);
  const account = lists.person(1);
  await t.rejects(set(till, account, 1026, newKey()), {
    code: 'stale_delivery_key',
    details: { epoch: 0 },
  });
  await set(till, account, 1, newKey());
  for (const epoch of [1026, 0xffff_fffe, Number.MAX_SAFE_INTEGER]) {
    await t.rejects(set(till, account, epoch, newKey(), true), {
      code: 'stale_delivery_key',
      details: { epoch: 1 },
    });
  }
  const stolen = newKey();
  await set(till, account, 1025, stolen, true);
  const own = newKey();
  await set(till, account, 1026, own, true);
  t.equal(await put(till, account, stolen), 'delivery_key_refused');
  t.equal(await put(till, account, own), 'resolved');

  // As an island of before took it.
  await till.store.write((_db, sql) =>
    sql.run('UPDATE delivery_keys SET epoch = ?', [Number.MAX_SAFE_INTEGER]),
  );
  await set(till, account, 3, stolen, true);
  t.equal(await put(till, account, own), 'delivery_key_refused');
  t.equal(await put(till, account, stolen), 'resolved');
});

t.test('two devices that set the same epoch at once: one of them has it', async (t) => {
  await using till = await testTill(kit);
  const account = lists.person(1);
  const codes = await Promise.all(
    Array.from({ length: 8 }, () => faultCode(set(till, account, 1, newKey()))),
  );
  t.equal(codes.filter((code) => code === 'resolved').length, 1);
  t.equal(codes.filter((code) => code === 'stale_delivery_key').length, 7);
});

t.test('many changes keep few keys, and old ones are forgotten with their days', async (t) => {
  await using till = await testTill(kit);
  const account = lists.person(1);
  const keys = Array.from({ length: 30 }, newKey);
  for (const [at, key] of keys.entries()) await set(till, account, at + 1, key);
  const rows = () => till.store.rows('SELECT epoch FROM delivery_keys ORDER BY epoch');
  t.equal((await rows()).length, 9);
  t.equal(await put(till, account, keys[28] ?? newKey()), 'resolved');
  till.clock.at += (limits.deliveryKeyDays + 1) * day;
  await expire(till.store, till.mailboxes, unixDay(till.clock));
  t.same(await rows(), [{ epoch: 30 }]);
});
