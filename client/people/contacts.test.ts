/** What was decided about somebody holds, whatever clocks say and whenever a program dies. docs/protocol/dm.md §14 */
import { encodePlaintext } from '@island/protocol/crypto/plaintext.ts';
import { randomBytes } from '@island/protocol/crypto/primitives.ts';
import t from 'tap';
import { actsAfter } from '../messages/acts.ts';
import { unshown } from '../messages/messages.ts';
import { repairStates } from '../repair/keeping.ts';
import { type Device, World } from '../repair/testing/world.ts';
import { repairRow } from '../sending/outbox.ts';
import { oddIsland } from '../testing/odd-island.ts';
import { person } from '../testing/person.ts';
import { actedOn, contactChanges, isBlocked, readContact, wroteTo } from './contacts.ts';

const year = 365 * 86_400_000;

/** As another device of the account says it. */
const decision = (state: 'accepted' | 'blocked', sentAt: number) =>
  actedOn({ direction: 'out', sentAt, body: { kind: 'contact', state } });

for (const ahead of [year, Number.MAX_SAFE_INTEGER - Date.now()])
  t.test(
    `attack: a block after a decision by a clock that was ${ahead} ms ahead holds`,
    async (t) => {
      const theirs = decision('accepted', Date.now() + ahead);
      await using island = await oddIsland();
      await using bob = await person(island, 'bob');
      await using _mallory = await person(island, 'mallory');
      const { account } = await bob.islander.people.find('mallory');
      const changes = contactChanges(bob.storage);
      await changes.change(account, theirs);
      await bob.storage.commit(changes.rows());
      await bob.islander.decide('mallory', 'blocked');
      t.ok(isBlocked(await readContact(bob.storage, account)));
      const [act] = await actsAfter(bob.storage);
      if (!act) throw new Error('no act');
      const other = theirs({});
      t.ok(isBlocked(actedOn(act)(other)), 'also on the device whose clock it was');
    },
  );

t.test(
  'attack: a block holds against what was written by a clock that ran ahead, or hears of it later',
  (t) => {
    const block = decision('blocked', 1000);
    t.ok(isBlocked(block(wroteTo({}))));
    t.ok(isBlocked(wroteTo(block({}))));
    t.end();
  },
);

t.test(
  'attack: a program that dies while it blocks somebody has done all of it or nothing',
  async (t) => {
    await using island = await oddIsland();
    await using bob = await person(island, 'bob');
    await using _mallory = await person(island, 'mallory');
    const { account } = await bob.islander.people.find('mallory');
    const own = {
      epoch: 1,
      key: Buffer.alloc(16).toString('base64url'),
      cut: false,
      registered: true,
    };
    await bob.storage.commit({
      put: [{ namespace: 'delivery-key', key: 'own', bytes: Buffer.from(JSON.stringify(own)) }],
    });
    const seen: string[] = [];
    using _watch = bob.storage.watch(() => void look());
    const looks: Promise<void>[] = [];
    const look = (): void => {
      looks.push(
        (async () => {
          const key = await bob.storage.read('delivery-key', 'own');
          const cut = JSON.parse(Buffer.from(key?.bytes ?? []).toString()).cut === true;
          const blocked = isBlocked(await readContact(bob.storage, account));
          seen.push(`${blocked} ${cut}`);
        })(),
      );
    };
    await bob.islander.decide('mallory', 'blocked');
    await Promise.all(looks);
    t.same(new Set(seen), new Set(['true true']));
  },
);

/** Somebody, and who has blocked them. */
async function blocked(): Promise<{ world: World; mallory: Device; victim: Device }> {
  const world = new World();
  const [mallory] = await world.person('mallory');
  const [victim] = await world.person('victim');
  if (!mallory || !victim) throw new Error('nobody');
  const changes = contactChanges(victim.storage);
  await changes.change(mallory.account.account, decision('blocked', world.now));
  await victim.storage.commit(changes.rows());
  return { world, mallory, victim };
}

t.test(
  'attack: of a blocked person nothing is shown, also not that something could not be read',
  async (t) => {
    const { world, mallory, victim } = await blocked();
    const body = {
      kind: 'marks',
      marks: [{ peer: victim.account.account, readUpTo: 1 }],
    } as const;
    const plaintext = encodePlaintext({ id: randomBytes(16), sentAt: world.now, body });
    await mallory.say('victim', 'hello');
    await mallory.storage.commit({
      append: [repairRow('victim', { only: victim.account.device }, plaintext)],
    });
    await mallory.flush();
    await victim.openAll();
    t.equal(victim.mailbox.length, 0);
    t.same(await victim.messages(), []);
    t.same(await unshown(victim.storage), []);
    t.equal((await repairStates(victim.storage)).size, 0);
  },
);
