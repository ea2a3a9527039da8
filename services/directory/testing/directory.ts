/** A directory at work with its callers, for tests. Its clock stands still until put ahead. */
import { dayOf } from '@island/protocol/crypto/device.ts';
import type { Bus } from '../../kit/bus.ts';
import { type TestIsland, testIsland } from '../../kit/testing/kit.ts';
import { directory } from '../contract.ts';
import { directoryService } from '../service.ts';
import { type Newcomer, newcomer } from './newcomer.ts';

export interface TestDirectory extends AsyncDisposable {
  island: TestIsland;
  gateway: Bus;
  accounts: Bus;
  clock: { ahead: number; now(): number };
  /** Days since 1970-01-01 by the directory's clock. */
  today(): number;
  challenge(): Promise<Uint8Array>;
  enrolled(name: string, oneTime?: number): Promise<Newcomer>;
  /** Stops the service and starts it on what it has stored. */
  restart(): Promise<void>;
}

export async function testDirectory(): Promise<TestDirectory> {
  const begun = Date.now();
  const clock = { ahead: 0, now: () => begun + clock.ahead };
  await using held = new AsyncDisposableStack();
  const island = held.use(await testIsland([], { clock }));
  await island.start(directoryService);
  const gateway = (await island.kit('gateway')).bus;
  const accounts = (await island.kit('accounts')).bus;
  const challenge = async () => (await gateway.call(directory, 'challenge', {})).challenge;
  const stack = held.move();
  return {
    island,
    gateway,
    accounts,
    clock,
    today: () => dayOf(clock.now()),
    challenge,
    async restart() {
      await island.restart(directoryService);
    },
    async enrolled(name, oneTime = 3) {
      const person = newcomer(name, { oneTime, now: clock.now() });
      await accounts.call(directory, 'enrol', person.enrol(await challenge()));
      return person;
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
