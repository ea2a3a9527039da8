/** What proving senders may cost. docs/protocol/dm.md §6.2 */
import { openDeviceList } from '@island/protocol/crypto/device-list.ts';
import { ed25519, randomBytes, x25519 } from '@island/protocol/crypto/primitives.ts';
import { contentTypes, seal } from '@island/protocol/crypto/sealed-envelope.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import { type AccountId, accountId, deviceId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { fromBase64url, hex } from '@island/protocol/wire/text.ts';
import { tokenClasses } from '@island/protocol/wire/token.ts';
import t from 'tap';
import { eventually } from '../../services/kit/testing/outcome.ts';
import { reserve, sparing, tokensNamespace } from '../payment/wallet.ts';
import { contactChanges, wroteTo } from '../people/contacts.ts';
import { memoryStorage } from '../storage/memory.ts';
import type { Storage } from '../storage/storage.ts';
import { certify } from '../testing/odd-answers.ts';
import { oddIsland } from '../testing/odd-island.ts';
import { person, reopen } from '../testing/person.ts';
import { type Aside, aside, putAside } from './aside.ts';
import { isUnlisted, noteUnlisted } from './unlisted.ts';

t.setTimeout(60_000);

/** Bob, and envelopes from a device that Mallory has removed, one after another. */
async function scene() {
  const held = new AsyncDisposableStack();
  const island = held.use(await oddIsland());
  const bob = held.use(await person(island, 'bob'));
  const mallory = held.use(await person(island, 'mallory'));
  const [hers, his] = ['mallory', 'bob'].map((name) => island.members.get(name));
  if (!hers || !his) throw new Error('nobody');
  const dik = openDeviceList(fromBase64url(his.list)).devices[0]?.dik ?? new Uint8Array(32);
  const removed = {
    ...{ name: 'mallory', account: hers.account, device: deviceId(2) },
    ...{ aik: openDeviceList(fromBase64url(hers.list)).aik, listEpoch: 2 },
    ...{ dsk: ed25519.generate().public, dik: x25519.generate().public },
  };
  const certificate = certify(removed);
  const dropped = () => bob.events.filter(({ type }) => type === 'dropped').length;
  return {
    bob,
    mallory,
    removed,
    lookups: () => island.requests.filter(({ path }) => path === '/v1/people/mallory').length,
    async send(times: number) {
      for (let i = 0; i < times; i++) {
        const before = dropped();
        const message = randomBytes(60);
        island.deliver(his, seal(dik, { certificate, type: contentTypes.ratchet, message }));
        while (dropped() === before) await new Promise((done) => setTimeout(done, 10));
      }
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

t.test('attack: a removed device with a good certificate costs one lookup an hour', async (t) => {
  await using here = await scene();
  const { bob, mallory, lookups, send } = here;
  t.same(await mallory.sends('bob', 'one'), ['accepted']);
  await bob.hears(1);
  const before = lookups();
  await send(10);
  t.equal(lookups() - before, 1);
});

t.test('attack: of a blocked person nobody is asked', async (t) => {
  await using here = await scene();
  const { bob, lookups, send } = here;
  await bob.islander.decide('mallory', 'blocked');
  bob.islander.startReceiving();
  const before = lookups();
  await send(5);
  t.equal(lookups() - before, 0);
});

t.test(
  'what is not listed is asked for again after an hour, under a newer list, and by another key',
  async (t) => {
    await using here = await scene();
    const storage = memoryStorage();
    const at = 1_000_000_000;
    await noteUnlisted(storage, here.removed, at);
    t.ok(await isUnlisted(storage, here.removed, at + 3_500_000));
    t.notOk(await isUnlisted(storage, here.removed, at + 3_700_000));
    t.notOk(await isUnlisted(storage, here.removed, at - 1), 'a clock that was put back');
    t.notOk(await isUnlisted(storage, { ...here.removed, listEpoch: 3 }, at));
    t.notOk(await isUnlisted(storage, { ...here.removed, dik: randomBytes(32) }, at));
    for (let i = 0; i < 600; i++)
      await noteUnlisted(storage, { ...here.removed, listEpoch: i + 10 }, at + i);
    t.equal((await storage.list('unlisted')).length, 512);
  },
);

/** As if this day had brought no tokens yet. */
const nextDay = async (storage: Storage) =>
  storage.commit({
    remove: (await storage.list('tokens-issued')).map(({ key }) => ({
      namespace: 'tokens-issued',
      key,
    })),
  });

/** Bob, who has no tokens and gets none; Alice, whom he knows, and Mallory, whom he does not. */
async function poor() {
  const held = new AsyncDisposableStack();
  const island = held.use(await oddIsland());
  const alice = held.use(await person(island, 'alice'));
  const bob = held.use(await person(island, 'bob'));
  const mallory = held.use(await person(island, 'mallory'));
  await alice.sends('bob', 'one');
  await bob.hears(1);
  for (const each of [alice, mallory])
    await each.islander.wallet.take(tokenClasses.delivery, 1, () => ({}));
  const tokens = await bob.storage.list(tokensNamespace);
  await bob.storage.commit({
    remove: tokens.map(({ key }) => ({ namespace: tokensNamespace, key })),
  });
  island.twist.before = (path) => {
    if (path === '/v1/tokens') throw new Fault('tokens_exhausted', { seconds: 0 });
    return undefined;
  };
  const offline = () => bob.events.filter(({ type }) => type === 'offline').length;
  const dispose = () => held.disposeAsync();
  return { island, alice, bob, mallory, offline, [Symbol.asyncDispose]: dispose };
}

t.test(
  'attack: without tokens what others sent comes, and the rest when there are some',
  async (t) => {
    await using here = await poor();
    const { island, alice, bob, mallory, offline } = here;
    const before = offline();
    t.same(await mallory.sends('bob', 'a request'), ['accepted']);
    t.same(await alice.sends('bob', 'two', 'three'), ['accepted', 'accepted']);
    t.same(await bob.hears(2), ['alice: two', 'alice: three']);
    t.equal(offline(), before, 'the socket stays');
    t.equal((await bob.storage.list('aside')).length, 1);
    await eventually(async () => island.acks.at(-1) === 4, 20_000);
    delete island.twist.before;
    await nextDay(bob.storage);
    t.same(await bob.hears(1), ['mallory: a request']);
    await eventually(async () => (await bob.storage.list('aside')).length === 0, 20_000);
  },
);

t.test('what was put aside is opened after a restart, once', async (t) => {
  await using here = await poor();
  const { island, bob, mallory } = here;
  t.same(await mallory.sends('bob', 'a request'), ['accepted']);
  await eventually(async () => (await bob.storage.list('aside')).length === 1, 20_000);
  await bob.islander[Symbol.asyncDispose]();
  delete island.twist.before;
  await nextDay(bob.storage);
  await using again = await reopen('bob', bob.storage);
  t.same(await again.hears(1), ['mallory: a request']);
  await eventually(async () => (await bob.storage.list('aside')).length === 0, 20_000);
});

t.test('attack: what is put aside is bounded, of one account and of all', async (t) => {
  const storage = memoryStorage();
  const accounts = Array.from({ length: 10 }, () => accountId(hex(randomBytes(16))));
  const envelope = (account: AccountId): Aside => {
    const body = randomBytes(100);
    return { key: hex(randomBytes(16)), body, account };
  };
  let dropped = 0;
  const put = async (account: AccountId, count: number) => {
    const envelopes = Array.from({ length: count }, () => envelope(account));
    await storage.commit({
      put: await putAside(storage, envelopes, 1, () => {
        dropped += 1;
      }),
    });
  };
  for (const account of accounts) await put(account, 40);
  t.equal((await aside(storage)).length, 200);
  t.equal(dropped, 200);
  const friend = accountId(hex(randomBytes(16)));
  const changes = contactChanges(storage);
  await changes.change(friend, wroteTo);
  await storage.commit(changes.rows());
  await put(friend, 20);
  t.equal((await aside(storage)).length, 220, 'strangers take no room from those we know');
});

t.test('attack: the last tokens of a day are for what is said here', async (t) => {
  await using island = await oddIsland();
  await using bob = await person(island, 'bob');
  await using _alice = await person(island, 'alice');
  const { delivery } = tokenClasses;
  const { wallet } = bob.islander;
  const caused = sparing(wallet);
  await caused.take(delivery, 1, () => ({}));
  const day = String(Math.floor(Date.now() / 86_400_000));
  const count = async () => (await bob.storage.list(tokensNamespace)).length;
  const bytes = Buffer.from(String(limits.deliveryTokensPerDay + (await count()) - reserve));
  await bob.storage.commit({ put: [{ namespace: 'tokens-issued', key: day, bytes }] });
  await t.rejects(
    caused.take(delivery, 1, () => ({})),
    { code: 'tokens_exhausted' },
  );
  t.equal((await wallet.take(delivery, 1, () => ({}))).length, 1);
  await bob.islander.pass('alice', { kind: 'typing', began: true });
  t.same(await bob.sends('alice', 'said'), ['accepted'], 'what was caused holds up nothing');
  t.equal(island.sends.length, 1);
  island.twist.before = (path) => {
    if (path === '/v1/tokens') throw new Fault('tokens_exhausted', { seconds: 1000 });
    return undefined;
  };
  await bob.storage.commit({ remove: [{ namespace: 'tokens-issued', key: day }] });
  await t.rejects(wallet.take(delivery, (await count()) + 1, () => ({})));
  await t.rejects(
    caused.take(delivery, 1, () => ({})),
    'other devices of the account had the rest',
  );
});
