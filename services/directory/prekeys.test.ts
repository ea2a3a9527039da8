/** Prekeys: refused, replaced, handed out, on real SQLite, NATS and Redis. docs/protocol/prekeys.md */
import {
  makeBatch,
  makeLastResort,
  makeSignedPrekey,
  openOneTime,
} from '@island/protocol/crypto/prekeys.ts';
import { deviceId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import t from 'tap';
import { directory } from './contract.ts';
import { testDirectory } from './testing/directory.ts';
import { type Newcomer, newcomer } from './testing/newcomer.ts';

const running = await testDirectory();
t.after(() => running[Symbol.asyncDispose]());
const { gateway, clock, today, enrolled } = running;
const own = (bytes: Uint8Array) => new Uint8Array(bytes);

const at = <T extends object>({ account, device }: Newcomer['keys'], more?: T) => ({
  account,
  device,
  ...more,
});

const bundlesOf = ({ keys }: Newcomer) =>
  gateway.call(directory, 'bundles', { account: keys.account, devices: [keys.device] });

t.test(
  'M1 pitfall: SPK signature purpose confusion: no prekey passes for another kind',
  async (t) => {
    const { keys } = await enrolled('purpose');
    const signed = makeSignedPrekey(keys.dsk, 9, today()).public;
    const last = makeLastResort(keys.dsk, 9, today()).public;
    // The signature of one kind under the body of the other.
    const forged = own(signed);
    forged.set(last.subarray(-64), forged.length - 64);
    const retyped = own(signed);
    retyped[1] = 0x23;
    for (const [change, code] of [
      [{ signedPrekey: forged }, 'bad_signature'],
      [{ signedPrekey: own(last) }, 'malformed'],
      [{ lastResort: own(signed) }, 'unknown_type'],
      [{ lastResort: retyped }, 'truncated'],
    ] as const) {
      await t.rejects(gateway.call(directory, 'replenish', at(keys, change)), { code });
    }
  },
);

t.test(
  'M1 pitfall: swapped OPK: a one-time prekey in a batch that its device did not sign is refused',
  async (t) => {
    const { keys } = await enrolled('swapped');
    const batch = own(makeBatch(keys.dsk, 50, today(), undefined, 2).public);
    const other = makeBatch(newcomer('other').keys.dsk, 50, today(), undefined, 2).public;
    batch.set(other.subarray(15, 15 + 1216), 15);
    await t.rejects(gateway.call(directory, 'replenish', at(keys, { batch })), {
      code: 'bad_signature',
    });
    t.same(await gateway.call(directory, 'prekeyCount', at(keys)), { oneTime: 3 });
  },
);

t.test(
  'M1 pitfall: OPK exhaustion: each is handed out once, then the last resort alone',
  async (t) => {
    const carol = await enrolled('carol', 4);
    const many = await Promise.all(Array.from({ length: 10 }, () => bundlesOf(carol)));
    const handed = many.flatMap(({ bundles }) => bundles.map(({ oneTime }) => oneTime));
    const given = handed.filter((bytes) => bytes !== undefined);
    t.equal(given.length, 4, 'no more than there are');
    const ids = given.map((bytes) => openOneTime(bytes, carol.keys.dsk.public).id);
    t.same(ids.sort(), [1, 2, 3, 4], 'none twice');
    for (const { oneTime, lastResort, signedPrekey } of many.flatMap(({ bundles }) => bundles)) {
      t.same(lastResort, oneTime === undefined ? carol.enrolment.lastResort : undefined);
      t.same(signedPrekey, carol.enrolment.signedPrekey);
    }
  },
);

t.test('M1 pitfall: OPK exhaustion: a device gives a hundred one-time prekeys a day', async (t) => {
  const person = await enrolled('daily', 60);
  const more = makeBatch(person.keys.dsk, 61, today(), undefined, 60).public;
  await gateway.call(directory, 'replenish', at(person.keys, { batch: own(more) }));
  const all = [];
  for (let i = 0; i < 102; i++) all.push((await bundlesOf(person)).bundles[0]);
  const given = all.filter((bundle) => bundle?.oneTime !== undefined);
  t.equal(given.length, limits.oneTimePerDay);
  t.equal(all[101]?.oneTime, undefined);
  t.same(await gateway.call(directory, 'prekeyCount', at(person.keys)), { oneTime: 20 });
  clock.ahead += 86_400_000;
  t.ok((await bundlesOf(person)).bundles[0]?.oneTime);
});

t.test('fresh prekeys take the place of older ones, never the other way', async (t) => {
  const { keys } = await enrolled('fresh');
  const replenish = (more: object) => gateway.call(directory, 'replenish', at(keys, more));
  const second = own(makeSignedPrekey(keys.dsk, 2, today()).public);
  await replenish({ signedPrekey: second });
  await replenish({ signedPrekey: second });
  const again = own(makeSignedPrekey(keys.dsk, 2, today()).public);
  await t.rejects(replenish({ signedPrekey: again }), { code: 'stale_prekeys' });
  const first = own(makeSignedPrekey(keys.dsk, 1, today()).public);
  await t.rejects(replenish({ signedPrekey: first }), { code: 'stale_prekeys' });
  const batch = own(makeBatch(keys.dsk, 4, today(), undefined, 5).public);
  t.same(await replenish({ batch }), { oneTime: 8 });
  t.same(await replenish({ batch }), { oneTime: 8 }, 'the very same again changes nothing');
  const overlapping = own(makeBatch(keys.dsk, 8, today(), undefined, 5).public);
  await t.rejects(replenish({ batch: overlapping }), { code: 'stale_prekeys' });
});

t.test('prekeys go to a device of the list only', async (t) => {
  const { keys } = await enrolled('listed');
  const other = { account: keys.account, device: deviceId(2) };
  await t.rejects(gateway.call(directory, 'replenish', other), { code: 'unknown_device' });
  const { account } = other;
  await t.rejects(gateway.call(directory, 'bundles', { account, devices: [other.device] }), {
    code: 'unknown_device',
  });
});

t.end();
