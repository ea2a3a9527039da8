/** Devices that leave an account, on real SQLite, NATS and Redis. docs/protocol/devices.md §6 */
import { deviceId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { hex } from '@island/protocol/wire/text.ts';
import t from 'tap';
import { delivery } from '../../delivery/contract.ts';
import { deliveryService } from '../../delivery/service.ts';
import { envelope } from '../../delivery/testing/lists.ts';
import { testPayer } from '../../delivery/testing/payer.ts';
import { directory } from '../../directory/contract.ts';
import { directoryService } from '../../directory/service.ts';
import { eventually, faultCode } from '../../kit/testing/outcome.ts';
import { accounts } from '../contract.ts';
import { accountsService } from '../service.ts';
import { type AccountKeys, nextKeys } from '../testing/account-keys.ts';
import { testAccounts } from '../testing/accounts.ts';
import { type Owner, ownersOf } from '../testing/owners.ts';

const running = await testAccounts([directoryService, accountsService, deliveryService]);
t.after(() => running[Symbol.asyncDispose]());
const { gateway, login, refresh, island } = running;
const owners = ownersOf(running);

/** The list and the record after `device` was removed. */
const without = (keys: AccountKeys, device: number): AccountKeys => {
  const owned = owners.newList(keys, { remove: [device], replace: 'rotate' });
  return nextKeys(keys, { owned, ark: 'rotate' });
};
const payer = await testPayer(gateway, await island.kit('delivery'));
const send = async ({ person }: Owner, epoch: number, ...devices: number[]) => {
  const envelopes = devices.map((device) => envelope(device));
  return gateway.call(delivery, 'put', await payer.put(person.keys.account, envelopes, epoch));
};
const waiting = async ({ person }: Owner, device: number) => {
  const at = { account: person.keys.account, device: deviceId(device), after: 0, count: 10 };
  return (await gateway.call(delivery, 'since', at)).envelopes.length;
};

t.test(
  'A4: a revoked device receives nothing afterwards: no token, no socket, no mail',
  async (t) => {
    const owner = await owners.owner('ada');
    const second = await owners.second(owner);
    await send(owner, 2, 1, 2);
    const ended: string[] = [];
    const { account } = owner.person.keys;
    using listening = gateway.subscribe(accounts, 'ended', account, ({ session }) =>
      ended.push(session),
    );
    await listening.ready;
    const next = without(second.keys, 2);
    await owners.updateDevices(owner.asker, next);

    const { keys } = second.device;
    t.equal(await faultCode(refresh(keys, second.tokens.refresh)), 'session_revoked');
    t.equal(await faultCode(gateway.call(accounts, 'account', second.asker)), 'session_revoked');
    t.equal(await faultCode(owners.putRecord(second.asker, nextKeys(next))), 'session_revoked');
    t.equal(await faultCode(login(owner.person, { keys })), 'wrong_credentials');
    await eventually(() => ended.includes(second.asker.session));
    t.same((await gateway.call(accounts, 'endings', {})).sessions, [second.asker.session]);
    await eventually(async () => (await waiting(owner, 2)) === 0);
    t.equal(await faultCode(send(owner, 2, 1, 2)), 'stale_devices');
    t.equal(await faultCode(send(owner, 3, 1, 2)), 'stale_devices');
    await send(owner, 3, 1);
    t.equal(await waiting(owner, 1), 2, 'the others have theirs');
    const bundles = { account, devices: [deviceId(2)] };
    t.equal(await faultCode(gateway.call(directory, 'bundles', bundles)), 'unknown_device');
    await refresh(owner.person.keys, owner.tokens.refresh);

    await owners.updateDevices(owner.asker, next);
    t.equal(hex((await owners.record(owner)).record), hex(next.keeping.record), 'the same again');
  },
);

t.test(
  'A4: a removal that accounts did not carry out ends the session, at its next refresh at the latest',
  async (t) => {
    const owner = await owners.owner('bea');
    const second = await owners.second(owner);
    const { list } = without(second.keys, 2);
    const lost = { account: owner.person.keys.account, list: new Uint8Array(list.bytes) };
    await (await island.kit('accounts')).bus.call(directory, 'update', { ...lost, reset: false });
    t.equal(await faultCode(refresh(second.device.keys, second.tokens.refresh)), 'session_revoked');
  },
);

t.test('a removal takes a new identity key and a new archive key, and adds nobody', async (t) => {
  const owner = await owners.owner('cyd');
  const second = await owners.second(owner);
  const { keys } = second;
  const lists = await gateway.call(directory, 'lists', { name: 'cyd', after: 0 });
  const refuse = async (next: AccountKeys, code: string, what: string) => {
    t.equal(await faultCode(owners.updateDevices(owner.asker, next)), code, what);
    t.same(
      await gateway.call(directory, 'lists', { name: 'cyd', after: 0 }),
      lists,
      `${what}: nothing changed`,
    );
    t.equal(hex((await owners.record(owner)).record), hex(keys.keeping.record));
  };
  const kept = owners.newList(keys, { remove: [2] });
  await refuse(nextKeys(keys, { owned: kept, ark: 'rotate' }), 'list_broken', 'the AIK stays');
  const rotated = owners.newList(keys, { remove: [2], replace: 'rotate' });
  await refuse(nextKeys(keys, { owned: rotated }), 'record_broken', 'the archive key stays');
  await refuse(owners.newDevice(keys).keys, 'malformed', 'a device is added');
  const reset = owners.newDevice(keys, { remove: [1, 2], replace: 'reset' }, { ark: 'reset' });
  await refuse(reset.keys, 'forbidden', 'a reset');
  const old = owners.newList(owner.keys, { replace: 'rotate' });
  await refuse(nextKeys(keys, { owned: old, ark: 'rotate' }), 'stale_list', 'an older list');
  const other = await owners.owner('dan');
  const theirs = await owners.second(other);
  await refuse(without(theirs.keys, 2), 'malformed', 'a list of somebody else');
});

t.test(
  'of two devices that remove each other at once one is left, with a record that it opens',
  async (t) => {
    const owner = await owners.owner('eve');
    const second = await owners.second(owner);
    const results = await Promise.all([
      faultCode(owners.updateDevices(owner.asker, without(second.keys, 2))),
      faultCode(owners.updateDevices(second.asker, without(second.keys, 1))),
    ]);
    t.equal(results.filter((code) => code === 'resolved').length, 1, `${results}`);
    const left = results[0] === 'resolved' ? 1 : 2;
    const { account } = owner.person.keys;
    const { bus } = await island.kit('delivery');
    t.same((await bus.call(directory, 'devices', { account })).devices, [left]);
    const [mine, theirs] = left === 1 ? [owner, second] : [second, owner];
    await gateway.call(accounts, 'account', mine.asker);
    t.equal(await faultCode(gateway.call(accounts, 'account', theirs.asker)), 'session_revoked');
  },
);

t.test('the remaining codes open what is sealed after a removal', async (t) => {
  const owner = await owners.owner('fay');
  const second = await owners.second(owner);
  const next = without(second.keys, 2);
  await owners.updateDevices(owner.asker, next);
  t.equal(await owners.codes(owner.asker), 8);
  const [code] = owner.person.codes;
  const { loc, share } = await owners.recovery(owner, await owners.begin(owner, code));
  t.same(loc, code?.loc);
  const expected = next.keeping.shares.find((one) => hex(one.loc) === hex(loc));
  t.same(share, expected?.share);
});

t.end();

t.test(
  'A4 pitfall: a device that can not be removed: it makes no history that nobody can follow',
  async (t) => {
    const owner = await owners.owner('gil');
    const second = await owners.second(owner);
    let keys = second.keys;
    const rotate = async () => {
      const next = nextKeys(keys, { owned: owners.newList(keys, { replace: 'rotate' }) });
      await owners.updateDevices(second.asker, next);
      await owners.updateDevices(second.asker, next);
      keys = next;
    };
    for (let i = 0; i < limits.rotationsPerDay; i++) await rotate();
    t.equal(await faultCode(rotate()), 'rate_limited');
    await owners.updateDevices(owner.asker, without(keys, 2));
  },
);
