/**
 * The only door to NATS: calls and events of the services' contracts, checked on both sides.
 * Truth is in the services' stores: the bus may lose an event, and says so (`onReconnect`).
 * docs/architecture.md §1
 */
import { Fault } from '@island/protocol/wire/fault.ts';
import { decode } from '@island/protocol/wire/schema.ts';
import type { Msg } from '@nats-io/transport-node';
import { BusConnection, type Interest } from './bus-connection.ts';
import type { Link } from './bus-link.ts';
import { answerBytes, faultBytes, fromBytes, readAnswer, toBytes } from './bus-wire.ts';
import {
  type CallAnswer,
  type CallName,
  type CallRequest,
  type Contract,
  callSubject,
  type EventName,
  type EventPayload,
  eventSubject,
} from './contract.ts';
import { failure, type Log } from './log.ts';
import type { Identity } from './mtls.ts';

export interface Subscription extends Disposable {
  /** Resolves once the server knows of it: events published later arrive. */
  readonly ready: Promise<void>;
}

export interface Bus extends AsyncDisposable {
  /**
   * Asks whichever process handles the call.
   * @throws Fault the handler's; `malformed` or `too_large` before anything is sent; `unavailable` when nobody
   *   handles the call or no answer came within five seconds (it may have been carried out); `internal` for an answer
   *   that is not what the contract says
   */
  call<C extends Contract, N extends CallName<C>>(
    contract: C,
    name: N,
    request: CallRequest<C, N>,
  ): Promise<CallAnswer<C, N>>;
  /** Answers a call of our own contract. Processes of the same service share the work. */
  handle<C extends Contract, N extends CallName<C>>(
    contract: C,
    name: N,
    handler: (request: CallRequest<C, N>) => Promise<CallAnswer<C, N>>,
  ): void;
  /** Tells listeners; at most once, in order from one connection. Kept back, up to a limit, while NATS is away. */
  publish<C extends Contract, N extends EventName<C>>(
    contract: C,
    name: N,
    key: string,
    payload: EventPayload<C, N>,
  ): void;
  /** Every event under `key`, or under any key with `*`. A listener's error is logged and ends nothing. */
  subscribe<C extends Contract, N extends EventName<C>>(
    contract: C,
    name: N,
    key: string,
    listener: (payload: EventPayload<C, N>, key: string) => void,
  ): Subscription;
  /** Resolves once the server knows every handler and listener set up so far. */
  settled(): Promise<void>;
  /** After a lost connection is replaced: events may have been missed in between. */
  onReconnect(listener: () => void): () => void;
}

export interface BusOptions {
  port: number;
  identity: Identity;
  log: Log;
  /** Milliseconds a caller waits. */
  timeout?: number;
  /** Handlers at work at once; as many again times four may wait. */
  concurrency?: number;
}

/** Connects; keeps trying until it succeeds. */
export async function connectBus(options: BusOptions): Promise<Bus> {
  const bus = new NatsBus(options);
  await bus.connected();
  return bus;
}

const keyForm = /^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*$/;

class NatsBus implements Bus {
  readonly #connection: BusConnection;
  readonly #log: Log;
  readonly #timeout: number;
  readonly #concurrency: number;
  readonly #id = crypto.randomUUID();
  #listened = 0;
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(options: BusOptions) {
    this.#log = options.log;
    this.#timeout = options.timeout ?? 5000;
    this.#concurrency = options.concurrency ?? 512;
    this.#connection = new BusConnection(options, this.#timeout);
  }

  connected(): Promise<void> {
    return this.#connection.connected();
  }

  async call<C extends Contract, N extends CallName<C>>(
    contract: C,
    name: N,
    request: CallRequest<C, N>,
  ): Promise<CallAnswer<C, N>> {
    const shape = contract.calls[name];
    if (shape === undefined) throw new TypeError(`${contract.service} has no call ${name}`);
    decode(shape.request, request);
    const answer = await this.#connection.request(callSubject(contract, name), toBytes(request));
    const value = readAnswer(answer);
    try {
      return decode(shape.answer, value) as CallAnswer<C, N>;
    } catch (cause) {
      this.#log.error('bus_answer_refused', cause, { peer: contract.service, call: name });
      throw new Fault('internal', undefined, { cause });
    }
  }

  handle<C extends Contract, N extends CallName<C>>(
    contract: C,
    name: N,
    handler: (request: CallRequest<C, N>) => Promise<CallAnswer<C, N>>,
  ): void {
    const shape = contract.calls[name];
    if (shape === undefined) throw new TypeError(`${contract.service} has no call ${name}`);
    const work = async (message: Msg): Promise<Uint8Array> => {
      try {
        const request = decode(shape.request, fromBytes(message.data)) as CallRequest<C, N>;
        return this.#answer(shape.answer, await handler(request), name);
      } catch (error) {
        if (error instanceof Fault) return faultBytes(error);
        this.#log.error('call_failed', error, { call: name });
        return faultBytes(new Fault('internal'));
      }
    };
    this.#connection.add({
      subject: callSubject(contract, name),
      queue: contract.service,
      receive: (message, link) => void this.#serve(message, link, work),
    });
  }

  publish<C extends Contract, N extends EventName<C>>(
    contract: C,
    name: N,
    key: string,
    payload: EventPayload<C, N>,
  ): void {
    const shape = contract.events[name];
    if (shape === undefined) throw new TypeError(`${contract.service} has no event ${name}`);
    if (!keyForm.test(key)) throw new Fault('malformed');
    decode(shape.payload, payload);
    this.#connection.publish(eventSubject(contract, name, key), toBytes(payload));
  }

  subscribe<C extends Contract, N extends EventName<C>>(
    contract: C,
    name: N,
    key: string,
    listener: (payload: EventPayload<C, N>, key: string) => void,
  ): Subscription {
    const shape = contract.events[name];
    if (shape === undefined) throw new TypeError(`${contract.service} has no event ${name}`);
    if (key !== '*' && !keyForm.test(key)) throw new Fault('malformed');
    const prefix = eventSubject(contract, name, '');
    const interest: Interest = {
      subject: eventSubject(contract, name, key === '*' ? '>' : key),
      // A queue group of its own: while a renewal has two links open, an event comes over one of them.
      queue: `${this.#id}.${++this.#listened}`,
      receive: (message) => {
        try {
          const payload = decode(shape.payload, fromBytes(message.data)) as EventPayload<C, N>;
          listener(payload, message.subject.slice(prefix.length));
        } catch (error) {
          if (error instanceof Fault) {
            this.#log.warn('event_refused', { event: name, ...failure(error) });
          } else this.#log.error('event_failed', error, { event: name });
        }
      },
    };
    this.#connection.add(interest);
    const ready = this.settled();
    ready.catch(() => undefined);
    return { ready, [Symbol.dispose]: () => this.#connection.remove(interest) };
  }

  settled(): Promise<void> {
    return this.#connection.settled();
  }

  onReconnect(listener: () => void): () => void {
    return this.#connection.onReconnect(listener);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#connection[Symbol.asyncDispose]();
  }

  #answer(schema: Parameters<typeof decode>[0], value: unknown, call: string): Uint8Array {
    try {
      decode(schema, value);
      return answerBytes(value);
    } catch (cause) {
      this.#log.error('call_answer_wrong', cause, { call });
      return faultBytes(new Fault('internal'));
    }
  }

  /** Runs a handler when there is room; refuses at once when even the queue is full. Never throws. */
  async #serve(
    message: Msg,
    link: Link,
    work: (message: Msg) => Promise<Uint8Array>,
  ): Promise<void> {
    const came = performance.now();
    link.busy++;
    try {
      if (this.#running < this.#concurrency) this.#running++;
      else if (this.#waiting.length < this.#concurrency * 4) {
        await new Promise<void>((go) => this.#waiting.push(go));
      } else {
        message.respond(faultBytes(new Fault('unavailable')));
        return;
      }
      try {
        // Whoever asked too long ago has given up: doing it now would surprise them.
        if (performance.now() - came < this.#timeout) message.respond(await work(message));
      } finally {
        const next = this.#waiting.shift();
        if (next === undefined) this.#running--;
        else next();
      }
    } catch (error) {
      this.#log.warn('answer_not_sent', failure(error));
    } finally {
      link.busy--;
    }
  }
}
