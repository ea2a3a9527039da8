/** Whom a session may ask about, and how often, on real SQLite, NATS and Redis. docs/protocol/http.md §4 */
import { limits } from '@island/protocol/wire/limits.ts';
import t from 'tap';
import { faultCode } from '../kit/testing/outcome.ts';
import { directory } from './contract.ts';
import { testDirectory } from './testing/directory.ts';

t.test(
  'a session asks about its own name as often as it likes, and about others seldom',
  async (t) => {
    await using running = await testDirectory();
    const { gateway, enrolled } = running;
    const [ada, bob] = [await enrolled('ada'), await enrolled('bob')];
    const asker = ada.keys.account;
    const others = [
      () => gateway.call(directory, 'lookup', { name: 'bob', asker }),
      () => gateway.call(directory, 'history', { name: 'bob', after: 0, asker }),
      () => gateway.call(directory, 'lists', { name: 'bob', after: 0, asker }),
      () => gateway.call(directory, 'lookup', { name: 'nobody', asker }),
    ];
    for (let i = 0; i < limits.otherLookupsPerHour; i++) await others[i % others.length]?.();
    for (const other of others) t.equal(await faultCode(other()), 'rate_limited');
    for (let i = 0; i < 3; i++) {
      await gateway.call(directory, 'lookup', { name: 'ada', asker });
      await gateway.call(directory, 'history', { name: 'ada', after: 0, asker });
      await gateway.call(directory, 'lists', { name: 'ada', after: 0, asker });
    }
    await gateway.call(directory, 'lookup', { name: 'ada', asker: bob.keys.account });
    await gateway.call(directory, 'lookup', { name: 'bob' });
    await running.restart();
    t.equal(await faultCode(others[0]?.() ?? Promise.resolve()), 'rate_limited', 'also afterwards');
  },
);
