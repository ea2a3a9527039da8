/** Mailboxes: envelopes accepted, each answered after the commit that holds it, against a transaction for each. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBodies } from '@island/services/delivery/bodies.ts';
import { openMailboxes } from '@island/services/delivery/mailbox.ts';
import { unpaid } from '@island/services/delivery/payment.ts';
import { openRecipients } from '@island/services/delivery/recipients.ts';
import * as schema from '@island/services/delivery/schema.ts';
import { envelope, testLists } from '@island/services/delivery/testing/lists.ts';
import { apply } from '@island/services/delivery/writes.ts';
import { unixDay } from '@island/services/kit/clock.ts';
import { openStore } from '@island/services/kit/store.ts';
import { testIsland } from '@island/services/kit/testing/kit.ts';
import { openVault } from '@island/services/kit/vault.ts';
import { perCpuSecond, type Scenario, type Side } from './scenario.ts';

const migrations = join(import.meta.dirname, '../services/delivery/migrations');
const senders = 128;
const bytes = 1000;

/** `count` times `work`, as many at once as there are senders. */
async function concurrently(
  count: number,
  work: (at: number) => Promise<unknown>,
): Promise<number> {
  let next = 0;
  const sender = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: senders }, sender));
  return count;
}

async function measure(): Promise<{ ours: number; yardstick: number }> {
  await using island = await testIsland(['directory', 'delivery']);
  const lists = testLists((await island.kit('directory')).bus);
  const { bus, clock, keys, log } = await island.kit('delivery');
  await using held = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), 'bench-'));
  held.defer(() => rm(dir, { recursive: true, force: true }));
  const open = async (name: string) =>
    held.use(await openStore({ file: join(dir, name), schema, migrations, log }));
  const [store, other] = [await open('ours.sqlite'), await open('yardstick.sqlite')];
  const recipients = held.use(openRecipients({ bus, clock }));
  const vaultOf = async (of: typeof store) => held.use(await openVault({ store: of, keys, log }));
  const bodies = openBodies(await vaultOf(store), log);
  const mailboxes = openMailboxes({ store, bodies, bus, recipients, clock });
  const sealer = await openBodies(await vaultOf(other), log).of(unixDay(clock));
  const people = Array.from({ length: 200 }, () => lists.person(1));
  const one = (at: number) => {
    const account = people[at % people.length];
    if (account === undefined) throw new Error('nobody');
    return { account, envelopes: [envelope(1, bytes)] };
  };

  // Ours also checks the device list and tells listeners; the yardstick only stores.
  const ours: Side = () => concurrently(4000, (at) => mailboxes.put({ ...one(at), epoch: 1 }));
  const yardstick: Side = () =>
    concurrently(400, (at) =>
      other.write((_db, sql) =>
        apply(
          [{ kind: 'put', ...one(at), paid: unpaid, admission: { overtaken: false } }],
          sql,
          sealer,
        ),
      ),
    );
  return await perCpuSecond(ours, yardstick);
}

export const scenarios: readonly Scenario[] = [
  {
    name: 'mailbox: accept 1 KB, durable',
    unit: 'envelopes per CPU second',
    target: 2.5,
    better: 'higher',
    yardstickName: 'one transaction per envelope',
    measure,
  },
];
