/**
 * One connection to NATS, from its handshake to its end. It never reconnects: the bus builds a new
 * one, with the credentials of that moment. docs/architecture.md §1
 */
import { Fault } from '@island/protocol/wire/fault.ts';
import { connect, type Msg, type NatsConnection, type Subscription } from '@nats-io/transport-node';
import { Replies } from './bus-replies.ts';
import { clientOptions, type Identity } from './mtls.ts';

export interface Link {
  /** Resolves when the connection has ended, whoever ended it. */
  readonly ended: Promise<void>;
  /** Calls awaiting their answer and handlers at work on this connection. */
  busy: number;
  /** Whether the connection took it. */
  publish(subject: string, payload: Uint8Array): boolean;
  /** @throws Fault `unavailable`: nobody answers there, the time is over, or the connection ended */
  request(subject: string, payload: Uint8Array, milliseconds: number): Promise<Uint8Array>;
  /**
   * `receive` must not throw: it would end the reading of the connection. `refused`: NATS does not permit the subject.
   * @throws when the connection has ended
   */
  subscribe(
    subject: string,
    queue: string,
    receive: (message: Msg) => void,
    refused: () => void,
  ): Subscription;
  /** Resolves after the server has seen all that was sent before. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

export interface LinkOptions {
  port: number;
  identity: Identity;
}

/** @throws whatever kept it from connecting */
export async function openLink({ port, identity }: LinkOptions): Promise<Link> {
  const tls = { handshakeFirst: true, ...clientOptions(identity, 'nats') };
  const inboxPrefix = `_INBOX.${identity.name}`;
  const connection: NatsConnection = await connect({
    servers: `tls://127.0.0.1:${port}`,
    name: identity.name,
    inboxPrefix,
    tls: tls as NonNullable<Parameters<typeof connect>[0]>['tls'] & object,
    reconnect: false,
    timeout: 3000,
    pingInterval: 5000,
    maxPingOut: 2,
    noAsyncTraces: true,
    resolve: false,
  });
  return new NatsLink(connection, inboxPrefix);
}

class NatsLink implements Link {
  readonly ended: Promise<void>;
  busy = 0;
  readonly #connection: NatsConnection;
  readonly #lost: Promise<never>;
  readonly #replies: Replies;

  constructor(connection: NatsConnection, inboxPrefix: string) {
    this.#connection = connection;
    this.#replies = new Replies(connection, inboxPrefix);
    this.ended = connection.closed().then(() => undefined);
    this.#lost = this.ended.then(() => {
      throw new Fault('unavailable');
    });
    this.#lost.catch(() => undefined);
  }

  publish(subject: string, payload: Uint8Array): boolean {
    try {
      this.#connection.publish(subject, payload);
      return true;
    } catch {
      // It closed a moment ago; whoever waits for `ended` is about to know.
      return false;
    }
  }

  async request(subject: string, payload: Uint8Array, milliseconds: number): Promise<Uint8Array> {
    this.busy++;
    try {
      return await this.#replies.ask(subject, payload, milliseconds);
    } finally {
      this.busy--;
    }
  }

  subscribe(
    subject: string,
    queue: string,
    receive: (message: Msg) => void,
    refused: () => void,
  ): Subscription {
    return this.#connection.subscribe(subject, {
      queue,
      callback: (error, message) => (error === null ? receive(message) : refused()),
    });
  }

  flush(): Promise<void> {
    return Promise.race([this.#connection.flush(), this.#lost]);
  }

  async close(): Promise<void> {
    await this.#connection.close().catch(() => undefined);
  }
}
