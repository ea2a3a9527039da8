/** From a configuration to a service that answers, and back. */
import { stat } from 'node:fs/promises';
import t from 'tap';
import { type Kit, runService } from './service.ts';
import { answering, asking } from './testing/bus-island.ts';
import { testIsland } from './testing/kit.ts';
import { faultCode } from './testing/outcome.ts';

const cached = { ...answering, cache: true };
const island = await testIsland([], { contracts: [cached, asking] });
t.teardown(() => island[Symbol.asyncDispose]());
const given = { log: island.log };
const { bus: gateway } = await island.kit('gateway');

t.test(
  'a service gets its kit, answers once it has started, and stops in the reverse order',
  async (t) => {
    const order: string[] = [];
    let kit: Kit | undefined;
    const config = island.config('core', ['directory']);
    const running = await runService(
      {
        contract: cached,
        async start(received) {
          kit = received;
          received.bus.handle(cached, 'echo', async (request) => request);
          return {
            ready: Promise.resolve().then(() => void order.push('ready')),
            async [Symbol.asyncDispose]() {
              t.equal(
                await received.cache?.count('still', 10),
                1,
                'the cache outlives the service',
              );
              order.push('stopped');
            },
          };
        },
      },
      { ...config, gatewayPort: 1234 },
      given,
    );
    t.same(
      await gateway.call(cached, 'echo', { value: 1 }),
      { value: 1 },
      'the first call after the start',
    );
    t.match(kit, {
      name: 'directory',
      settings: { name: 'Test Island', gatewayPort: 1234 },
    });
    t.equal(kit?.settings.controlSocket, undefined);
    t.equal((await stat(kit?.data ?? '')).mode & 0o777, 0o700);
    await running[Symbol.asyncDispose]();
    t.strictSame(order, ['ready', 'stopped']);
    t.equal(await faultCode(gateway.call(cached, 'echo', { value: 1 })), 'unavailable');
  },
);

t.test('a service without a cache gets none', async (t) => {
  let cache: unknown = 'not asked';
  const start = async (received: Kit) => {
    cache = received.cache;
    return { [Symbol.asyncDispose]: async () => undefined };
  };
  await using _running = await runService(
    { contract: asking, start },
    island.config('front', ['gateway']),
    given,
  );
  t.equal(cache, undefined);
});

t.test('a service that fails to start lets go of all it had', async (t) => {
  const start = async (): Promise<never> => {
    throw new Error('no');
  };
  await t.rejects(
    runService({ contract: cached, start }, island.config('core', ['directory']), given),
    /^no$/,
  );
  t.equal(await faultCode(gateway.call(cached, 'echo', { value: 1 })), 'unavailable');
});

t.test(
  'a configuration without the service, or without its password, is refused in a sentence',
  async (t) => {
    const definition = {
      contract: cached,
      start: async (): Promise<never> => Promise.reject(new Error('not reached')),
    };
    await t.rejects(runService(definition, island.config('core', ['gateway']), given), {
      name: 'ConfigError',
      message: /no entry for the service "directory"/,
    });
    const config = island.config('core', ['directory']);
    const services = config.services.map(({ redisPassword, ...rest }) => rest);
    await t.rejects(runService(definition, { ...config, services }, given), {
      name: 'ConfigError',
      message: /redisPassword/,
    });
  },
);
