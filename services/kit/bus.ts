/**
 * The only door to NATS: calls and events of the services' contracts, checked on both sides.
 * Truth is in the services' stores: the bus may lose an event, and says so (`onReconnect`).
 * docs/architecture.md §4
 */
import { Fault } from '@island/protocol/wire/fault.ts';
import { decode } from '@island/protocol/wire/schema.ts';
import type { Msg } from '@nats-io/transport-node';
import { backoff, pause } from './backoff.ts';
import { type Link, openLink } from './bus-link.ts';
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

/** What has to be set up anew on each connection. */
interface Interest {
  subject: string;
  queue: string;
  receive(message: Msg, link: Link): void;
  live: { unsubscribe(): void } | undefined;
}

const keptBack = 10_000;
const keyForm = /^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*$/;

class NatsBus implements Bus {
  readonly #options: BusOptions;
  readonly #log: Log;
  readonly #timeout: number;
  readonly #concurrency: number;
  readonly #id = crypto.randomUUID();
  #listened = 0;
  readonly #interests = new Set<Interest>();
  readonly #listeners = new Set<() => void>();
  readonly #stop = new AbortController();
  readonly #forget: () => void;
  #link: Link | undefined;
  #next = Promise.withResolvers<Link>();
  #unsent: { subject: string; payload: Uint8Array }[] = [];
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(options: BusOptions) {
    this.#options = options;
    this.#log = options.log;
    this.#timeout = options.timeout ?? 5000;
    this.#concurrency = options.concurrency ?? 512;
    this.#next.promise.catch(() => undefined);
    this.#forget = options.identity.onRenewed(() => void this.#renew());
    void this.#keep();
  }

  async connected(): Promise<void> {
    await (this.#link ?? this.#next.promise);
  }

  async call<C extends Contract, N extends CallName<C>>(
    contract: C,
    name: N,
    request: CallRequest<C, N>,
  ): Promise<CallAnswer<C, N>> {
    const shape = contract.calls[name];
    if (shape === undefined) throw new TypeError(`${contract.service} has no call ${name}`);
    decode(shape.request, request);
    const payload = toBytes(request);
    const until = performance.now() + this.#timeout;
    const link = this.#link ?? (await this.#linkBy(until));
    const left = Math.max(1, Math.round(until - performance.now()));
    const value = readAnswer(await link.request(callSubject(contract, name), payload, left));
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
    this.#add({
      subject: callSubject(contract, name),
      queue: contract.service,
      live: undefined,
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
    const event = { subject: eventSubject(contract, name, key), payload: toBytes(payload) };
    if (this.#link !== undefined) this.#link.publish(event.subject, event.payload);
    else {
      if (this.#unsent.length >= keptBack) this.#unsent.shift();
      this.#unsent.push(event);
    }
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
      // Each subscription is a queue group of its own: while a renewal has two connections open, an event comes over one.
      queue: `${this.#id}.${++this.#listened}`,
      live: undefined,
      receive: (message) => {
        try {
          const payload = decode(shape.payload, fromBytes(message.data)) as EventPayload<C, N>;
          listener(payload, message.subject.slice(prefix.length));
        } catch (error) {
          if (error instanceof Fault)
            this.#log.warn('event_refused', { event: name, ...failure(error) });
          else this.#log.error('event_failed', error, { event: name });
        }
      },
    };
    this.#add(interest);
    const ready = this.settled();
    ready.catch(() => undefined);
    return { ready, [Symbol.dispose]: () => this.#remove(interest) };
  }

  async settled(): Promise<void> {
    const link = this.#link ?? (await this.#next.promise);
    await link.flush();
  }

  onReconnect(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Stops taking work, lets what is at work finish (up to the callers' patience), then closes. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#forget();
    this.#stop.abort();
    const link = this.#link;
    this.#link = undefined;
    this.#next.reject(new Fault('unavailable'));
    if (link === undefined) return;
    for (const interest of this.#interests) interest.live?.unsubscribe();
    await this.#retire(link);
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

  #add(interest: Interest): void {
    this.#interests.add(interest);
    if (this.#link !== undefined) interest.live = this.#attach(interest, this.#link);
  }

  #remove(interest: Interest): void {
    this.#interests.delete(interest);
    interest.live?.unsubscribe();
  }

  #attach(interest: Interest, link: Link): { unsubscribe(): void } {
    const { subject, queue } = interest;
    return link.subscribe(
      subject,
      queue,
      (message) => interest.receive(message, link),
      () =>
        this.#log.warn('subscription_refused', {
          subject: subject.split('.').slice(0, 3).join('.'),
        }),
    );
  }

  async #linkBy(until: number): Promise<Link> {
    const patience = new AbortController();
    const late = pause(until - performance.now(), patience.signal).then(() => {
      throw new Fault('unavailable');
    });
    late.catch(() => undefined);
    try {
      return await Promise.race([this.#next.promise, late]);
    } finally {
      patience.abort();
    }
  }

  /** Opens a connection that has all our interests; retries until it does or the bus is closed. */
  async #open(): Promise<Link | undefined> {
    for (let failures = 0; !this.#stop.signal.aborted; ) {
      try {
        return await openLink(this.#options);
      } catch (error) {
        failures++;
        if (failures === 1 || failures % 20 === 0)
          this.#log.warn('bus_unreachable', { attempt: failures, ...failure(error) });
        await pause(backoff({ first: 50, most: 2000 }, failures), this.#stop.signal);
      }
    }
    return undefined;
  }

  /** From loss to loss: there is one loop of this for the life of the bus. */
  async #keep(): Promise<void> {
    for (let first = true; !this.#stop.signal.aborted; first = false) {
      const link = await this.#open();
      if (link === undefined) return;
      if (this.#stop.signal.aborted) return link.close();
      this.#take(link);
      this.#log.info(first ? 'bus_connected' : 'bus_reconnected');
      if (!first) this.#tell();
      // A renewal may have replaced the link meanwhile: wait for the one that is in use.
      for (let held: Link | undefined = link; held !== undefined; ) {
        await held.ended;
        held = this.#link === held ? undefined : this.#link;
      }
      if (this.#stop.signal.aborted) return;
      this.#link = undefined;
      this.#next = Promise.withResolvers<Link>();
      this.#next.promise.catch(() => undefined);
      this.#log.warn('bus_lost');
    }
  }

  #take(link: Link): void {
    for (const interest of this.#interests) interest.live = this.#attach(interest, link);
    this.#link = link;
    const unsent = this.#unsent;
    this.#unsent = [];
    for (const { subject, payload } of unsent) link.publish(subject, payload);
    this.#next.resolve(link);
  }

  #tell(): void {
    for (const listener of this.#listeners) {
      try {
        listener();
      } catch (error) {
        this.#log.error('reconnect_listener_failed', error);
      }
    }
  }

  /** Make before break: the new connection listens before the old one stops. pki.md §3 */
  async #renew(): Promise<void> {
    const old = this.#link;
    if (old === undefined) return;
    const link = await this.#open();
    if (link === undefined) return;
    // The old connection was lost meanwhile: its replacement has the new certificate already.
    if (this.#link !== old || this.#stop.signal.aborted) return link.close();
    const former = [...this.#interests].map((interest) => interest.live);
    this.#take(link);
    try {
      await link.flush();
    } catch {
      this.#log.warn('bus_renewal_interrupted');
    }
    for (const live of former) live?.unsubscribe();
    await this.#retire(old);
    this.#log.info('bus_renewed');
  }

  /** What is on its way arrives, what is at work is answered; then the connection closes. */
  async #retire(link: Link): Promise<void> {
    const until = performance.now() + this.#timeout;
    await Promise.race([link.flush().catch(() => undefined), pause(this.#timeout)]);
    while (link.busy > 0 && performance.now() < until) await pause(5);
    await Promise.race([link.flush().catch(() => undefined), pause(1000)]);
    await link.close();
  }
}
