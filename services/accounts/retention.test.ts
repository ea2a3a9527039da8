/** What accounts forgets (D5), on real SQLite, NATS and Redis. docs/protocol/accounts.md §8 */
import { join } from 'node:path';
import { limits } from '@island/protocol/wire/limits.ts';
import t from 'tap';
import { unixSeconds } from '../kit/clock.ts';
import { openStore } from '../kit/store.ts';
import { accounts } from './contract.ts';
import { forget } from './retention.ts';
import * as schema from './schema.ts';
import { askerOf, testAccounts } from './testing/accounts.ts';
import { random, shownCode } from './testing/applicant.ts';

t.test('each thing is there until its time, and gone after it', async (t) => {
  await using running = await testAccounts();
  const { island, gateway, clock, joined, login, beginJoining } = running;
  const kit = await island.kit('accounts');
  const file = join(kit.data, 'accounts.sqlite');
  const migrations = join(import.meta.dirname, 'migrations');
  await using store = await openStore({ file, schema, migrations, log: island.log });
  const count = async (table: string) => (await store.rows(`select 1 from ${table}`)).length;
  const later = async (seconds: number) => {
    clock.ahead += seconds * 1000;
    await forget(store, kit.bus, unixSeconds(clock));
  };

  const ada = await joined('ada');
  const ended = askerOf(await login(ada));
  const { account, session } = ended;
  await gateway.call(accounts, 'logout', { account, session });
  const [code] = ada.codes;
  if (code === undefined) throw new Error('a code');
  await beginJoining(ada, { second: shownCode(code), origin: random(16) });
  t.same(
    [await count('spent_nonces'), await count('joinings'), await count('families')],
    [3, 1, 2],
  );
  await later(limits.nonceSeconds - 1);
  t.equal(await count('spent_nonces'), 3);
  await later(2);
  t.equal(await count('spent_nonces'), 0);
  await later(limits.joiningSeconds - limits.nonceSeconds - 2);
  t.equal(await count('joinings'), 1);
  await later(2);
  t.equal(await count('joinings'), 0, 'with the share that nobody came for');
  await later(86_400);
  t.equal(await count('families'), 1, 'a session that was ended is remembered for a day');
  await later(limits.refreshSeconds);
  t.equal(await count('families'), 0);
  t.equal(await count('refresh_tokens'), 0);
  t.equal(await count('people'), 1);
});
