/** What was proved is looked at again after a day and a week, for few tokens. docs/protocol/transparency.md §8.6 */
import { type AccountId, accountId } from '@island/protocol/wire/ids.ts';
import t from 'tap';
import { accountRow, readAccount } from '../account/account.ts';
import { openPeople, type Person } from '../people/people.ts';
import { Problem } from '../problem.ts';
import { type Attacked, attacked, caught } from '../testing/attacked.ts';
import { reopen } from '../testing/person.ts';
import { endedRow } from './ended.ts';
import { lookOnce } from './monitor.ts';
import { provedOf, putProved } from './proved.ts';

t.setTimeout(120_000);

const hour = 3_600_000;
const day = 24 * hour;

/** One round of alice's looks, so many milliseconds from now; nobody is asked about in earnest. */
async function round(
  { alice }: Attacked,
  ahead: number,
  refusal: (name: string) => Error | undefined = () => undefined,
) {
  const { storage, islander } = alice;
  const looked: string[] = [];
  const told: string[] = [];
  const one = async (name: string) => ({ name }) as unknown as Person;
  const people = {
    ...openPeople(storage, islander.lookups),
    known: one,
    async refresh(name: string) {
      looked.push(name);
      const error = refusal(name);
      if (error) throw error;
      return one(name);
    },
  };
  const { transport } = islander;
  const onRefused = (error: Error) =>
    void told.push(error instanceof Problem ? error.code : error.message);
  const now = () => Date.now() + ahead;
  const parts = { storage, transport, people, now, onRefused };
  await lookOnce(parts, new AbortController().signal);
  return { looked, told };
}

t.test('K2: a version is looked at after one day and after seven, and then no more', async (t) => {
  await using here = await attacked();
  const bob = here.first.account;
  for (const [ahead, looks, due] of [
    [day - hour, 0, false],
    [day + hour, 1, true],
    [2 * day, 1, false],
    [7 * day - hour, 1, false],
    [7 * day + hour, 2, true],
    [8 * day, 2, false],
    [100 * day, 2, false],
  ] as const) {
    const { looked, told } = await round(here, ahead);
    t.same(looked, due ? [bob] : [], `after ${ahead / day} days`);
    t.same(told, []);
    t.equal((await provedOf(here.alice.storage, bob))?.looks, looks);
  }
});

t.test('K2: a look that fails in passing is due still; one that is refused is told', async (t) => {
  await using here = await attacked();
  const bob = here.first.account;
  const unreachable = () => new Problem('unreachable', { address: 'here' });
  t.same(await round(here, day + hour, unreachable), { looked: [bob], told: [] });
  const refused = () => new Problem('list_rolled_back', { name: 'bob' });
  t.same(await round(here, day + hour, refused), { looked: [bob], told: ['list_rolled_back'] });
  t.same((await round(here, day + hour)).looked, [bob]);
  t.same((await round(here, day + hour)).looked, []);
});

t.test('K2: looks that are not made for days are told of, once until they are', async (t) => {
  await using here = await attacked();
  const unreachable = () => new Problem('unreachable', { address: 'here' });
  const late = async (ahead: number) => (await round(here, ahead, unreachable)).told;
  t.same(await late(2 * day - hour), [], 'it may pass');
  t.same(await late(2 * day + hour), [], 'this home was away, perhaps');
  t.same(await late(3 * day), []);
  t.same(await late(3 * day + 2 * hour), ['looks_overdue']);
  t.same(await late(5 * day), [], 'once');
  t.same((await round(here, 5 * day)).told, []);
  t.same(await late(6 * day), [], 'it was made');
  t.same(await late(8 * day + hour), [], 'the next one');
  t.same(await late(9 * day + 2 * hour), ['looks_overdue']);
});

t.test(
  'K2: an end is looked at again like a version, and is no look that was missed',
  async (t) => {
    await using here = await attacked();
    const bob = here.first.account;
    await here.alice.storage.commit({ put: [endedRow(bob, Date.now())] });
    const ended = (whose: string) => new Problem('person_ended', { name: whose });
    for (const [ahead, due] of [
      [day - hour, false],
      [day + hour, true],
      [2 * day, false],
      [7 * day + hour, true],
      [20 * day, false],
      [22 * day, false],
    ] as const) {
      const { looked, told } = await round(here, ahead, ended);
      t.same(looked, due ? [bob] : [], `after ${ahead / day} days`);
      t.same(told, [], `after ${ahead / day} days`);
    }
  },
);

t.test(
  'K2: an end that was shown to one person and is taken back is found by their looks',
  async (t) => {
    await using here = await attacked();
    const { history, name, alice } = here;
    history().erase(name);
    await history().publish();
    await here.asks();
    await alice.storage.commit({ put: [endedRow(here.first.account, Date.now())] });
    history().revert(name, 1);
    await history().publish();
    const told: string[] = [];
    const { storage, islander } = alice;
    const parts = {
      ...{ storage, transport: islander.transport, people: islander.people },
      now: () => Date.now() + day + hour,
      onRefused: (error: Error) => void told.push(error instanceof Problem ? error.code : ''),
    };
    await lookOnce(parts, new AbortController().signal);
    t.same(told, ['directory_contradicted']);
    t.equal(await caught(storage), 'rolled_back: hidden');
  },
);

t.test('K2: a newer version begins its looks anew', async (t) => {
  await using here = await attacked();
  const { alice, island, history, label, next } = here;
  const bob = here.first.account;
  await round(here, day + hour);
  history().say(label, 2, next().bytes);
  await history().publish();
  t.equal(await here.asks(), 'fine');
  t.match(await provedOf(alice.storage, bob), { version: 2, looks: 0 });
  t.same((await round(here, day + hour)).looked, [bob]);
  t.ok(island.requests.length > 0);
});

t.test('K2: a round looks at eight people at most, and at all of them in the end', async (t) => {
  await using here = await attacked();
  const { alice } = here;
  const seen = await provedOf(alice.storage, here.first.account);
  if (!seen) throw new Error('bob was not proved');
  const others = Array.from(
    { length: 19 },
    (_, i): AccountId => accountId(i.toString(16).padStart(32, '0')),
  );
  await alice.storage.commit({ put: others.map((account) => putProved(account, seen)) });
  const rounds = [];
  for (let i = 0; i < 4; i++) rounds.push((await round(here, day + hour)).looked);
  t.same(
    rounds.map(({ length }) => length),
    [8, 8, 4, 0],
  );
  t.same(new Set(rounds.flat()), new Set([...others, here.first.account]));
});

t.test('K2: a change of one’s own that stays out of the log for an hour is told', async (t) => {
  await using here = await attacked();
  const { bob, history, label, next } = here;
  const record = await readAccount(bob.storage);
  if (!record) throw new Error('bob is not registered');
  const list = next();
  await bob.storage.commit({ put: [accountRow({ ...record, list: list.bytes })] });
  const own = { ...here, alice: bob };
  t.same((await round(own, 0)).told, [], 'witnesses may take their time');
  t.same((await round(own, hour - 60_000)).told, []);
  t.same((await round(own, hour + 60_000)).told, ['own_unpublished'], 'also by another program');
  history().say(label, 2, list.bytes);
  await history().publish();
  await here.looks();
  const proved = await provedOf(bob.storage, list.account);
  if (proved)
    await bob.storage.commit({ put: [putProved(list.account, { ...proved, version: 2 })] });
  t.same((await round(own, hour + 60_000)).told, []);
});

t.test('K2: a directory that shows nothing new for an hour is told of', async (t) => {
  await using here = await attacked();
  const { island, bob } = here;
  await bob.islander[Symbol.asyncDispose]();
  let ahead = 0;
  const again = await reopen('bob', bob.storage, () => Date.now() + ahead);
  await using _again = again;
  island.log = await island.log.branch(1);
  const timestamp = Date.now() - 2 * hour;
  await here.history().publish({ timestamp });
  const asked = Promise.withResolvers<void>();
  let asks = 0;
  island.twist.answer = (path, answer) => {
    // The first was refused by then.
    if (path === '/v1/people/bob' && ++asks === 2) asked.resolve();
    return answer;
  };
  again.islander.startReceiving();
  await asked.promise;
  t.notOk(again.events.some(({ type }) => type === 'account-refused'));
  ahead = hour + 60_000;
  t.match(await again.event('account-refused'), { error: { code: 'directory_stale' } });
});
