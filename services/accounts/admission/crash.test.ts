/** Registration when something ends in between, on real SQLite, NATS and Redis. docs/protocol/accounts.md §1 */
import { join } from 'node:path';
import { createDevice } from '@island/protocol/crypto/device.ts';
import t from 'tap';
import { directory } from '../../directory/contract.ts';
import { directoryService } from '../../directory/service.ts';
import { connectBus } from '../../kit/bus.ts';
import { unixSeconds } from '../../kit/clock.ts';
import { openStore } from '../../kit/store.ts';
import type { SqlValue } from '../../kit/store-handle.ts';
import { accounts } from '../contract.ts';
import { forget } from '../retention.ts';
import * as schema from '../schema.ts';
import { accountsService } from '../service.ts';
import { testAccounts } from '../testing/accounts.ts';
import {
  type Applicant,
  applicant,
  newPassword,
  random,
  registration,
} from '../testing/applicant.ts';

/** A key that no directory made: for when there is none to ask. */
const anyChallenge = () => createDevice(applicant('x').keys).dik.public;
type Running = Awaited<ReturnType<typeof testAccounts>>;
const applies = async ({ nonce }: Running, person: Applicant, invite: string) => ({
  ...registration(person, { nonce: await nonce(), challenge: anyChallenge(), invite }),
  origin: random(16),
});

t.test('a crash between the two databases: the repetition completes what was begun', async (t) => {
  await using running = await testAccounts([accountsService]);
  const { gateway, invite, application, start, login } = running;
  const ada = applicant('ada');
  const code = await invite();
  const first = await applies(running, ada, code);
  await t.rejects(gateway.call(accounts, 'register', first), { code: 'unavailable' });
  const rival = await applies(running, applicant('ada'), await invite());
  await t.rejects(gateway.call(accounts, 'register', rival), { code: 'name_taken' }, 'reserved');
  const thief = await applies(running, applicant('eve'), code);
  await t.rejects(gateway.call(accounts, 'register', thief), { code: 'invite_used' }, 'reserved');
  await start(directoryService);
  await t.rejects(login(ada), { code: 'wrong_credentials' }, 'not there yet');
  // Nothing depends on the password yet: typed anew, it may be another one.
  ada.password = { ...newPassword(), salt: ada.password.salt };
  await gateway.call(accounts, 'register', await application(ada, code));
  t.equal((await login(ada)).account, ada.keys.account);
});

t.test(
  'accounts ends after the directory has enrolled: the repetition gets its tokens',
  async (t) => {
    await using running = await testAccounts([directoryService]);
    const { island, gateway, start, application, invite, login } = running;
    const before = await start(accountsService);
    const ada = applicant('ada');
    const request = await application(ada, await invite());
    // The directory commits, and its answer finds nobody: accounts ends while it waits.
    const lost = gateway.call(accounts, 'register', request).catch(() => undefined);
    const observer = await island.kit('gateway');
    await using bus = await connectBus({ port: island.nats.port, ...observer });
    for (let found = false; !found; ) {
      found = await bus.call(directory, 'lists', { name: 'ada', after: 0 }).then(
        () => true,
        () => false,
      );
    }
    await before[Symbol.asyncDispose]();
    await lost;
    await start(accountsService);
    await gateway.call(accounts, 'register', {
      ...(await application(ada, 'fresh nonce')),
      invite: request.invite,
    });
    t.equal((await login(ada)).account, ada.keys.account);
  },
);

t.test(
  'leftovers are settled: activated when the directory has them, dropped when not',
  async (t) => {
    await using running = await testAccounts([directoryService]);
    const { island, gateway, clock, start, application, invite, login } = running;
    const service = await start(accountsService);
    const enrolled = applicant('enrolled');
    const dropped = applicant('dropped');
    const code = await invite();
    await gateway.call(accounts, 'register', await application(enrolled, await invite()));
    await gateway.call(accounts, 'register', await application(dropped, code));
    await service[Symbol.asyncDispose]();

    // As a crash leaves it: both pending, one of them unknown to the directory.
    const kit = await island.kit('accounts');
    const file = join(kit.data, 'accounts.sqlite');
    const migrations = join(import.meta.dirname, '../migrations');
    await using store = await openStore({ file, schema, migrations, log: island.log });
    const unknown = applicant('unknown').keys.account;
    await store.write(async (_db, sql) => {
      await sql.run("update people set state = 'pending'");
      for (const table of ['families', 'records', 'code_slots']) {
        await sql.run(`delete from ${table} where account = ?`, [dropped.keys.account]);
      }
      await sql.run("update people set account = ? where name = 'dropped'", [unknown]);
    });
    await forget(store, kit.bus, unixSeconds(clock));
    const states = () => store.rows('select name, state from people order by name');
    t.equal((await states()).length, 2, 'not before ten minutes have passed');
    clock.ahead += 601_000;
    await forget(store, kit.bus, unixSeconds(clock));
    t.same(await states(), [{ name: 'enrolled', state: 'active' }]);
    t.same(await store.rows('select used from invites order by used'), [{ used: 0 }, { used: 1 }]);

    await start(accountsService);
    t.equal((await login(enrolled)).account, enrolled.keys.account);
    t.ok((await running.control.call(accounts, 'standing', { invite: code })).inviteGood);
  },
);

t.test('after a day nobody can tell by which invite somebody came, or at what hour', async (t) => {
  await using running = await testAccounts();
  const { island, clock, joined } = running;
  await joined('ada');
  const kit = await island.kit('accounts');
  const file = join(kit.data, 'accounts.sqlite');
  const migrations = join(import.meta.dirname, '../migrations');
  await using store = await openStore({ file, schema, migrations, log: island.log });
  clock.ahead += 86_401_000;
  await forget(store, kit.bus, unixSeconds(clock));
  const [ada] = await store.rows<{ invite: null; registration: null; since: number }>(
    'select invite, registration, since from people',
  );
  t.equal(ada?.invite, null);
  t.equal(ada?.registration, null);
  t.equal((ada?.since ?? 1) % 86_400, 0);
});

t.test('A1: without its root secret accounts does not start, and says what to do', async (t) => {
  await using running = await testAccounts([directoryService]);
  const first = await running.start(accountsService);
  const ada = await running.joined('ada');
  await first[Symbol.asyncDispose]();
  const { data } = await running.island.kit('accounts');
  const write = async (sql: string, values: readonly SqlValue[] = []) => {
    await using store = await openStore({
      file: join(data, 'accounts.sqlite'),
      schema,
      migrations: join(import.meta.dirname, '../migrations'),
      log: running.island.log,
    });
    const [kept] = await store.rows<{ sealed: Buffer }>(
      "select sealed from vault_secrets where name = 'root'",
    );
    await store.write((_db, statements) => statements.run(sql, values));
    return kept?.sealed ?? Buffer.alloc(0);
  };
  const kept = await write("delete from vault_secrets where name = 'root'");
  await t.rejects(
    running.start(accountsService),
    /lost its secret "root".*restore the data folder from a backup/,
  );
  await write("insert into vault_secrets (name, sealed) values ('root', ?)", [kept]);
  await running.start(accountsService);
  t.equal((await running.login(ada)).account, ada.keys.account);
});
