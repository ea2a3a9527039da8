/** A list and its record when something ends in between, on real SQLite, NATS and Redis. docs/protocol/devices.md §6 */
import { join } from 'node:path';
import { Fault } from '@island/protocol/wire/fault.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { hex } from '@island/protocol/wire/text.ts';
import t from 'tap';
import { archiveService } from '../../archive/service.ts';
import { directory } from '../../directory/contract.ts';
import { directoryService } from '../../directory/service.ts';
import { type Bus, connectBus } from '../../kit/bus.ts';
import { openStore } from '../../kit/store.ts';
import { faultCode } from '../../kit/testing/outcome.ts';
import { openVault } from '../../kit/vault.ts';
import { accounts } from '../contract.ts';
import * as schema from '../schema.ts';
import { openSecrets } from '../secrets.ts';
import { accountsService } from '../service.ts';
import { nextKeys } from '../testing/account-keys.ts';
import { askerOf, type TestAccounts, testAccounts } from '../testing/accounts.ts';
import { type Newcoming, type Owner, ownersOf } from '../testing/owners.ts';
import { checkKeeping } from './records.ts';
import { createStaging } from './staging.ts';

const migrations = join(import.meta.dirname, '../migrations');

/** A bus on which accounts never learns what became of an update: `reaches` says whether the directory got it. */
const cutOff = (bus: Bus, reaches: boolean): Pick<Bus, 'call'> => ({
  async call(contract, name, request) {
    const cut = contract.service === directory.service && name === 'update';
    if (cut && !reaches) throw new Fault('unavailable');
    const answer = await bus.call(contract, name, request);
    if (cut) throw new Fault('unavailable');
    return answer;
  },
});

/** As a process leaves it that ends in the middle of `join`; accounts is not at work meanwhile. */
async function crash(
  running: TestAccounts,
  next: Newcoming,
  { joining, reaches }: { joining: string; reaches: boolean },
): Promise<void> {
  const { island, gateway, clock } = running;
  const kit = await island.kit('accounts');
  await using bus = await connectBus({ port: island.nats.port, ...kit });
  const file = join(kit.data, 'accounts.sqlite');
  await using store = await openStore({ file, schema, migrations, log: island.log });
  await using vault = await openVault({ store, keys: kit.keys, log: island.log });
  const { sealing: shares } = await openSecrets({ data: kit.data, store, vault });
  const sessions = { announce: () => undefined };
  const parts = { store, bus: cutOff(bus, reaches), clock, shares, sessions };
  const staging = createStaging(parts);
  const { challenge } = await gateway.call(directory, 'challenge', {});
  const enrolment = next.device.joining(challenge);
  const { list, keeping } = next.keys;
  const change = { list, checked: checkKeeping(keeping, list), reset: true };
  const ended = staging.change({ ...change, joining: { id: joining, enrolment } });
  t.equal(await faultCode(ended), 'unavailable');
}

/** Somebody whose second device was joining when accounts ended. */
async function interrupted(reaches: boolean, change: (owner: Owner) => object = () => ({})) {
  await using held = new AsyncDisposableStack();
  const running = held.use(await testAccounts([directoryService]));
  const service = await running.start(accountsService);
  const owners = ownersOf(running);
  const owner = await owners.owner('ada');
  const joining = await owners.begin(owner);
  const next = owners.newDevice(owner.keys, change(owner));
  await service[Symbol.asyncDispose]();
  await crash(running, next, { joining, reaches });
  await running.start(accountsService);
  const rows = async () => {
    const { data } = await running.island.kit('accounts');
    const file = join(data, 'accounts.sqlite');
    await using store = await openStore({ file, schema, migrations, log: running.island.log });
    return store.rows('select account from staged_records');
  };
  const stack = held.move();
  const record = async () => hex((await owners.record(owner)).record);
  return {
    running,
    owners,
    owner,
    joining,
    next,
    rows,
    record,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

t.test(
  'a crash after the directory has the list: whoever comes next brings its record into force',
  async (t) => {
    for (const comes of ['record', 'join', 'putRecord', 'updateDevices'] as const) {
      await using test = await interrupted(true);
      const { running, owners, owner, joining, next } = test;
      let expected = next.keys;
      if (comes === 'join') await owners.join(next, joining);
      if (comes === 'putRecord') {
        expected = nextKeys(next.keys, { ark: 'rotate' });
        await owners.putRecord(owner.asker, expected);
      }
      if (comes === 'updateDevices') {
        const removal = owners.newList(next.keys, { remove: [2], replace: 'rotate' });
        expected = nextKeys(next.keys, { owned: removal, ark: 'rotate' });
        await owners.updateDevices(owner.asker, expected);
      }
      t.equal(await test.record(), hex(expected.keeping.record), comes);
      t.same(await test.rows(), []);
      if (comes === 'updateDevices') continue;
      t.equal(askerOf(await running.login(owner.person, { keys: next.device.keys })).device, 2);
    }
  },
);

t.test(
  'a crash after the directory has the list, and nobody comes: a later start settles it',
  async (t) => {
    await using test = await interrupted(true);
    t.equal((await test.rows()).length, 1);
    test.running.clock.ahead += 61_000;
    await using _ = await test.running.start(accountsService);
    for (let left = 1; left > 0; ) left = (await test.rows()).length;
    t.equal(await test.record(), hex(test.next.keys.keeping.record));
  },
);

t.test(
  'a crash before the directory has the list: nothing changed, and the same again goes through',
  async (t) => {
    await using test = await interrupted(false);
    const { owners, owner, joining, next } = test;
    t.equal(await test.record(), hex(owner.keys.keeping.record));
    const other = nextKeys(owner.keys, { ark: 'rotate' });
    t.equal(await faultCode(owners.putRecord(owner.asker, other)), 'unavailable', 'not known yet');
    await owners.join(next, joining);
    t.equal(await test.record(), hex(next.keys.keeping.record));
  },
);

t.test('a record whose list never came stands in nobody’s way for long', async (t) => {
  await using test = await interrupted(false);
  const { running, owners, owner } = test;
  running.clock.ahead += 61_000;
  const other = nextKeys(owner.keys, { ark: 'rotate' });
  await owners.putRecord(owner.asker, other);
  t.equal(await test.record(), hex(other.keeping.record));
  t.same(await test.rows(), []);
});

t.test(
  'of two devices that were joining, the one whose list the directory has finds its record',
  async (t) => {
    await using test = await interrupted(false);
    const { owners, owner } = test;
    const winner = owners.newDevice(owner.keys);
    await owners.join(winner, await owners.begin(owner));
    t.equal(await test.record(), hex(winner.keys.keeping.record));
    t.same(await test.rows(), [], 'the other has nothing to wait for');
  },
);

t.test('a reset comes into force only when the archive of before is erased', async (t) => {
  await using running = await testAccounts([directoryService, accountsService]);
  const owners = ownersOf(running);
  const owner = await owners.owner('ada');
  const { account } = owner.person.keys;
  await running.gateway.call(accounts, 'resetBegin', {
    account,
    joining: await owners.begin(owner),
  });
  running.clock.ahead += limits.resetSeconds * 1000;
  const next = owners.newDevice(owner.keys, { remove: [1], replace: 'reset' }, { ark: 'reset' });
  const joining = await owners.begin(owner);
  t.equal(await faultCode(owners.join(next, joining)), 'unavailable', 'there is no archive to ask');
  t.equal(await faultCode(owners.join(next, joining)), 'unavailable');
  await running.start(archiveService);
  t.equal(askerOf(await owners.join(next, joining)).device, 2);
});

t.end();
