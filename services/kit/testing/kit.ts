/** Kits for services under test: real NATS, Redis and certificates, in a temporary folder. */
import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { contracts } from '@island/provisioning/nats-conf.ts';
import { connectBus } from '../bus.ts';
import { connectCache } from '../cache.ts';
import { type Clock, systemClock } from '../clock.ts';
import type { ProcessConfig, Settings } from '../config.ts';
import type { Contract } from '../contract.ts';
import type { Log } from '../log.ts';
import type { ServiceName } from '../names.ts';
import type { Kit, RunConfig, ServiceDefinition } from '../service.ts';
import type { KeyWire } from '../service-keys.ts';
import { type TestEngine, type TestRedis, testNats, testRedis } from './engines.ts';
import { type TestPki, testLog, testPki } from './pki.ts';
import { testKeys, testKeyWire } from './vault.ts';

export interface TestIsland extends AsyncDisposable {
  pki: TestPki;
  nats: TestEngine;
  redis: TestRedis;
  settings: Settings;
  log: Log & { lines: string[] };
  /** The kit of a service that was asked for, or of any other: it is then made on the spot. */
  kit(name: ServiceName): Promise<Kit>;
  /** Starts a service on its kit; it answers when this resolves and ends with the island. */
  start(definition: ServiceDefinition): Promise<Kit>;
  /** Ends a service between two answers, and starts it anew on what it left behind. */
  restart(definition: ServiceDefinition): Promise<Kit>;
  /** The service's keys as a process of its own is handed them. */
  keyWire(name: ServiceName): KeyWire;
  /** What `runService` takes, for the services given. */
  config(process: ProcessConfig['process'], names: readonly ServiceName[]): RunConfig;
}

export interface TestIslandOptions {
  /** Seconds that certificates last. */
  leafSeconds?: number;
  clock?: Clock;
  /** Contracts other than the island's own. */
  contracts?: readonly Contract[];
  settings?: Partial<Settings>;
}

/**
 * `await using island = await testIsland(['accounts', 'directory'])`, then
 * `await island.start(accountsService)`.
 */
export async function testIsland(
  names: readonly ServiceName[] = [],
  options: TestIslandOptions = {},
): Promise<TestIsland> {
  const { clock = systemClock, leafSeconds } = options;
  const all = options.contracts ?? contracts;
  await using held = new AsyncDisposableStack();
  const pki = held.use(await testPki(leafSeconds === undefined ? {} : { leafSeconds }));
  const cached = all.filter((contract) => contract.cache).map((contract) => contract.service);
  const [nats, redis] = await Promise.all([testNats(pki, all), testRedis(pki, cached)]);
  held.use(nats);
  held.use(redis);
  const log = testLog();
  const settings: Settings = {
    name: 'Test Island',
    address: 'https://localhost:8443',
    caFingerprint: pki.caFingerprint,
    ...options.settings,
  };
  const { gatewayPort, mediaPort, controlSocket, ...named } = settings;
  const dataOf = (name: ServiceName): string => join(pki.dir, 'services', name);
  let owner = held;
  const master = randomBytes(32);
  const keysOf = (name: ServiceName) => testKeys(name, [master]);
  const kits = new Map<ServiceName, Promise<Kit>>();
  /** What a service holds; it ends before its bus and its cache do. */
  const holding = new Map<ServiceName, AsyncDisposableStack>();

  async function make(name: ServiceName): Promise<Kit> {
    const own = owner.use(new AsyncDisposableStack());
    holding.set(name, own);
    const contract = all.find((one) => one.service === name);
    if (contract === undefined) throw new Error(`no contract of ${name}`);
    await mkdir(dataOf(name), { recursive: true, mode: 0o700 });
    const identity = own.use(await pki.identity(name));
    const bus = own.use(await connectBus({ port: nats.port, identity, log }));
    const password = redis.passwords[name] ?? '';
    const cache = contract.cache
      ? own.use(await connectCache({ port: redis.port, identity, user: name, password, log }))
      : undefined;
    return {
      name,
      data: dataOf(name),
      settings,
      identity,
      bus,
      cache,
      keys: keysOf(name),
      log,
      clock,
    };
  }

  function kit(name: ServiceName): Promise<Kit> {
    const made = kits.get(name) ?? make(name);
    kits.set(name, made);
    return made;
  }

  async function start({ contract, start: begin }: ServiceDefinition): Promise<Kit> {
    const given = await kit(contract.service);
    const running = await begin(given);
    holding.get(contract.service)?.use(running);
    await running.ready;
    await given.bus.settled();
    return given;
  }

  for (const name of names) await kit(name);
  owner = held.move();
  return {
    pki,
    nats,
    redis,
    settings,
    log,
    kit,
    keyWire: (name) => testKeyWire(name, [master]),
    start,
    async restart(definition) {
      const name = definition.contract.service;
      const { bus } = await kit(name);
      // First of all nobody can ask it any more: what it has begun ends without an answer.
      await bus[Symbol.asyncDispose]();
      await holding.get(name)?.disposeAsync();
      kits.delete(name);
      return start(definition);
    },
    config: (process, services) => ({
      process,
      island: named,
      ...(gatewayPort === undefined ? {} : { gatewayPort }),
      ...(mediaPort === undefined ? {} : { mediaPort }),
      ...(controlSocket === undefined ? {} : { controlSocket }),
      keys: Object.fromEntries(services.map((name) => [name, keysOf(name)])),
      natsPort: nats.port,
      redisPort: redis.port,
      services: services.map((name) => {
        const redisPassword = redis.passwords[name];
        return {
          name,
          data: dataOf(name),
          pkidSocket: join(pki.sockets, `${name}.sock`),
          ...(redisPassword === undefined ? {} : { redisPassword }),
        };
      }),
    }),
    [Symbol.asyncDispose]: () => owner.disposeAsync(),
  };
}
