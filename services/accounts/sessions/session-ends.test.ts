/** One's own sessions, and how they end (A5, D5), on real SQLite, NATS and Redis. docs/protocol/accounts.md §4 */
import { join } from 'node:path';
import { limits } from '@island/protocol/wire/limits.ts';
import t from 'tap';
import { directory } from '../../directory/contract.ts';
import { nextList } from '../../directory/testing/next-list.ts';
import { openStore } from '../../kit/store.ts';
import { eventually } from '../../kit/testing/outcome.ts';
import { accounts } from '../contract.ts';
import * as schema from '../schema.ts';
import { accountsService } from '../service.ts';
import { askerOf, testAccounts } from '../testing/accounts.ts';
import { newPassword, random } from '../testing/applicant.ts';

const running = await testAccounts();
t.after(() => running[Symbol.asyncDispose]());
const { island, gateway, clock, joined, login, refresh } = running;
const day = 86_400_000;

const sessions = async (asker: ReturnType<typeof askerOf>) =>
  (await gateway.call(accounts, 'sessions', asker)).sessions;

t.test('D5: a person sees their sessions, each with days and nothing finer', async (t) => {
  const ada = await joined('ada');
  const first = await login(ada);
  const mine = askerOf(await login(ada));
  const today = Math.floor(clock.now() / day);
  const all = await sessions(mine);
  t.equal(all.length, 3, 'with that of the registration');
  for (const one of all) {
    t.same(Object.keys(one).sort(), ['begun', 'current', 'device', 'session', 'used']);
    t.match(one, { begun: today, used: today, device: 1, current: one.session === mine.session });
  }
  clock.ahead += 2 * day;
  await refresh(ada.keys, first.refresh);
  const { session } = askerOf(first);
  t.match(
    (await sessions(mine)).find((one) => one.session === session),
    { begun: today, used: today + 2 },
  );
  clock.ahead += (limits.refreshSeconds - 2 * 86_400) * 1000;
  const later = await sessions(askerOf(await login(ada)));
  t.equal(later.length, 2, 'those that are over are not listed');
});

t.test('A5: a person ends one session, or all others, and nobody ends theirs', async (t) => {
  const ada = await joined('bea');
  const bob = await joined('bob');
  const [one, other] = [await login(ada), await login(ada)];
  const mine = askerOf(await login(ada));
  const theirs = askerOf(await login(bob));
  const end = (asker: typeof mine, session?: string) =>
    gateway.call(
      accounts,
      'endSession',
      session === undefined ? asker : { ...asker, end: session },
    );
  await t.rejects(end(theirs, mine.session), { code: 'not_found' });
  t.same(await end(mine, askerOf(one).session), { ended: 1 });
  await t.rejects(end(mine, askerOf(one).session), { code: 'not_found' }, 'only once');
  await t.rejects(refresh(ada.keys, one.refresh), { code: 'session_revoked' });
  const next = await refresh(ada.keys, other.refresh);
  t.same(await end(mine), { ended: 2 });
  await t.rejects(refresh(ada.keys, next.refresh), { code: 'session_revoked' });
  t.same(await end(mine), { ended: 0 });
  t.equal((await sessions(mine)).length, 1);
  t.equal((await sessions(theirs)).length, 2);
});

t.test('A5: an ended session does nothing more, though its token has not expired', async (t) => {
  const ada = await joined('cleo');
  const ended = askerOf(await login(ada));
  const mine = askerOf(await login(ada));
  await gateway.call(accounts, 'endSession', { ...mine, end: ended.session });
  const revoked = { code: 'session_revoked' };
  await t.rejects(gateway.call(accounts, 'account', ended), revoked);
  await t.rejects(gateway.call(accounts, 'sessions', ended), revoked);
  await t.rejects(gateway.call(accounts, 'endSession', ended), revoked);
  await t.rejects(gateway.call(accounts, 'totpBegin', ended), revoked);
  const forged = { ...mine, device: ended.device, session: random(16).toString() };
  await t.rejects(gateway.call(accounts, 'account', forged), revoked);
});

t.test(
  'A5: a gateway that missed events asks what ended, as long as tokens may live',
  async (t) => {
    const ada = await joined('dora');
    const asker = askerOf(await login(ada));
    const { account, session } = asker;
    const endings = async () => (await gateway.call(accounts, 'endings', {})).sessions;
    t.notOk((await endings()).includes(session));
    await gateway.call(accounts, 'logout', { account, session });
    clock.ahead += limits.accessSeconds * 1000;
    t.ok((await endings()).includes(session));
    clock.ahead += 180_000;
    t.notOk((await endings()).includes(session));
  },
);

t.test('A5: whoever ends sessions by the thousand hides no other end', async (t) => {
  const ada = await joined('gus');
  const { account } = askerOf(await login(ada));
  const file = join((await island.kit('accounts')).data, 'accounts.sqlite');
  const migrations = join(import.meta.dirname, '../migrations');
  const now = Math.floor(clock.now() / 1000);
  const most = 35_000;
  {
    await using store = await openStore({ file, schema, migrations, log: island.log });
    await store.write((_db, sql) =>
      sql.run(
        `with recursive n (i) as (select 1 union all select i + 1 from n where i < ?)
         insert into families select printf('%032x', i), ?, 1, 1, 1, ?, ? from n`,
        [most, account, now + 1000, now],
      ),
    );
  }
  const all = new Set<string>();
  let after: string | undefined;
  do {
    const { sessions: some } = await gateway.call(accounts, 'endings', { after });
    for (const session of some) all.add(session);
    after = some.at(-1);
  } while (after !== undefined);
  t.ok(all.size >= most);
});

t.test(
  'A5: a gateway hears that accounts is there again, and may ask what it missed',
  async (t) => {
    await using other = await testAccounts([]);
    let heard = 0;
    using subscription = other.gateway.subscribe(accounts, 'resumed', 'all', () => {
      heard += 1;
    });
    await subscription.ready;
    const first = await other.start(accountsService);
    await eventually(() => heard === 1);
    await first[Symbol.asyncDispose]();
    await other.start(accountsService);
    await eventually(() => heard === 2);
    t.equal(heard, 2);
  },
);

t.test(
  'A4: sessions of a device that left the list end, at the latest when they are refreshed',
  async (t) => {
    const ada = await joined('erin');
    const bus = (await island.kit('accounts')).bus;
    const added = nextList(ada, { add: true });
    const { challenge } = await gateway.call(directory, 'challenge', {});
    await bus.call(directory, 'update', {
      account: ada.keys.account,
      list: added.list.bytes,
      reset: false,
      joining: added.added.joining(challenge),
    });
    const { keys } = added.added;
    const theirs = await login(ada, { keys });
    const mine = await login(ada);
    await refresh(keys, theirs.refresh);
    const again = await login(ada, { keys });
    const removed = nextList(added, { remove: [keys.device], replace: 'rotate' });
    const { account } = ada.keys;
    await bus.call(directory, 'update', { account, list: removed.list.bytes, reset: false });
    await t.rejects(refresh(keys, again.refresh), { code: 'session_revoked' });
    await t.rejects(login(ada, { keys }), { code: 'wrong_credentials' });
    await refresh(ada.keys, mine.refresh);
    await eventually(async () => {
      const all = await sessions(askerOf(mine));
      return all.every(({ device }) => device === 1);
    });
  },
);

t.test('a device has no more than sixteen sessions: the oldest makes room', async (t) => {
  const ada = await joined('flora');
  const first = await login(ada);
  clock.ahead += 1000;
  for (let i = 0; i < 16; i++) await login(ada);
  const mine = await login(ada);
  t.equal((await sessions(askerOf(mine))).length, 16);
  await t.rejects(refresh(ada.keys, first.refresh), { code: 'session_revoked' });
  await t.rejects(login(ada, { password: newPassword() }), { code: 'wrong_credentials' });
});

t.end();
