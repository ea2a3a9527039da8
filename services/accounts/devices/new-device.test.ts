/** New devices of an account that is there, on real SQLite, NATS and Redis. docs/protocol/devices.md §6 */
import { openKeyRecord } from '@island/protocol/crypto/key-record.ts';
import { openDeviceSlot } from '@island/protocol/crypto/key-slots.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { hex } from '@island/protocol/wire/text.ts';
import t, { type Test as T } from 'tap';
import { archiveService } from '../../archive/service.ts';
import { directory } from '../../directory/contract.ts';
import { directoryService } from '../../directory/service.ts';
import { faultCode } from '../../kit/testing/outcome.ts';
import { accounts } from '../contract.ts';
import { accountsService } from '../service.ts';
import { nextKeys } from '../testing/account-keys.ts';
import { askerOf, testAccounts } from '../testing/accounts.ts';
import { random } from '../testing/applicant.ts';
import { type Owner, ownersOf } from '../testing/owners.ts';
import type { JoinRequest } from './new-device.ts';

const running = await testAccounts([directoryService, accountsService, archiveService]);
t.after(() => running[Symbol.asyncDispose]());
const { gateway, login, refresh, clock } = running;
const owners = ownersOf(running);

const joinAs = (request: JoinRequest) => gateway.call(accounts, 'join', request);
const own = (await running.island.kit('accounts')).bus;
const listOf = async ({ person: { keys } }: Owner) =>
  hex((await own.call(directory, 'current', { account: keys.account })).list);
const recordOf = async (owner: Owner) => hex((await owners.record(owner)).record);

/** Nothing of the account is other than it was. */
async function unchanged(t: T, owner: Owner, what: string): Promise<void> {
  t.equal(await listOf(owner), hex(owner.keys.list.bytes), `${what}: the list is as it was`);
  t.equal(await recordOf(owner), hex(owner.keys.keeping.record), `${what}: and the record`);
}

t.test(
  'A4: a device joins with keys of its own, and finds those of the account in its slot',
  async (t) => {
    const owner = await owners.owner('ada');
    const next = owners.newDevice(owner.keys);
    const tokens = await owners.join(next, await owners.begin(owner));
    t.equal(askerOf(tokens).device, 2);
    const { record } = await owners.record(owner);
    const opened = openKeyRecord(record, owner.keys.aik.public);
    t.equal(hex(openDeviceSlot(opened, 2, next.device.keys.dik).ark), hex(owner.person.ark));
    await refresh(next.device.keys, tokens.refresh);
    await login(owner.person, { keys: next.device.keys });
    await refresh(owner.person.keys, owner.tokens.refresh);
  },
);

t.test('A4 pitfall: an account without ids: no device joins but the next', async (t) => {
  const owner = await owners.owner('ann');
  for (const id of [3, 0xffff_ffff]) {
    const far = owners.newDevice(owner.keys, { id });
    const joining = await owners.begin(owner);
    t.equal(await faultCode(owners.join(far, joining)), 'list_broken');
    await unchanged(t, owner, `device ${id}`);
  }
  await owners.second(owner);
});

t.test(
  'the same again gives a session again, also when others changed the list since',
  async (t) => {
    const owner = await owners.owner('bea');
    const joining = await owners.begin(owner);
    const next = owners.newDevice(owner.keys);
    const first = askerOf(await owners.join(next, joining));
    const again = askerOf(await owners.join(next, joining));
    t.not(again.session, first.session);
    const third = owners.newDevice(next.keys);
    await owners.join(third, await owners.begin(owner));
    t.equal(askerOf(await owners.join(next, joining)).device, 2);
    const other = owners.newDevice(third.keys);
    t.equal(
      await faultCode(owners.join(other, joining)),
      'unauthenticated',
      'one device a joining',
    );
    clock.ahead += limits.joiningSeconds * 1000;
    t.equal(await faultCode(owners.join(next, joining)), 'unauthenticated', 'and not for ever');
  },
);

t.test('a session is only for who signs a fresh nonce for this very list', async (t) => {
  const owner = await owners.owner('cyd');
  const joining = await owners.begin(owner);
  const next = owners.newDevice(owner.keys);
  const good = await owners.request(next, joining);
  const other = await owners.request(owners.newDevice(owner.keys), joining);
  const refuse = async (change: object, code: string, what: string) => {
    t.equal(await faultCode(joinAs({ ...good, ...change })), code, what);
    await unchanged(t, owner, what);
  };
  await refuse({ deviceProof: random(64) }, 'bad_proof', 'another signature');
  await refuse({ deviceProof: other.deviceProof }, 'bad_proof', 'a signature for another list');
  await refuse({ nonce: random(40) }, 'challenge_expired', 'a nonce of nobody');
  await refuse({ joining: 'f'.repeat(32) }, 'unauthenticated', 'another joining');
  await refuse({ device: 3 }, 'malformed', 'another device');
  await refuse({ list: other.list }, 'bad_proof', 'another list');
  await refuse({ record: other.record, shares: other.shares }, 'record_broken', 'another record');
  await refuse({ proof: other.proof }, 'bad_proof', 'a foreign proof of the DIK');
  await refuse({ batch: other.batch }, 'bad_signature', 'foreign prekeys');
  await joinAs(good);
  t.equal(await faultCode(joinAs(good)), 'challenge_expired', 'a nonce is good once');
});

t.test(
  'lists and records that cross: one device joins, the other changes nothing and can join after',
  async (t) => {
    const owner = await owners.owner('dan');
    const both = [owners.newDevice(owner.keys), owners.newDevice(owner.keys)] as const;
    const joinings = [await owners.begin(owner), await owners.begin(owner)] as const;
    const codes = await Promise.all(
      both.map((next, i) => faultCode(owners.join(next, `${joinings[i]}`))),
    );
    t.match(codes.toSorted(), ['resolved', /^stale_(list|record)$/]);
    const [won, lost] = codes[0] === 'resolved' ? [0, 1] : [1, 0];
    t.equal(await listOf(owner), hex(both[won ?? 0]?.keys.list.bytes ?? random(1)));
    t.equal(await recordOf(owner), hex(both[won ?? 0]?.keys.keeping.record ?? random(1)));
    const after = owners.newDevice((both[won ?? 0] ?? both[0]).keys);
    t.equal(askerOf(await owners.join(after, `${joinings[lost ?? 0]}`)).device, 3);
  },
);

t.test('a list that crosses with a record of another device: no record is lost', async (t) => {
  for (let i = 0; i < 8; i++) {
    const owner = await owners.owner(`eve${i}`);
    const next = owners.newDevice(owner.keys);
    const joining = await owners.begin(owner);
    const rotated = nextKeys(owner.keys, { ark: 'rotate' });
    const [join, put] = await Promise.all([
      faultCode(owners.join(next, joining)),
      faultCode(owners.putRecord(owner.asker, rotated)),
    ]);
    t.ok(join === 'resolved' || put === 'resolved');
    t.notOk(join === 'resolved' && put === 'resolved', `${join}, ${put}`);
    const kept = join === 'resolved' ? next.keys : rotated;
    t.equal(await recordOf(owner), hex(kept.keeping.record));
    t.equal(await listOf(owner), hex(kept.list.bytes));
  }
});

t.test('A3: whoever joins by a code takes a new archive key and leaves the slot out', async (t) => {
  const owner = await owners.owner('fay');
  const [code] = owner.person.codes;
  if (code === undefined) throw new TypeError('no code');
  const joining = await owners.begin(owner, code);
  for (const change of [{}, { ark: 'rotate' as const }, { without: [code] }]) {
    const next = owners.newDevice(owner.keys, {}, change);
    t.equal(await faultCode(owners.join(next, joining)), 'record_broken');
    await unchanged(t, owner, 'refused');
  }
  const next = owners.newDevice(owner.keys, {}, { ark: 'rotate', without: [code] });
  await owners.join(next, joining);
  t.equal(await owners.codes(owner.asker), 7);
});

t.test(
  'reset: after the time for it, with a new identity, nothing of before and nobody else',
  async (t) => {
    const owner = await owners.owner('hal');
    const { account } = owner.person.keys;
    const reset = () =>
      owners.newDevice(owner.keys, { remove: [1], replace: 'reset' }, { ark: 'reset', renew: 8 });
    const joining = await owners.begin(owner);
    t.equal(await faultCode(owners.join(reset(), joining)), 'forbidden', 'nobody asked');
    const begin = async () =>
      gateway.call(accounts, 'resetBegin', { account, joining: await owners.begin(owner) });
    t.same(await begin(), { seconds: limits.resetSeconds });
    clock.ahead += 3_600_000;
    t.same(
      await begin(),
      { seconds: limits.resetSeconds - 3600 },
      'asking again begins nothing anew',
    );
    t.equal(
      (await gateway.call(accounts, 'account', owner.asker)).reset,
      limits.resetSeconds - 3600,
    );
    const early = await owners.join(reset(), await owners.begin(owner)).catch((error) => error);
    t.match(early, { code: 'reset_waiting', details: { seconds: limits.resetSeconds - 3600 } });

    await gateway.call(accounts, 'resetCancel', owner.asker);
    clock.ahead += limits.resetSeconds * 1000;
    t.equal(await faultCode(owners.join(reset(), await owners.begin(owner))), 'forbidden');
    await unchanged(t, owner, 'a device objected');

    await begin();
    clock.ahead += limits.resetSeconds * 1000;
    const next = reset();
    const tokens = await owners.join(next, await owners.begin(owner));
    t.equal(await listOf(owner), hex(next.keys.list.bytes));
    t.equal(await recordOf(owner), hex(next.keys.keeping.record));
    t.equal(await faultCode(gateway.call(accounts, 'account', owner.asker)), 'session_revoked');
    const told = await gateway.call(accounts, 'account', askerOf(tokens));
    t.equal(told.reset, undefined);
    t.equal(told.codes, 8);
    t.equal(await faultCode(owners.begin(owner, owner.person.codes[0])), 'wrong_code');
  },
);

t.test('reset: one that was asked for and forgotten lapses', async (t) => {
  const owner = await owners.owner('ida');
  const { account } = owner.person.keys;
  await gateway.call(accounts, 'resetBegin', { account, joining: await owners.begin(owner) });
  clock.ahead += (limits.resetSeconds + limits.refreshSeconds + 1) * 1000;
  const next = owners.newDevice(owner.keys, { remove: [1], replace: 'reset' }, { ark: 'reset' });
  t.equal(await faultCode(owners.join(next, await owners.begin(owner))), 'forbidden');
});

t.end();
