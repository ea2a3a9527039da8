/** People whom we have not let in get no answer by repairs, and cost nothing. docs/protocol/ratchet.md §9.1 */
import { encodePlaintext } from '@island/protocol/crypto/plaintext.ts';
import { randomBytes } from '@island/protocol/crypto/primitives.ts';
import t from 'tap';
import { contactChanges } from '../people/contacts.ts';
import { sessionsNamespace } from '../ratchets/ratchets.ts';
import { repairRow } from '../sending/outbox.ts';
import { repairStates } from './keeping.ts';
import { repairLimits } from './repair-limits.ts';
import { forgetAnswers } from './repairs.ts';
import { type Device, World } from './testing/world.ts';

t.setTimeout(240_000);

/** Somebody with several devices, and whom they write to. */
async function scene(devices: number, state: 'accepted' | 'blocked' | undefined) {
  const world = new World();
  const mallory = await world.person('mallory', devices);
  const [victim] = await world.person('victim');
  const [first] = mallory;
  if (!victim || !first) throw new Error('nobody');
  const changes = contactChanges(victim.storage);
  if (state) await changes.change(first.account.account, (contact) => ({ ...contact, state }));
  await victim.storage.commit(changes.rows());
  const sends = () => world.sends.filter(({ from }) => from === victim.key).length;
  return { world, mallory, first, victim, sends };
}

/** A question after a message that never was. */
async function asks(world: World, device: Device, victim: Device): Promise<void> {
  const body = { kind: 'resync', session: randomBytes(16), failed: [randomBytes(32)] } as const;
  const plaintext = encodePlaintext({ id: randomBytes(16), sentAt: world.now, body });
  const begins = { replaces: randomBytes(16) };
  const { device: only, name } = victim.account;
  await device.storage.commit({ append: [repairRow(name, { only, begins }, plaintext)] });
  await device.flush();
}

for (const state of [undefined, 'blocked'] as const)
  t.test(`attack: resyncs of who is ${state ?? 'not accepted'} are not answered`, async (t) => {
    const { world, mallory, victim, sends } = await scene(4, state);
    for (let round = 0; round < 3; round++)
      for (const device of mallory) {
        await asks(world, device, victim);
        await victim.openAll();
        await victim.flush();
      }
    t.equal(sends(), 0);
    t.equal(victim.mailbox.length, 0);
  });

for (const state of [undefined, 'blocked'] as const)
  t.test(
    `attack: what does not open of who is ${state ?? 'not accepted'} begins no session`,
    async (t) => {
      const { world, first, victim, sends } = await scene(1, state);
      await first.say('victim', 'one');
      await first.flush();
      await victim.openAll();
      await first.say('victim', 'two');
      await first.flush();
      await victim.lose(sessionsNamespace);
      await victim.openAll();
      const { bundles } = world;
      world.now += 3_600_000;
      await victim.tend();
      await victim.flush();
      t.equal(sends(), 0);
      t.equal(world.bundles, bundles);
      t.equal((await repairStates(victim.storage)).size, 0);
      const unreadable = (await victim.messages()).filter(({ type }) => type === 'unreadable');
      t.equal(unreadable.length, state === 'blocked' ? 0 : 1);
      t.same(await victim.unread(), { recovering: 0, lost: 0 }, 'nothing is being asked for');
    },
  );

t.test(
  'attack: a repair of who is blocked meanwhile ends, and nothing of it is shown',
  async (t) => {
    const { world, first, victim, sends } = await scene(1, 'accepted');
    await first.say('victim', 'one');
    await first.flush();
    await victim.openAll();
    await first.say('victim', 'two');
    await first.flush();
    await victim.lose(sessionsNamespace);
    await victim.openAll();
    t.same(await victim.unread(), { recovering: 1, lost: 0 });
    const changes = contactChanges(victim.storage);
    await changes.change(first.account.account, (contact) => ({ ...contact, state: 'blocked' }));
    await victim.storage.commit(changes.rows());
    world.now += 3_600_000;
    await victim.tend();
    await victim.flush();
    t.equal(sends(), 0);
    t.same(await victim.unread(), { recovering: 0, lost: 0 });
  },
);

t.test('attack: many devices of one account get no more answers than an account may', async (t) => {
  const { world, mallory, victim, sends } = await scene(3, 'accepted');
  world.exhausted = true;
  const each = Math.ceil(repairLimits.answersPerAccount / 3) + 10;
  for (let i = 0; i < each; i++) for (const device of mallory) await asks(world, device, victim);
  await victim.openAll();
  await victim.flush();
  t.equal(sends(), repairLimits.answersPerAccount);
  const rows = () => victim.storage.list('repair-answers');
  t.equal((await rows()).length, 4);
  await forgetAnswers(victim.storage, world.now);
  t.equal((await rows()).length, 4);
  await forgetAnswers(victim.storage, world.now + repairLimits.sentFor + 1);
  t.equal((await rows()).length, 0, 'what limits nothing any more is forgotten');
});
