/** The lists that follow the first, on real SQLite, NATS and Redis. docs/protocol/directory.md §3 */
import { openDeviceList } from '@island/protocol/crypto/device-list.ts';
import { hex } from '@island/protocol/wire/text.ts';
import t from 'tap';
import { faultCode } from '../kit/testing/outcome.ts';
import { directory } from './contract.ts';
import { testDirectory } from './testing/directory.ts';
import type { Newcomer } from './testing/newcomer.ts';
import { type NewDevice, nextList, type Owned } from './testing/next-list.ts';

const running = await testDirectory();
t.after(() => running[Symbol.asyncDispose]());
const { island, gateway, accounts, clock, challenge, enrolled } = running;

const owned = ({ aik, enrolment }: Newcomer): Owned => ({
  aik,
  list: openDeviceList(enrolment.list),
});

async function update(next: Owned & { added?: NewDevice }, change: object = {}): Promise<void> {
  const { added, list } = next;
  await accounts.call(directory, 'update', {
    account: list.account,
    list: new Uint8Array(list.bytes),
    reset: false,
    ...(added === undefined ? {} : { joining: added.joining(await challenge()) }),
    ...change,
  });
}

const current = async ({ list }: Owned) => {
  const answer = await accounts.call(directory, 'current', { account: list.account });
  return hex(openDeviceList(answer.list).hash);
};
const bundlesOf = ({ list }: Owned, ...devices: number[]) =>
  gateway.call(directory, 'bundles', {
    account: list.account,
    devices: devices as never,
  });

t.test(
  'A4: a second device joins with its own keys, and both are found from then on',
  async (t) => {
    const first = owned(await enrolled('ada'));
    const second = nextList(first, { add: true, now: clock.now() });
    const told: number[] = [];
    const { bus } = await island.kit('delivery');
    using listening = bus.subscribe(directory, 'changed', first.list.account, ({ epoch }) =>
      told.push(epoch),
    );
    await listening.ready;
    await update(second);
    t.equal(await current(first), hex(second.list.hash));
    t.same(await accounts.call(directory, 'devices', { account: first.list.account }), {
      epoch: 2,
      devices: [1, 2],
      published: 2,
      required: [1, 2],
    });
    t.same(
      (await bundlesOf(first, 1, 2)).bundles.map(({ device }) => device),
      [1, 2],
    );
    await update(second);
    await update({ ...second }, { joining: undefined });
    t.equal(await current(first), hex(second.list.hash), 'the same again changes nothing');
    await update(nextList(second, { remove: [2], replace: 'rotate' }));
    await bus.call(directory, 'devices', { account: first.list.account });
    t.same(told, [2, 3], 'each list is told of once');
  },
);

t.test('A4: the prekeys of a device that left are gone with it', async (t) => {
  const first = owned(await enrolled('bob'));
  const second = nextList(first, { add: true, now: clock.now() });
  await update(second);
  const third = nextList(second, { remove: [2], replace: 'rotate', now: clock.now() });
  await update(third);
  await t.rejects(bundlesOf(first, 2), { code: 'unknown_device' });
  const prekeys = second.added.joining(await challenge());
  await t.rejects(
    gateway.call(directory, 'replenish', {
      account: first.list.account,
      device: prekeys.device,
      batch: prekeys.batch,
    }),
    { code: 'unknown_device' },
    'it leaves no new ones either',
  );
  t.equal((await bundlesOf(first, 1)).bundles.length, 1, 'the others keep theirs');
});

t.test('of lists that cross one is the next, whatever the order', async (t) => {
  const first = owned(await enrolled('carol'));
  const rivals = Array.from({ length: 12 }, () => nextList(first, { add: true, now: clock.now() }));
  const results = await Promise.allSettled(rivals.map((rival) => update(rival)));
  const refused = results.filter((result) => result.status === 'rejected');
  t.equal(refused.length, 11);
  t.ok(refused.every(({ reason }) => reason.code === 'stale_list'));
  const winner = rivals[results.findIndex(({ status }) => status === 'fulfilled')];
  t.equal(await current(first), hex(winner?.list.hash ?? new Uint8Array()));
  const { bundles } = await bundlesOf(first, 2);
  t.same(
    bundles[0]?.signedPrekey,
    winner?.added.joining(await challenge()).signedPrekey,
    'the prekeys are those of the device that joined',
  );
});

t.test(
  'nothing follows that the account did not sign, or that does not prove itself',
  async (t) => {
    const first = owned(await enrolled('dora'));
    const mallory = owned(await enrolled('mallory'));
    const next = nextList(first, { add: true, now: clock.now() });
    const other = nextList(mallory, { add: true, now: clock.now() });
    const refuse = async (change: object, code: string, what: string) => {
      await t.rejects(update(next, change), { code }, what);
      t.equal(await current(first), hex(first.list.hash), `${what}: nothing changed`);
    };
    const joining = next.added.joining(await challenge());
    const theirs = other.added.joining(await challenge());
    const forged = new Uint8Array(next.list.bytes);
    forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1;
    await refuse({ list: forged }, 'bad_signature', 'a forged list');
    await refuse(
      { list: new Uint8Array(other.list.bytes) },
      'malformed',
      'a list of somebody else',
    );
    await refuse({ joining: undefined }, 'malformed', 'a device that leaves no prekeys');
    await refuse({ joining: { ...joining, device: 3 } }, 'malformed', 'prekeys of another device');
    await refuse({ joining: { ...joining, proof: theirs.proof } }, 'bad_proof', 'a foreign proof');
    await refuse(
      { joining: { ...joining, challenge: new Uint8Array(first.list.devices[0]?.dik ?? []) } },
      'challenge_expired',
      'a challenge of nobody',
    );
    await refuse(
      { joining: { ...joining, batch: theirs.batch } },
      'bad_signature',
      'foreign prekeys',
    );
    const stranger = nextList(
      { aik: mallory.aik, list: first.list },
      { add: true, replace: 'rotate' },
    );
    await refuse(
      {
        list: new Uint8Array(stranger.list.bytes),
        joining: stranger.added.joining(await challenge()),
      },
      'bad_signature',
      'a rotation that the key before did not sign',
    );
    const alone = nextList(first, { replace: 'rotate' });
    await refuse({ list: new Uint8Array(alone.list.bytes) }, 'malformed', 'prekeys of no device');
  },
);

t.test('a reset and an end are taken only where they are allowed, a rollback never', async (t) => {
  const first = owned(await enrolled('emil'));
  const reset = nextList(first, { add: true, remove: [1], replace: 'reset', now: clock.now() });
  await t.rejects(update(reset), { code: 'forbidden' });
  await t.rejects(update(nextList(first, { remove: [1] })), { code: 'forbidden' }, 'the end');
  await update(reset, { reset: true });
  t.equal(await current(first), hex(reset.list.hash));
  await t.rejects(bundlesOf(first, 1), { code: 'unknown_device' });
  const back = nextList(first, { add: true, now: clock.now() });
  await t.rejects(update(back), { code: 'stale_list' });
});

t.test('an account changes its list sixty times in an hour at most', async (t) => {
  let last = owned(await enrolled('gus'));
  const codes: string[] = [];
  for (let i = 0; i < 61; i++) {
    const next = nextList(last, { replace: 'rotate' });
    codes.push(await faultCode(update(next)));
    last = next;
  }
  t.same(codes, [...Array(60).fill('resolved'), 'rate_limited']);
});

t.test('who missed lists gets them in order, sixteen at a time', async (t) => {
  let last = owned(await enrolled('fay'));
  const all = [hex(last.list.hash)];
  for (let i = 0; i < 17; i++) {
    last = nextList(last, { replace: 'rotate' });
    all.push(hex(last.list.hash));
    await update(last);
  }
  const after = async (epoch: number) => {
    const answer = await gateway.call(directory, 'lists', { name: 'fay', after: epoch });
    t.equal(answer.account, last.list.account);
    return answer.lists.map((list) => hex(openDeviceList(list).hash));
  };
  t.same(await after(0), all.slice(0, 16));
  t.same(await after(16), all.slice(16));
  t.same(await after(18), []);
  await t.rejects(gateway.call(directory, 'lists', { name: 'nobody', after: 0 }), {
    code: 'unknown_person',
  });
});

t.end();
