/** What delivery forgets, and that it is gone then: real SQLite, a clock that the test turns. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deviceId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import t from 'tap';
import { unixDay } from '../kit/clock.ts';
import { openStore } from '../kit/store.ts';
import { testIsland } from '../kit/testing/kit.ts';
import { faultCode } from '../kit/testing/outcome.ts';
import { openVault } from '../kit/vault.ts';
import { openBodies, sealFormer } from './bodies.ts';
import { openMailboxes } from './mailbox.ts';
import { openRecipients } from './recipients.ts';
import { expire } from './retention.ts';
import * as schema from './schema.ts';
import { envelope, testLists } from './testing/lists.ts';

const day = 86_400_000;
const island = await testIsland(['directory', 'delivery']);
t.teardown(() => island[Symbol.asyncDispose]());
const lists = testLists((await island.kit('directory')).bus);
const { bus, keys, log } = await island.kit('delivery');
const migrations = join(import.meta.dirname, 'migrations');

async function mailboxes(options: { maxPages?: number } = {}) {
  await using held = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), 'delivery-'));
  held.defer(() => rm(dir, { recursive: true, force: true }));
  const clock = { at: Date.now(), now: () => clock.at };
  const file = join(dir, 'delivery.sqlite');
  const store = held.use(await openStore({ file, schema, migrations, log, ...options }));
  const recipients = held.use(openRecipients({ bus, clock }));
  const vault = held.use(await openVault({ store, keys, log }));
  const bodies = openBodies(vault, log);
  await sealFormer(store, vault, bodies);
  const boxes = openMailboxes({ store, bodies, bus, recipients, clock });
  const stack = held.move();
  return {
    boxes,
    clock,
    store,
    expire: () => expire(store, boxes, unixDay(clock)),
    /** Every byte that is on the disk. */
    async bytes(): Promise<Buffer> {
      const names = await readdir(dir);
      return Buffer.concat(await Promise.all(names.map((name) => readFile(join(dir, name)))));
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const one = deviceId(1);

t.test('undelivered envelopes expire after 30 days, the younger ones stay', async (t) => {
  await using test = await mailboxes();
  const account = lists.person(1);
  const put = () => test.boxes.put({ account, epoch: 1, envelopes: [envelope(1)] });
  await put();
  test.clock.at += 10 * day;
  await put();
  test.clock.at += (limits.envelopeDays - 10) * day;
  t.equal(await test.expire(), 0);
  t.equal((await test.boxes.since(account, one, 0, 10)).envelopes.length, 2);
  test.clock.at += day;
  t.equal(await test.expire(), 1);
  const { head, envelopes } = await test.boxes.since(account, one, 0, 10);
  t.equal(head, 2);
  t.strictSame(
    envelopes.map(({ seq }) => seq),
    [2],
  );
});

t.test('an id is remembered for 7 days after its envelope is gone, then forgotten', async (t) => {
  await using test = await mailboxes();
  const account = lists.person(1);
  const put = { account, epoch: 1, envelopes: [envelope(1)] };
  await test.boxes.put(put);
  await test.boxes.ack(account, one, 1);
  test.clock.at += limits.tombstoneDays * day;
  await test.expire();
  await test.boxes.put(put);
  t.equal((await test.boxes.since(account, one, 0, 10)).head, 1, 'still known');
  test.clock.at += day;
  await test.expire();
  const rows = await test.store.rows('SELECT * FROM accepted');
  t.strictSame(rows, []);
});

t.test('numbers go on where they were after everything was forgotten', async (t) => {
  await using test = await mailboxes();
  const account = lists.person(1);
  const put = () => test.boxes.put({ account, epoch: 1, envelopes: [envelope(1)] });
  for (let i = 0; i < 3; i++) await put();
  await test.boxes.ack(account, one, 3);
  test.clock.at += 400 * day;
  await test.expire();
  await put();
  t.strictSame(
    (await test.boxes.since(account, one, 0, 10)).envelopes.map(({ seq }) => seq),
    [4],
  );
});

t.test('what was acknowledged is gone from the disk, free pages and log included', async (t) => {
  await using test = await mailboxes();
  const account = lists.person(1);
  const words = 'a sealed body that must not linger';
  const envelopes = [envelope(1, words.repeat(200))];
  await test.boxes.put({ account, epoch: 1, envelopes });
  const [kept] = await test.store.rows<{ body: Buffer }>('SELECT body FROM envelopes');
  const sealed = kept?.body.subarray(0, 48) ?? Buffer.alloc(0);
  t.ok((await test.bytes()).includes(sealed), 'it was there');
  t.notOk((await test.bytes()).includes(words), 'M5: sealed');
  await test.boxes.ack(account, one, 1);
  await test.expire();
  t.notOk((await test.bytes()).includes(sealed));
});

t.test('M2: nothing is stored that tells who sent an envelope, or when', async (t) => {
  await using test = await mailboxes();
  const account = lists.person(1);
  await test.boxes.put({ account, epoch: 1, envelopes: [envelope(1)] });
  const tables = await test.store.rows<{ name: string; sql: string }>(
    "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name <> 'migrations'",
  );
  const columns: string[] = [];
  for (const { name, sql } of tables) {
    t.match(sql, /WITHOUT ROWID/, `${name}: rows are not numbered in the order they came`);
    const found = await test.store.rows<{ name: string }>(`PRAGMA table_info(${name})`);
    columns.push(...found.map((column) => `${name}.${column.name}`));
  }
  t.strictSame(columns.sort(), [
    'accepted.gone',
    'accepted.id',
    'accepted.mailbox',
    'delivery_keys.account',
    'delivery_keys.epoch',
    'delivery_keys.hash',
    'delivery_keys.until',
    'envelopes.body',
    'envelopes.day',
    'envelopes.id',
    'envelopes.mailbox',
    'envelopes.request',
    'envelopes.seq',
    'issued.class',
    'issued.count',
    'issued.day',
    'issued.holder',
    'mailboxes.floor',
    'mailboxes.head',
    'mailboxes.mailbox',
    'spent.context',
    'spent.day',
    'spent.token',
    'vault_keys.day',
    'vault_keys.kek',
    'vault_keys.kid',
    'vault_keys.name',
    'vault_keys.used',
    'vault_keys.wrapped',
    'vault_secrets.name',
    'vault_secrets.sealed',
  ]);
  t.strictSame(await test.store.rows('SELECT day FROM envelopes'), [{ day: unixDay(test.clock) }]);
});

t.test(
  'storage_full: a put that does not fit is refused whole; what was there serves on',
  async (t) => {
    await using test = await mailboxes({ maxPages: 120 });
    const account = lists.person(1, 2);
    const put = (bytes: number) =>
      test.boxes.put({ account, epoch: 1, envelopes: [envelope(1, bytes), envelope(2, bytes)] });
    let stored = 0;
    let code = 'resolved';
    while (code === 'resolved') {
      code = await faultCode(put(12_000));
      if (code === 'resolved') stored += 1;
    }
    t.equal(code, 'storage_full');
    for (const device of [1, 2]) {
      t.equal((await test.boxes.since(account, deviceId(device), 0, 128)).head, stored);
    }
    await test.boxes.ack(account, one, stored);
    await test.boxes.ack(account, deviceId(2), stored);
    await put(12_000);
    t.equal((await test.boxes.since(account, one, 0, 128)).head, stored + 1, 'room again');
  },
);

t.test(
  'storage_full in a group: the small ones are refused with the large, none by halves',
  async (t) => {
    await using test = await mailboxes({ maxPages: 120 });
    const people = Array.from({ length: 40 }, () => lists.person(1));
    const bodies = people.map(() => randomBytes(14_000));
    const results = await Promise.allSettled(
      people.map((account, at) =>
        test.boxes.put({
          account,
          epoch: 1,
          envelopes: [{ ...envelope(1), body: bodies[at] ?? new Uint8Array() }],
        }),
      ),
    );
    for (const [at, account] of people.entries()) {
      const { envelopes } = await test.boxes.since(account, one, 0, 1);
      t.equal(envelopes.length, results[at]?.status === 'fulfilled' ? 1 : 0);
    }
  },
);
