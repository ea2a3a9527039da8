/** What proving senders may cost. docs/protocol/dm.md §6.2 */
import { openDeviceList } from '@island/protocol/crypto/device-list.ts';
import { ed25519, randomBytes, x25519 } from '@island/protocol/crypto/primitives.ts';
import { contentTypes, seal } from '@island/protocol/crypto/sealed-envelope.ts';
import { deviceId } from '@island/protocol/wire/ids.ts';
import { fromBase64url } from '@island/protocol/wire/text.ts';
import t from 'tap';
import { memoryStorage } from '../storage/memory.ts';
import { certify } from '../testing/odd-answers.ts';
import { oddIsland } from '../testing/odd-island.ts';
import { person } from '../testing/person.ts';
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
