/** Mailboxes over the bus: what is accepted, kept, handed out and forgotten. Real SQLite, real NATS. */
import type { Fault } from '@island/protocol/wire/fault.ts';
import { type AccountId, deviceId, deviceKey } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import t from 'tap';
import { testIsland } from '../kit/testing/kit.ts';
import { eventually, faultCode } from '../kit/testing/outcome.ts';
import { delivery } from './contract.ts';
import { deliveryService } from './service.ts';
import { envelope, type TestEnvelope, testLists } from './testing/lists.ts';
import { testPayer } from './testing/payer.ts';

const island = await testIsland(['gateway', 'directory', 'delivery']);
t.teardown(() => island[Symbol.asyncDispose]());
const { bus } = await island.kit('gateway');
const lists = testLists((await island.kit('directory')).bus);
const kit = await island.kit('delivery');
const service = await deliveryService.start(kit);
t.teardown(() => service[Symbol.asyncDispose]());
await kit.bus.settled();

const payer = await testPayer(bus, kit);

const put = async (account: AccountId, envelopes: TestEnvelope[], epoch = 1) =>
  bus.call(delivery, 'put', await payer.put(account, envelopes, epoch));
const since = (account: AccountId, device: number, after = 0, count = 128) =>
  bus.call(delivery, 'since', { account, device: deviceId(device), after, count });
const ack = (account: AccountId, device: number, seq: number) =>
  bus.call(delivery, 'ack', { account, device: deviceId(device), seq });
const refusal = (asked: Promise<unknown>): Promise<Fault> =>
  asked.then(
    () => Promise.reject(new Error('this was to be refused')),
    (fault: Fault) => fault,
  );

t.test('an envelope is handed out as it came, under ascending numbers without gaps', async (t) => {
  const account = lists.person(1);
  const sent = [envelope(1), envelope(1, 0), envelope(1, limits.envelopeBytes)];
  for (const one of sent) await put(account, [one]);
  const { head, envelopes } = await since(account, 1);
  t.equal(head, 3);
  t.strictSame(
    envelopes.map(({ seq, id, body }) => [seq, id, Buffer.from(body).toString('hex')]),
    sent.map(({ id, body }, at) => [at + 1, id, Buffer.from(body).toString('hex')]),
  );
});

t.test('listeners are told after the commit, with the same number and bytes', async (t) => {
  const account = lists.person(1, 2);
  const heard: { key: string; seq: number; id: string }[] = [];
  using all = bus.subscribe(delivery, 'mail', '*', ({ seq, id }, key) =>
    heard.push({ key, seq, id }),
  );
  await all.ready;
  const [one, two] = [envelope(1), envelope(2)];
  await put(account, [one, two]);
  await eventually(() => heard.length === 2);
  t.strictSame(heard, [
    { key: deviceKey(account, one.device), seq: 1, id: one.id },
    { key: deviceKey(account, two.device), seq: 1, id: two.id },
  ]);
});

t.test('M1 pitfall: duplicate delivery: a repeated put stores nothing and succeeds', async (t) => {
  const account = lists.person(1);
  const one = envelope(1);
  await Promise.all([put(account, [one]), put(account, [one]), put(account, [one])]);
  await put(account, [one]);
  t.equal((await since(account, 1)).envelopes.length, 1);
  await ack(account, 1, 1);
  await put(account, [one]);
  const after = await since(account, 1);
  t.strictSame(after, { head: 1, envelopes: [] }, 'also when it was acknowledged meanwhile');
  await put(account, [envelope(1)]);
  t.strictSame(
    (await since(account, 1)).envelopes.map(({ seq }) => seq),
    [2],
    'no number twice',
  );
});

t.test('the same id in two mailboxes is two envelopes', async (t) => {
  const [one, other] = [lists.person(1), lists.person(1)];
  const shared = envelope(1);
  await put(one, [shared]);
  await put(other, [shared]);
  t.equal((await since(one, 1)).envelopes.length, 1);
  t.equal((await since(other, 1)).envelopes.length, 1);
});

t.test('acknowledging forgets everything up to a number, and no more than there is', async (t) => {
  const account = lists.person(1);
  for (let i = 0; i < 5; i++) await put(account, [envelope(1)]);
  await ack(account, 1, 3);
  t.strictSame(
    (await since(account, 1)).envelopes.map(({ seq }) => seq),
    [4, 5],
  );
  await ack(account, 1, 2);
  await ack(account, 1, 1000);
  t.strictSame(await since(account, 1), { head: 5, envelopes: [] });
  await put(account, [envelope(1)]);
  t.strictSame(
    (await since(account, 1)).envelopes.map(({ seq }) => seq),
    [6],
  );
  await ack(lists.person(1), 1, 7);
});

t.test(
  'M6: a stale list is answered with what is missing and extra; nothing is stored',
  async (t) => {
    const account = lists.person(1, 2);
    const fault = await refusal(put(account, [envelope(2), envelope(3)]));
    t.equal(fault.code, 'stale_devices');
    t.strictSame({ ...fault.details }, { missing: [1], extra: [3], epoch: 1 });
    t.strictSame(await since(account, 2), { head: 0, envelopes: [] });

    const older = await refusal(put(account, [envelope(1), envelope(2)], 7));
    t.strictSame(
      { ...older.details },
      { missing: [], extra: [], epoch: 1 },
      'another epoch, another list',
    );
  },
);

t.test('M6: a new list holds from the moment the directory tells of it', async (t) => {
  const account = lists.person(1);
  await put(account, [envelope(1)]);
  const before = lists.asked;
  lists.change(account, [2]);
  let code = '';
  while (code !== 'stale_devices') code = await faultCode(put(account, [envelope(1)]));
  await put(account, [envelope(2)], 2);
  t.equal(lists.asked, before + 1, 'one question, then the new list is known');
});

t.test(
  'M6: a list that changed without our hearing of it refuses no sender who knows it',
  async (t) => {
    const account = lists.person(1);
    await put(account, [envelope(1)]);
    lists.change(account, [1, 2], true);
    t.equal(await faultCode(put(account, [envelope(1), envelope(2)], 2)), 'resolved');
  },
);

t.test(
  'M6: a device that is new is asked for once its list is published, one that left gets nothing at once',
  async (t) => {
    const account = lists.person(1, 2);
    await put(account, [envelope(1), envelope(2)]);
    lists.changeUnseen(account, [1, 3]);
    await eventually(
      async () => (await refusal(put(account, [envelope(2)]))).details !== undefined,
    );
    const { details } = await refusal(put(account, [envelope(1), envelope(2)]));
    t.strictSame(details, { missing: [], extra: [2], epoch: 2 }, 'known by the published list');
    await put(account, [envelope(1)]);
    await put(account, [envelope(1), envelope(3)], 2);
    const without = await refusal(put(account, [envelope(3)], 2));
    t.strictSame(without.details, { missing: [1], extra: [], epoch: 2 });
    t.equal((await refusal(put(account, [envelope(1)], 3))).code, 'stale_devices');
    lists.publish(account);
    await eventually(
      async () => (await faultCode(put(account, [envelope(1)], 2))) === 'stale_devices',
    );
    t.strictSame((await refusal(put(account, [envelope(1), envelope(3)]))).details, {
      ...{ missing: [], extra: [], epoch: 2 },
    });
    await put(account, [envelope(1), envelope(3)], 2);
  },
);

t.test('a put repeated after the list changed is answered as the first was', async (t) => {
  const account = lists.person(1);
  const one = envelope(1);
  await put(account, [one]);
  lists.change(account, [1, 2]);
  await put(account, [one]);
  t.equal((await since(account, 1)).envelopes.length, 1);
});

t.test('lists are asked for once, not for every put', async (t) => {
  const account = lists.person(1);
  const before = lists.asked;
  await Promise.all(Array.from({ length: 20 }, () => put(account, [envelope(1)])));
  t.equal(lists.asked, before + 1);
});

t.test('directory down: known lists go on serving, unknown ones are unavailable', async (t) => {
  const [known, unknown] = [lists.person(1), lists.person(1)];
  await put(known, [envelope(1)]);
  lists.down = true;
  t.teardown(() => {
    lists.down = false;
  });
  await put(known, [envelope(1)]);
  t.equal(await faultCode(put(unknown, [envelope(1)])), 'unavailable');
  t.equal(await faultCode(put(known, [envelope(2)])), 'unavailable', 'undecided, so not refused');
});

t.test('a page is bounded in count and in bytes', async (t) => {
  const account = lists.person(1);
  await Promise.all(
    Array.from({ length: 100 }, () => put(account, [envelope(1, limits.envelopeBytes)])),
  );
  const first = await since(account, 1);
  const bytes = first.envelopes.reduce((sum, { body }) => sum + body.length, 0);
  t.ok(bytes < 512 * 1024 && bytes > 400 * 1024, `${bytes} bytes`);
  const seen: number[] = [];
  for (let after = 0; after < 100; after = seen.at(-1) ?? 100) {
    seen.push(...(await since(account, 1, after)).envelopes.map(({ seq }) => seq));
  }
  t.strictSame(
    seen,
    Array.from({ length: 100 }, (_, at) => at + 1),
  );
  t.equal((await since(account, 1, 10, 5)).envelopes.length, 5);
});

t.test(
  'a full mailbox refuses the whole put and leaves others alone',
  { timeout: 60_000 },
  async (t) => {
    const account = lists.person(1, 2);
    const other = lists.person(1);
    // Device 2 acknowledges, device 1 does not.
    for (let sent = 0; sent < limits.mailboxEnvelopes; sent += 500) {
      await Promise.all(
        Array.from({ length: 500 }, () => put(account, [envelope(1, 1), envelope(2, 1)])),
      );
      await ack(account, 2, sent + 500);
    }
    const results = await Promise.allSettled([
      put(account, [envelope(1), envelope(2)]),
      put(other, [envelope(1)]),
    ]);
    t.match(results, [
      { status: 'rejected', reason: { code: 'mailbox_full' } },
      { status: 'fulfilled' },
    ]);
    t.equal((await since(account, 2)).head, limits.mailboxEnvelopes, 'nothing for device 2 either');
    await ack(account, 1, 1);
    await put(account, [envelope(1), envelope(2)]);
    t.equal((await since(account, 1, 0, 1)).head, limits.mailboxEnvelopes + 1);
  },
);

t.test(
  'many senders at once: every put is stored whole, in each mailbox in one order',
  async (t) => {
    const account = lists.person(1, 2, 3);
    const puts = Array.from({ length: 200 }, () => [
      envelope(3, 50),
      envelope(1, 50),
      envelope(2, 50),
    ]);
    await Promise.all(puts.map((envelopes) => put(account, envelopes)));
    const orders: number[][] = [];
    for (const device of [1, 2, 3]) {
      const ids: string[] = [];
      for (let after = 0; after < 200; after += 100) {
        ids.push(...(await since(account, device, after, 100)).envelopes.map(({ id }) => id));
      }
      t.equal(new Set(ids).size, 200);
      orders.push(
        ids.map((id) => puts.findIndex((envelopes) => envelopes.some((one) => one.id === id))),
      );
    }
    t.strictSame(orders[1], orders[0]);
    t.strictSame(orders[2], orders[0]);
  },
);
