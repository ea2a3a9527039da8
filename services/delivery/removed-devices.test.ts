/** What becomes of the mailbox of a device that left its list. Real SQLite, real NATS, a clock that the test turns. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AccountId, deviceId } from '@island/protocol/wire/ids.ts';
import t from 'tap';
import { openStore } from '../kit/store.ts';
import { testIsland } from '../kit/testing/kit.ts';
import { eventually, faultCode } from '../kit/testing/outcome.ts';
import { openVault } from '../kit/vault.ts';
import { openBodies } from './bodies.ts';
import { openMailboxes } from './mailbox.ts';
import { openRecipients } from './recipients.ts';
import { closeAllRemoved, watchRemoved } from './removed-devices.ts';
import * as schema from './schema.ts';
import { envelope, testLists } from './testing/lists.ts';

const island = await testIsland(['directory', 'delivery']);
t.teardown(() => island[Symbol.asyncDispose]());
const lists = testLists((await island.kit('directory')).bus);
const { bus, keys, log } = await island.kit('delivery');
const migrations = join(import.meta.dirname, 'migrations');

async function mailboxes(watching: boolean) {
  await using held = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), 'delivery-'));
  held.defer(() => rm(dir, { recursive: true, force: true }));
  const clock = { at: Date.now(), now: () => clock.at };
  const file = join(dir, 'delivery.sqlite');
  const store = held.use(await openStore({ file, schema, migrations, log }));
  const recipients = held.use(openRecipients({ bus, clock }));
  const vault = held.use(await openVault({ store, keys, log }));
  const bodies = openBodies(vault, log);
  const boxes = openMailboxes({ store, bodies, bus, recipients, clock });
  const parts = { store, recipients, mailboxes: boxes };
  if (watching) held.use(watchRemoved(bus, parts, log));
  await bus.settled();
  const stack = held.move();
  return {
    boxes,
    clock,
    parts,
    put: (account: AccountId, epoch: number, ...devices: number[]) =>
      boxes.put({ account, epoch, envelopes: devices.map((device) => envelope(device)) }),
    waiting: async (account: AccountId, device: number) =>
      (await boxes.since(account, deviceId(device), 0, 10)).envelopes.length,
    rows: () => store.rows('SELECT mailbox FROM mailboxes'),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

t.test(
  'A4: a removed device loses its mailbox as soon as the directory tells, the others keep theirs',
  async (t) => {
    await using test = await mailboxes(true);
    const account = lists.person(1, 2);
    const other = lists.person(1, 2);
    await test.put(account, 1, 1, 2);
    await test.put(other, 1, 1, 2);
    lists.change(account, [1]);
    await eventually(async () => (await test.waiting(account, 2)) === 0);
    await eventually(async () => (await test.rows()).length === 3);
    t.equal(await test.waiting(account, 1), 1);
    t.equal(await test.waiting(other, 2), 1);
    t.equal(await faultCode(test.put(account, 1, 1, 2)), 'stale_devices');
    t.equal(await faultCode(test.put(account, 2, 2)), 'stale_devices');
    t.equal(await faultCode(test.put(account, 2, 1)), 'resolved');
    t.equal((await test.rows()).length, 3, 'and nothing opens it again');
  },
);

t.test('A4: a removal that nobody heard of is found in the next round', async (t) => {
  await using test = await mailboxes(false);
  const account = lists.person(1, 2);
  await test.put(account, 1, 1, 2);
  lists.change(account, [1], true);
  test.clock.at += 3_600_000;
  lists.down = true;
  t.equal(await closeAllRemoved(test.parts), 0, 'not while the directory is away');
  t.equal(await test.waiting(account, 2), 1);
  lists.down = false;
  t.equal(await closeAllRemoved(test.parts), 1);
  t.equal(await test.waiting(account, 2), 0);
  t.equal(await test.waiting(account, 1), 1);
  t.equal(await closeAllRemoved(test.parts), 0);
});

t.test(
  'A4: what was on its way while the device was removed does not reach its mailbox',
  async (t) => {
    await using test = await mailboxes(true);
    for (let i = 0; i < 20; i++) {
      const account = lists.person(1, 2);
      await test.put(account, 1, 1, 2);
      const puts = Array.from({ length: 10 }, () => faultCode(test.put(account, 1, 1, 2)));
      lists.change(account, [1]);
      const late = Array.from({ length: 10 }, () => faultCode(test.put(account, 1, 1, 2)));
      const codes = new Set(await Promise.all([...puts, ...late]));
      t.ok([...codes].every((code) => code === 'resolved' || code === 'stale_devices'));
      await eventually(async () => (await test.waiting(account, 2)) === 0);
      await eventually(
        async () => (await faultCode(test.put(account, 1, 1, 2))) === 'stale_devices',
      );
      t.equal(await test.waiting(account, 2), 0);
    }
  },
);

t.test(
  'a put between its check and its commit is decided about anew when the list changes',
  async (t) => {
    await using test = await mailboxes(false);
    const account = lists.person(1, 2);
    const devices = [deviceId(1), deviceId(2)];
    using admission = await test.parts.recipients.check(account, 1, devices);
    t.notOk(admission.overtaken);
    lists.change(account, [1]);
    await eventually(() => admission.overtaken);
    await t.rejects(test.parts.recipients.check(account, 1, devices), { code: 'stale_devices' });
  },
);
