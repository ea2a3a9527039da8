/** Backup codes at the island, on real SQLite, NATS and Redis. docs/protocol/devices.md §7 */
import { openKeyRecord } from '@island/protocol/crypto/key-record.ts';
import { openCodeSlot } from '@island/protocol/crypto/key-slots.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { hex } from '@island/protocol/wire/text.ts';
import t from 'tap';
import { directoryService } from '../../directory/service.ts';
import { faultCode } from '../../kit/testing/outcome.ts';
import { accountsService } from '../service.ts';
import { nextKeys } from '../testing/account-keys.ts';
import { askerOf, testAccounts } from '../testing/accounts.ts';
import { newCode, random, shownCode } from '../testing/applicant.ts';
import { type Owner, ownersOf } from '../testing/owners.ts';

const running = await testAccounts();
t.after(() => running[Symbol.asyncDispose]());
const { beginJoining, login } = running;
const owners = ownersOf(running);

/** What the code of a joining opens: the archive key. */
async function opened(owner: Owner, joining: string, index: number): Promise<string> {
  const { record } = await owners.record(owner);
  const { loc, share } = await owners.recovery(owner, joining);
  const code = owner.person.codes[index];
  if (code === undefined) throw new TypeError('no such code');
  t.same(loc, code.loc);
  return hex(openCodeSlot(openKeyRecord(record, owner.keys.aik.public), code, share).ark);
}

t.test(
  'A2 pitfall: code redeemed twice: of 64 at once with one code one gets through',
  async (t) => {
    const owner = await owners.owner('ada');
    const [code] = owner.person.codes;
    const results = await Promise.allSettled(
      Array.from({ length: 64 }, () => owners.begin(owner, code)),
    );
    const refused = results.filter((result) => result.status === 'rejected');
    t.equal(refused.length, 63);
    t.ok(refused.every(({ reason }) => reason.code === 'wrong_code'));
    t.equal(await owners.codes(owner.asker), 7);
  },
);

t.test(
  'A3: each of the eight opens the archive key alone, the same as often as asked',
  async (t) => {
    const owner = await owners.owner('bea');
    for (let i = 0; i < limits.backupCodes; i++) {
      const joining = await owners.begin(owner, owner.person.codes[i]);
      t.equal(await opened(owner, joining, i), hex(owner.person.ark));
      t.equal(await opened(owner, joining, i), hex(owner.person.ark));
      t.equal(await owners.codes(owner.asker), 7 - i);
    }
  },
);

t.test(
  'A3: a code that was used opens what it did after a crash, until the device has joined',
  async (t) => {
    await using own = await testAccounts([directoryService]);
    const before = await own.start(accountsService);
    const its = ownersOf(own);
    const owner = await its.owner('cyd');
    const [code] = owner.person.codes;
    const joining = await its.begin(owner, code);
    const first = await its.recovery(owner, joining);
    await before[Symbol.asyncDispose]();
    await own.start(accountsService);
    t.same(await its.recovery(owner, joining), first);
    t.equal(await faultCode(its.begin(owner, code)), 'wrong_code');
    const next = its.newDevice(owner.keys, {}, { ark: 'rotate', without: code ? [code] : [] });
    await its.join(next, joining);
    t.equal(await faultCode(its.recovery(owner, joining)), 'not_found');
    t.equal(await its.codes(owner.asker), 7, 'the other seven are there');
    t.same((await its.record(owner)).used, [], 'and its slot is gone from the record');
  },
);

t.test('A3: the remaining codes open the new archive key after a rotation', async (t) => {
  const owner = await owners.owner('dot');
  const [first, second] = owner.person.codes;
  await login(owner.person, { ...(first && { second: shownCode(first) }) });
  t.same((await owners.record(owner)).used, first && [first.loc]);
  const rotated = nextKeys(owner.keys, { ark: 'rotate', without: first ? [first] : [] });
  await owners.putRecord(owner.asker, rotated);
  const joining = await owners.begin(owner, second);
  t.equal(await opened(owner, joining, 1), hex(rotated.parts.ark));
  t.not(hex(rotated.parts.ark), hex(owner.person.ark));
});

t.test(
  'the answer is one for codes that are unknown, used, foreign, or shown without their proof',
  async (t) => {
    const owner = await owners.owner('eve');
    const other = await owners.owner('eva');
    const [used, good] = owner.person.codes;
    if (used === undefined || good === undefined) throw new TypeError('codes are missing');
    await owners.begin(owner, used);
    const forged = { ...good, proof: random(32) };
    for (const code of [newCode(), used, other.person.codes[0], forged]) {
      t.equal(await faultCode(owners.begin(owner, code)), 'wrong_code');
      t.equal(
        await faultCode(
          login(owner.person, { ...(code && { second: shownCode(code) }), origin: random(16) }),
        ),
        'wrong_code',
      );
    }
    t.equal(await owners.codes(owner.asker), 7);
    t.equal(await owners.codes(other.asker), 8);
  },
);

t.test('one address has five tries in an hour; another has its own', async (t) => {
  const owner = await owners.owner('fay');
  const origin = random(16);
  const wrong = (from = origin) =>
    faultCode(beginJoining(owner.person, { second: shownCode(newCode()), origin: from }));
  for (let i = 0; i < limits.codeAttemptsPerHour; i++) t.equal(await wrong(), 'wrong_code');
  t.equal(await wrong(), 'rate_limited');
  t.equal(await wrong(random(16)), 'wrong_code', 'nobody is locked out by somebody else');
});

t.test(
  'a record made while somebody recovers opens for them, and for nobody else with that code',
  async (t) => {
    const owner = await owners.owner('gil');
    const [code] = owner.person.codes;
    const joining = await owners.begin(owner, code);
    t.same((await owners.record(owner)).used, [], 'not used yet for those who make records');
    const rotated = nextKeys(owner.keys, { ark: 'rotate' });
    await owners.putRecord(owner.asker, rotated);
    t.equal(await opened(owner, joining, 0), hex(rotated.parts.ark));
    t.equal(await faultCode(owners.begin(owner, code)), 'wrong_code');
    t.equal(await owners.codes(owner.asker), 7);
    const next = owners.newDevice(rotated, {}, { ark: 'rotate', without: code ? [code] : [] });
    await owners.join(next, joining);
  },
);

t.test('new codes end a recovery that began with an old one', async (t) => {
  const owner = await owners.owner('hal');
  const [code, other] = owner.person.codes;
  const joining = await owners.begin(owner, code);
  await owners.putRecord(owner.asker, nextKeys(owner.keys, { ark: 'rotate', renew: 8 }));
  t.equal(await faultCode(owners.recovery(owner, joining)), 'not_found');
  t.equal(await faultCode(owners.begin(owner, other)), 'wrong_code');
  t.equal(await owners.codes(owner.asker), 8);
});

t.test('a recovery that was given up leaves its code used', async (t) => {
  const owner = await owners.owner('ida');
  const [code] = owner.person.codes;
  const joining = await owners.begin(owner, code);
  running.clock.ahead += limits.joiningSeconds * 1000;
  t.equal(await faultCode(owners.recovery(owner, joining)), 'unauthenticated');
  t.same((await owners.record(owner)).used, code && [code.loc]);
  const stale = nextKeys(owner.keys, { ark: 'rotate' });
  const tokens = await login(owner.person, { origin: random(16) });
  const asker = askerOf(tokens);
  t.equal(
    await faultCode(owners.putRecord(asker, stale)),
    'stale_record',
    'and no record brings it back',
  );
  await owners.putRecord(
    asker,
    nextKeys(owner.keys, { ark: 'rotate', without: code ? [code] : [] }),
  );
});

t.end();
