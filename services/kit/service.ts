/** What a service is, and how one is started: identity, then bus, then cache, then the service itself. docs/architecture.md §2 */
import { mkdir } from 'node:fs/promises';
import type { Bus } from './bus.ts';
import { connectBus } from './bus.ts';
import type { Cache } from './cache.ts';
import { connectCache } from './cache.ts';
import { type Clock, systemClock } from './clock.ts';
import { ConfigError, type ProcessConfig, type Settings } from './config.ts';
import type { Contract } from './contract.ts';
import { type Log, openLog } from './log.ts';
import { type Identity, obtainIdentity } from './mtls.ts';
import type { ServiceName } from './names.ts';
import type { ProcessKeys, ServiceKeys } from './service-keys.ts';

/** All that a service receives. */
export interface Kit {
  name: ServiceName;
  /** The service's own folder: exists, 0700, nobody else's. */
  data: string;
  settings: Settings;
  identity: Identity;
  bus: Bus;
  /** Present if, and only if, the contract says `cache: true`. */
  cache: Cache | undefined;
  /** What the service's vault is opened with; absent in a process that nobody gave any. */
  keys: ServiceKeys | undefined;
  log: Log;
  clock: Clock;
}

/** A process's configuration with the keys that it was handed. */
export type RunConfig = ProcessConfig & { keys?: ProcessKeys };

export interface RunningService extends AsyncDisposable {
  /** Resolves when the service answers; a service without it answers as soon as it has started. */
  ready?: Promise<void>;
}

export interface ServiceDefinition {
  contract: Contract;
  start(kit: Kit): Promise<RunningService>;
}

export const defineService = (definition: ServiceDefinition): ServiceDefinition => definition;

/** The kit of one service; disposing of it closes cache, bus and identity, in that order. */
export interface OwnedKit extends AsyncDisposable {
  kit: Kit;
}

export async function buildKit(
  contract: Contract,
  config: RunConfig,
  given: { log?: Log; clock?: Clock } = {},
): Promise<OwnedKit> {
  const name = contract.service;
  const entry = config.services.find((service) => service.name === name);
  if (entry === undefined)
    throw new ConfigError(
      `The process "${config.process}" has no entry for the service "${name}".`,
    );
  const log = (given.log ?? openLog({ process: config.process })).with({ service: name });
  const clock = given.clock ?? systemClock;
  await using held = new AsyncDisposableStack();
  await mkdir(entry.data, { recursive: true, mode: 0o700 });
  const identity = held.use(await obtainIdentity({ name, socket: entry.pkidSocket, clock, log }));
  const bus = held.use(await connectBus({ port: config.natsPort, identity, log }));
  let cache: Cache | undefined;
  if (contract.cache) {
    const password = entry.redisPassword;
    if (password === undefined)
      throw new ConfigError(`The service "${name}" has no redisPassword in its configuration.`);
    cache = held.use(
      await connectCache({ port: config.redisPort, identity, user: name, password, log }),
    );
  }
  const { gatewayPort, mediaPort, controlSocket } = config;
  const settings: Settings = {
    ...config.island,
    ...(gatewayPort === undefined ? {} : { gatewayPort }),
    ...(mediaPort === undefined ? {} : { mediaPort }),
    ...(controlSocket === undefined ? {} : { controlSocket }),
  };
  const stack = held.move();
  return {
    kit: {
      ...{ name, data: entry.data, settings, identity, bus, cache, log, clock },
      keys: config.keys?.[name],
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** Starts a service as the configuration says; resolves once it answers. `watch` sees the kit before the service does. Disposing of it stops it in the reverse order. */
export async function runService(
  definition: ServiceDefinition,
  config: RunConfig,
  given: { log?: Log; clock?: Clock; watch?: (kit: Kit) => void } = {},
): Promise<AsyncDisposable> {
  await using held = new AsyncDisposableStack();
  const { kit } = held.use(await buildKit(definition.contract, config, given));
  given.watch?.(kit);
  const running = held.use(await definition.start(kit));
  await running.ready;
  // Whoever asks from now on finds somebody.
  await kit.bus.settled();
  kit.log.info('service_ready');
  const stack = held.move();
  return {
    async [Symbol.asyncDispose]() {
      await stack.disposeAsync();
      kit.log.info('service_stopped');
    },
  };
}
