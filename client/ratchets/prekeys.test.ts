/** A device's prekeys over months: made, published, used, replaced, forgotten. */
import { limits } from '@island/protocol/wire/limits.ts';
import t from 'tap';
import { oddIsland } from '../testing/odd-island.ts';
import { person } from '../testing/person.ts';
import { tendPrekeys } from './prekey-upkeep.ts';
import { openPrekeyBox } from './prekeys.ts';

const day = 86_400_000;

t.test('a one-time prekey is gone with the message that used it', async (t) => {
  await using island = await oddIsland();
  await using alice = await person(island, 'alice');
  await using bob = await person(island, 'bob');
  const count = async () => (await openPrekeyBox(bob.storage)).present('one-time').length;
  t.equal(await count(), limits.batchSize);
  await alice.sends('bob', 'one', 'two');
  await bob.hears(2);
  t.equal(await count(), limits.batchSize - 1);
});

t.test(
  'prekeys are replaced every 7 days, kept 14 more, and refilled below 30; the ids never return',
  async (t) => {
    await using island = await oddIsland();
    await using bob = await person(island, 'bob');
    const { account, session } = bob.islander;
    const member = island.members.get('bob');
    let time = Date.now();
    const upkeep = { account, storage: bob.storage, session, now: () => time };
    const published = () =>
      island.requests.filter(
        ({ path, body }) => path === '/v1/prekeys' && Object.keys(body).length > 0,
      );
    const tend = async () => tendPrekeys(upkeep, await openPrekeyBox(bob.storage));
    await tend();
    t.equal(published().length, 0, 'nothing is due');
    const ids = async () =>
      (await openPrekeyBox(bob.storage)).present('signed').map(({ id }) => id);

    time += limits.prekeyRotationDays * day;
    island.twist.answer = (path, answer) =>
      path === '/v1/prekeys' && published().length === 1 ? 'cut' : answer;
    await t.rejects(tend(), { code: 'unreachable' }, 'the answer to the upload is lost');
    delete island.twist.answer;
    await tend();
    t.equal(published().length, 2);
    t.same(published()[1]?.body, published()[0]?.body, 'the same again');
    t.same(Object.keys(published()[0]?.body ?? {}), ['signedPrekey', 'lastResort']);
    t.same(await ids(), [1, 2]);

    if (member) member.handed = limits.batchSize - limits.batchLow + 1;
    await tend();
    t.same(Object.keys(published().at(-1)?.body ?? {}), ['batch']);
    t.equal(
      (await openPrekeyBox(bob.storage)).present('one-time').at(-1)?.id,
      2 * limits.batchSize,
    );

    time += (limits.prekeyKeptDays + 1) * day;
    if (member) member.handed = 0;
    await tend();
    t.same(await ids(), [2, 3], 'the first is forgotten 14 days after it was replaced');
    time += 2 * limits.prekeyDays * day;
    const box = await openPrekeyBox(bob.storage);
    t.same(
      box.present('signed').map(({ id }) => id),
      [2, 3],
      'what nothing has replaced stays, however old',
    );
    await tendPrekeys(upkeep, box);
    t.same(
      box.present('signed').map(({ id }) => id),
      await ids(),
      'M1: a process that runs for months forgets in its memory, too',
    );
    t.equal(box.lookup.signed(2), undefined);
  },
);
