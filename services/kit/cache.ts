/**
 * The only door to Redis: counters and short-lived values, each under `<service>:` and with an end.
 * Nothing whose loss matters; when Redis is away a caller learns so within a second. docs/architecture.md §1
 */
import { Fault } from '@island/protocol/wire/fault.ts';
import { createClient, RESP_TYPES } from 'redis';
import { backoff, pause } from './backoff.ts';
import { failure, type Log } from './log.ts';
import { clientOptions, type Identity } from './mtls.ts';

export interface Cache extends AsyncDisposable {
  /**
   * Adds one to `key` and tells the count in the present window, which begins with its first count and is
   * `windowSeconds` long.
   * @throws Fault `unavailable` within a second when Redis does not answer
   */
  count(key: string, windowSeconds: number): Promise<number>;
  get(key: string): Promise<Uint8Array | undefined>;
  set(key: string, value: Uint8Array, ttlSeconds: number): Promise<void>;
  remove(key: string): Promise<void>;
}

export interface CacheOptions {
  port: number;
  identity: Identity;
  /** Redis user, and what every key begins with. */
  user: string;
  password: string;
  log: Log;
}

const patience = 1000;

/** Resolves once connected, or after a second without: the connection is tried for ever in the background. */
export async function connectCache(options: CacheOptions): Promise<Cache> {
  const cache = new RedisCache(options);
  await cache.started();
  return cache;
}

function open({ port, identity, user, password, log }: CacheOptions) {
  const client = createClient({
    // RESP 2 needs no HELLO, and no client info is sent: fewer commands to allow.
    RESP: 2,
    username: user,
    password,
    disableClientInfo: true,
    maintNotifications: 'disabled',
    disableOfflineQueue: true,
    commandsQueueMaxLength: 10_000,
    pingInterval: 2000,
    socket: {
      host: '127.0.0.1',
      port,
      connectTimeout: patience,
      // Pings keep a healthy connection below this; one that hangs is replaced.
      socketTimeout: 5000,
      reconnectStrategy: (retries) => backoff({ first: 50, most: 2000 }, retries + 1),
      ...clientOptions(identity, 'redis'),
      tls: true,
    },
  }).withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
  let well = true;
  client.on('error', (error) => {
    if (well) log.warn('cache_lost', failure(error));
    well = false;
  });
  client.on('ready', () => {
    if (!well) log.info('cache_back');
    well = true;
  });
  return client;
}

type Client = ReturnType<typeof open>;

class RedisCache implements Cache {
  readonly #options: CacheOptions;
  readonly #prefix: string;
  readonly #forget: () => void;
  #client: Client;
  #first: Promise<unknown>;
  #successor: Client | undefined;
  #closed = false;

  constructor(options: CacheOptions) {
    this.#options = options;
    this.#prefix = `${options.user}:`;
    this.#client = open(options);
    this.#first = this.#client.connect().catch(() => undefined);
    this.#forget = options.identity.onRenewed(() => void this.#renew());
  }

  async started(): Promise<void> {
    const over = new AbortController();
    await Promise.race([this.#first, pause(patience, over.signal)]);
    over.abort();
  }

  async count(key: string, windowSeconds: number): Promise<number> {
    const name = this.#prefix + key;
    const seconds = wholeSeconds(windowSeconds);
    const [, counted] = await this.#ask((client) =>
      client
        .multi()
        .set(name, '0', { condition: 'NX', expiration: { type: 'EX', value: seconds } })
        .incr(name)
        .exec(),
    );
    return Number(counted);
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    const found = await this.#ask((client) => client.get(this.#prefix + key));
    return found === null ? undefined : new Uint8Array(found);
  }

  async set(key: string, value: Uint8Array, ttlSeconds: number): Promise<void> {
    const expiration = { type: 'EX', value: wholeSeconds(ttlSeconds) } as const;
    await this.#ask((client) => client.set(this.#prefix + key, Buffer.from(value), { expiration }));
  }

  async remove(key: string): Promise<void> {
    await this.#ask((client) => client.del(this.#prefix + key));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#forget();
    if (this.#successor !== undefined) abandon(this.#successor);
    await retire(this.#client);
  }

  async #ask<T>(command: (client: Client) => Promise<T>): Promise<T> {
    // While it reconnects a command would wait for the attempt: the caller has better things to do.
    if (!this.#client.isReady) throw new Fault('unavailable');
    const over = new AbortController();
    const late = pause(patience, over.signal).then(() => {
      throw new Fault('unavailable');
    });
    late.catch(() => undefined);
    try {
      const asked = command(this.#client);
      asked.catch(() => undefined);
      return await Promise.race([asked, late]);
    } catch (cause) {
      throw cause instanceof Fault ? cause : new Fault('unavailable', undefined, { cause });
    } finally {
      over.abort();
    }
  }

  /** The client library copies TLS options when it is made: a new certificate needs a new client. */
  async #renew(): Promise<void> {
    if (this.#successor !== undefined) abandon(this.#successor);
    const client = open(this.#options);
    this.#successor = client;
    await client.connect().catch(() => undefined);
    if (this.#successor !== client) return;
    this.#successor = undefined;
    if (this.#closed || !client.isReady) return abandon(client);
    const old = this.#client;
    this.#client = client;
    await retire(old);
    this.#options.log.info('cache_renewed');
  }
}

function wholeSeconds(seconds: number): number {
  if (!Number.isSafeInteger(seconds) || seconds < 1)
    throw new TypeError('a lifetime is a whole number of seconds');
  return seconds;
}

/** Lets what was asked be answered, then closes; does not wait for a Redis that is away. */
async function retire(client: Client): Promise<void> {
  if (client.isReady) await Promise.race([client.close().catch(() => undefined), pause(patience)]);
  abandon(client);
}

/**
 * The client library, ended while it connects, takes the new connection into use all the same and
 * pings for ever: it is ended again as soon as that connection is there.
 */
function abandon(client: Client): void {
  client.on('connect', () => client.destroy());
  client.on('ready', () => client.destroy());
  if (client.isOpen) client.destroy();
}
