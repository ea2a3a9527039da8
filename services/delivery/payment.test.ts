/** What a send costs and what becomes of the tokens: real SQLite, real NATS, a clock that the test turns. M2 */
import { randomBytes } from 'node:crypto';
import { type AccountId, deviceId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { type Send, sendPrice } from '@island/protocol/wire/send.ts';
import { tokenClasses } from '@island/protocol/wire/token.ts';
import t from 'tap';
import { unixDay } from '../kit/clock.ts';
import { testIsland } from '../kit/testing/kit.ts';
import { faultCode } from '../kit/testing/outcome.ts';
import { hashOfKey, setDeliveryKey } from './delivery-keys.ts';
import { expire } from './retention.ts';
import { envelope, type TestEnvelope, testLists } from './testing/lists.ts';
import { forger } from './testing/payer.ts';
import { type TestTill, testTill } from './testing/till.ts';

const day = 86_400_000;
const island = await testIsland(['directory', 'delivery']);
t.teardown(() => island[Symbol.asyncDispose]());
const lists = testLists((await island.kit('directory')).bus);
const kit = await island.kit('delivery');

const one = deviceId(1);
const tokensFor = (till: TestTill) => forger(till.secrets.seed, till.clock);
const waiting = async (till: TestTill, account: AccountId) =>
  (await till.mailboxes.since(account, one, 0, 1000)).envelopes;
async function giveKey(till: TestTill, account: AccountId, epoch = 1, cut = false) {
  const key = new Uint8Array(randomBytes(16));
  await setDeliveryKey(
    till.store,
    { account, epoch, hash: hashOfKey(key), cut },
    unixDay(till.clock),
  );
  return key;
}
const send = (account: AccountId, more: Partial<Send>): Send => ({
  tokens: [],
  key: undefined,
  account,
  epoch: 1,
  envelopes: [envelope(1)],
  ...more,
});

t.test('a contact pays one token for eight envelopes, anybody else four', async (t) => {
  await using till = await testTill(kit);
  const tokens = tokensFor(till);
  const devices = Array.from({ length: 9 }, (_, at) => at + 1);
  const account = lists.person(...devices);
  const envelopes = (): TestEnvelope[] => devices.map((device) => envelope(device));
  const key = await giveKey(till, account);
  for (const [given, needed] of [
    [key, 2],
    [undefined, 8],
  ] as const) {
    t.equal(sendPrice(9, given !== undefined), needed);
    for (const few of [0, 1, needed - 1]) {
      const poor = till.put(
        send(account, { key: given, envelopes: envelopes(), tokens: tokens(few) }),
      );
      await t.rejects(poor, { code: 'token_needed', details: { needed } }, `${few}`);
    }
    t.equal((await waiting(till, account)).length, given === undefined ? 1 : 0, 'nothing of them');
    await till.put(send(account, { key: given, envelopes: envelopes(), tokens: tokens(needed) }));
  }
  t.same(
    (await waiting(till, account)).map(({ request }) => request),
    [false, true],
    'and the recipient is told which of them came from a stranger',
  );
});

t.test('M2: the same send again costs nothing; the same token for another does not', async (t) => {
  await using till = await testTill(kit);
  const tokens = tokensFor(till);
  const account = lists.person(1);
  const key = await giveKey(till, account);
  const first = send(account, { key, tokens: tokens(1) });
  await till.put(first);
  await till.put(first);
  t.equal((await waiting(till, account)).length, 1);
  t.equal((await till.spent()).length, 1);
  const other = send(account, { key, tokens: first.tokens });
  t.equal(await faultCode(till.put(other)), 'token_spent');
  t.equal((await waiting(till, account)).length, 1);
  lists.change(account, [1, 2]);
  await till.put(first);
  t.pass('also when the list has changed meanwhile');
  await till.put({ ...first, tokens: tokens(1) });
  t.equal((await till.spent()).length, 1, 'nor is another token spent on what is there already');
});

t.test(
  'M2: one token spent on 64 sends at once pays for exactly one, in whatever request it came',
  async (t) => {
    await using till = await testTill(kit);
    const tokens = tokensFor(till);
    const account = lists.person(1);
    const key = await giveKey(till, account);
    const shared = tokens(1);
    const codes = await Promise.all(
      Array.from({ length: 64 }, () => faultCode(till.put(send(account, { key, tokens: shared })))),
    );
    t.equal(codes.filter((code) => code === 'resolved').length, 1);
    t.equal(codes.filter((code) => code === 'token_spent').length, 63);
    t.equal((await waiting(till, account)).length, 1);
    t.equal((await till.spent()).length, 1);

    const strangers = await Promise.all(
      Array.from({ length: 8 }, () => {
        const [spent] = shared;
        return faultCode(
          till.put(send(account, { tokens: spent === undefined ? [] : [spent, ...tokens(3)] })),
        );
      }),
    );
    t.same(new Set(strangers), new Set(['token_spent']), 'nor with others beside it');
    t.equal((await till.spent()).length, 1, 'which stay good');
  },
);

t.test('the same token in sends and in spends of elsewhere: one of them has it', async (t) => {
  await using till = await testTill(kit);
  const tokens = tokensFor(till);
  const account = lists.person(1);
  const key = await giveKey(till, account);
  const shared = tokens(1);
  const context = randomBytes(16);
  const spend = async () => {
    const spendable = await till.redemption.check(shared, tokenClasses.delivery, context);
    if (spendable !== undefined) await till.mailboxes.spend(spendable, context);
  };
  const codes = await Promise.all([
    faultCode(till.put(send(account, { key, tokens: shared }))),
    faultCode(spend()),
  ]);
  t.same(codes.toSorted(), ['resolved', 'token_spent']);
  if (codes[1] === 'resolved') await spend();
});

t.test('a token that is not ours, of another class or another day changes nothing', async (t) => {
  await using till = await testTill(kit);
  const tokens = tokensFor(till);
  const account = lists.person(1);
  const key = await giveKey(till, account);
  const today = unixDay(till.clock);
  const [good] = tokens(1);
  if (good === undefined) throw new Error('no token');
  const elsewhere = forger(randomBytes(32), till.clock);
  const flipped = (bytes: Uint8Array) => bytes.with(5, (bytes[5] ?? 0) ^ 1);
  for (const [what, given] of [
    ['another island', elsewhere(1)],
    ['media', tokens(1, tokenClasses.media)],
    ['media said to be delivery', tokens(1, 2).map((token) => ({ ...token, class: 1 as const }))],
    ['the day before yesterday', tokens(1, 1, today - 2)],
    ['tomorrow', tokens(1, 1, today + 1)],
    ['yesterday said to be today', tokens(1, 1, today - 1).map((one) => ({ ...one, day: today }))],
    ['input changed', [{ ...good, input: flipped(good.input) }]],
    ['output changed', [{ ...good, output: flipped(good.output) }]],
    ['day 4294967295', [{ ...good, day: 0xffff_ffff }]],
  ] as const) {
    const code = await faultCode(till.put(send(account, { key, tokens: given })));
    t.equal(code, 'token_invalid', what);
  }
  t.same(await till.spent(), []);
  t.same(await waiting(till, account), []);
  await till.put(send(account, { key, tokens: [good] }));
  await till.put(send(account, { key, tokens: tokens(1, 1, today - 1) }));
  t.equal((await waiting(till, account)).length, 2);
});

t.test(
  'who pays with nothing is refused before anybody is asked about the recipient',
  async (t) => {
    await using till = await testTill(kit);
    const account = lists.person(1);
    const before = lists.asked;
    const bad = forger(randomBytes(32), till.clock);
    t.equal(await faultCode(till.put(send(account, {}))), 'token_needed');
    t.equal(await faultCode(till.put(send(account, { tokens: bad(4) }))), 'token_invalid');
    t.equal(lists.asked, before);
  },
);

t.test('M6: what is refused for its devices or a full mailbox costs nothing', async (t) => {
  await using till = await testTill(kit);
  const tokens = tokensFor(till);
  const account = lists.person(1);
  const key = await giveKey(till, account);
  const mine = tokens(1);
  const stale = send(account, { key, tokens: mine, envelopes: [envelope(2)] });
  t.equal(await faultCode(till.put(stale)), 'stale_devices');
  t.same(await till.spent(), []);
  await till.put(send(account, { key, tokens: mine }));
  t.equal((await till.spent()).length, 1);
});

t.test('requests wait 200 at a time; contacts are not held up by them', async (t) => {
  await using till = await testTill(kit);
  const tokens = tokensFor(till);
  const account = lists.person(1, 2);
  const key = await giveKey(till, account);
  const both = () => [envelope(1), envelope(2)];
  const ask = () => till.put(send(account, { envelopes: both(), tokens: tokens(4) }));
  const codes = await Promise.all(
    Array.from({ length: limits.mailboxRequests + 5 }, () => faultCode(ask())),
  );
  t.equal(codes.filter((code) => code === 'resolved').length, limits.mailboxRequests);
  t.equal(codes.filter((code) => code === 'requests_full').length, 5);
  t.equal((await till.spent()).length, 4 * limits.mailboxRequests, 'a refused one costs nothing');
  await till.put(send(account, { key, envelopes: both(), tokens: tokens(1) }));
  await till.mailboxes.ack(account, one, 3);
  t.equal(await faultCode(ask()), 'requests_full', 'device 2 has fetched none');
  await till.mailboxes.ack(account, deviceId(2), 1);
  await ask();
  const last = (await waiting(till, account)).at(-1);
  t.equal(last?.seq, limits.mailboxRequests + 2);
});

t.test('spent tokens go with the key of their day, and with them what they paid for', async (t) => {
  await using till = await testTill(kit);
  const tokens = tokensFor(till);
  const account = lists.person(1);
  const key = await giveKey(till, account);
  const spent = tokens(1);
  await till.put(send(account, { key, tokens: spent }));
  const today = unixDay(till.clock);
  await expire(till.store, till.mailboxes, today + 1);
  t.equal((await till.spent()).length, 1, 'still good that day, so still remembered');
  const [row] = await till.spent();
  const id = row?.token ?? Buffer.alloc(0);
  t.ok((await till.bytes()).includes(id));
  till.clock.at += 2 * day;
  await expire(till.store, till.mailboxes, today + 2);
  t.same(await till.spent(), []);
  t.notOk((await till.bytes()).includes(id), 'nor in a free page or the log');
  const code = await faultCode(till.put(send(account, { key, tokens: spent })));
  t.equal(code, 'token_invalid');
});
