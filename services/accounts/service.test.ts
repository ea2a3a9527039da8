/** Accounts answers its whole contract. */
import t from 'tap';
import type { Bus } from '../kit/bus.ts';
import { testIsland } from '../kit/testing/kit.ts';
import { accounts } from './contract.ts';
import { accountsService } from './service.ts';

t.test('every call of the contract has its handler, once', async (t) => {
  await using island = await testIsland(['accounts']);
  const kit = await island.kit('accounts');
  const handled: string[] = [];
  const bus = new Proxy(kit.bus, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        if (name === 'handle') handled.push(String(args[1]));
        return Reflect.apply(value, target, args);
      };
    },
  }) as Bus;
  await using running = await accountsService.start({ ...kit, bus });
  await running.ready;
  t.same(handled.sort(), Object.keys(accounts.calls).sort());
});
