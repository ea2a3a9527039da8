/**
 * The bus's standing connection: one link after another, lost ones replaced, old certificates'
 * ones handed over without a gap. Knows bytes and subjects only. docs/architecture.md §1
 */
import { Fault } from '@island/protocol/wire/fault.ts';
import type { Msg } from '@nats-io/transport-node';
import { backoff, pause } from './backoff.ts';
import { type Link, openLink } from './bus-link.ts';
import { failure, type Log } from './log.ts';
import type { Identity } from './mtls.ts';

/** A subject that is listened to on whichever link is in use. */
export interface Interest {
  subject: string;
  /** Of those in one queue group, one gets the message. */
  queue: string;
  /** Must not throw. */
  receive(message: Msg, link: Link): void;
}

/** An interest on one link: `drain` hands over what is on its way first, `unsubscribe` does not. */
type Live = Pick<ReturnType<Link['subscribe']>, 'unsubscribe' | 'drain'>;

interface Unsent {
  subject: string;
  payload: Uint8Array;
}

/** Events kept back while there is no link; then the oldest go. */
const keptBack = 10_000;

export class BusConnection implements AsyncDisposable {
  readonly #options: { port: number; identity: Identity; log: Log };
  /** Milliseconds that anything is waited for. */
  readonly #patience: number;
  readonly #interests = new Map<Interest, Live | undefined>();
  readonly #listeners = new Set<() => void>();
  readonly #stop = new AbortController();
  readonly #forget: () => void;
  #link: Link | undefined;
  #next = Promise.withResolvers<Link>();
  #unsent: Unsent[] = [];

  constructor(options: { port: number; identity: Identity; log: Log }, patience: number) {
    this.#options = options;
    this.#patience = patience;
    this.#next.promise.catch(() => undefined);
    this.#forget = options.identity.onRenewed(() => void this.#renew());
    void this.#connect(false);
  }

  async connected(): Promise<void> {
    await (this.#link ?? this.#next.promise);
  }

  /** The answer; waits for a link if there is none. @throws Fault `unavailable` */
  async request(subject: string, payload: Uint8Array): Promise<Uint8Array> {
    const until = performance.now() + this.#patience;
    const link = this.#link ?? (await this.#linkBy(until));
    return link.request(subject, payload, Math.max(1, Math.round(until - performance.now())));
  }

  publish(subject: string, payload: Uint8Array): void {
    if (this.#link?.publish(subject, payload) === true) return;
    if (this.#unsent.length >= keptBack) this.#unsent.shift();
    this.#unsent.push({ subject, payload });
  }

  add(interest: Interest): void {
    this.#interests.set(interest, undefined);
    if (this.#link !== undefined) this.#join(interest, this.#link);
  }

  remove(interest: Interest): void {
    this.#interests.get(interest)?.unsubscribe();
    this.#interests.delete(interest);
  }

  async settled(): Promise<void> {
    const link = this.#link ?? (await this.#next.promise);
    await link.flush();
  }

  onReconnect(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Takes no more, lets what is at work be answered, then closes. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#forget();
    this.#stop.abort();
    const link = this.#link;
    this.#link = undefined;
    this.#next = Promise.withResolvers<Link>();
    this.#next.promise.catch(() => undefined);
    this.#next.reject(new Fault('unavailable'));
    if (link !== undefined) await this.#retire(link, [...this.#interests.values()]);
  }

  async #linkBy(until: number): Promise<Link> {
    const over = new AbortController();
    const late = pause(until - performance.now(), over.signal).then(() => {
      throw new Fault('unavailable');
    });
    late.catch(() => undefined);
    try {
      return await Promise.race([this.#next.promise, late]);
    } finally {
      over.abort();
    }
  }

  /** A new link, with the credentials of this moment; tries until it has one or the bus is closed. */
  async #open(): Promise<Link | undefined> {
    for (let failures = 0; !this.#stop.signal.aborted; ) {
      try {
        return await openLink(this.#options);
      } catch (error) {
        failures++;
        if (failures === 1 || failures % 20 === 0) {
          this.#options.log.warn('bus_unreachable', { attempt: failures, ...failure(error) });
        }
        await pause(backoff({ first: 50, most: 2000 }, failures), this.#stop.signal, true);
      }
    }
    return undefined;
  }

  async #connect(again: boolean): Promise<void> {
    const link = await this.#open();
    if (link === undefined) return;
    if (this.#stop.signal.aborted) return link.close();
    this.#take(link);
    this.#options.log.info(again ? 'bus_reconnected' : 'bus_connected');
    if (again) this.#tell();
  }

  /** From here on this link is the one in use, until it is lost or replaced. */
  #take(link: Link): void {
    this.#link = link;
    void link.ended.then(() => this.#lose(link));
    for (const interest of this.#interests.keys()) this.#join(interest, link);
    const unsent = this.#unsent;
    this.#unsent = [];
    for (const { subject, payload } of unsent) link.publish(subject, payload);
    this.#next.resolve(link);
  }

  #lose(link: Link): void {
    if (this.#link !== link || this.#stop.signal.aborted) return;
    this.#link = undefined;
    this.#next = Promise.withResolvers<Link>();
    this.#next.promise.catch(() => undefined);
    this.#options.log.warn('bus_lost');
    void this.#connect(true);
  }

  #join(interest: Interest, link: Link): void {
    const { subject, queue } = interest;
    const refused = (): void => {
      // The key of an event names a person: only what comes before it may be logged.
      const named = subject.split('.').slice(0, 3).join('.');
      this.#options.log.warn('subscription_refused', { subject: named });
    };
    try {
      const live = link.subscribe(
        subject,
        queue,
        (message) => interest.receive(message, link),
        refused,
      );
      this.#interests.set(interest, live);
    } catch {
      // The link has just ended; its successor takes up every interest.
      this.#interests.set(interest, undefined);
    }
  }

  #tell(): void {
    for (const listener of this.#listeners) {
      try {
        listener();
      } catch (error) {
        this.#options.log.error('reconnect_listener_failed', error);
      }
    }
  }

  /** Make before break: the new link listens before the old one stops. docs/decisions/024-pkid.md */
  async #renew(): Promise<void> {
    const old = this.#link;
    if (old === undefined) return;
    const link = await this.#open();
    if (link === undefined) return;
    // The old link was lost meanwhile: its replacement has the new certificate already.
    if (this.#link !== old || this.#stop.signal.aborted) return link.close();
    const former = [...this.#interests.values()];
    this.#take(link);
    await link.flush().catch(() => this.#options.log.warn('bus_renewal_interrupted'));
    await this.#retire(old, former);
    this.#options.log.info('bus_renewed');
  }

  /** What is on its way arrives, what is at work is answered; then the link closes. */
  async #retire(link: Link, interests: readonly (Live | undefined)[]): Promise<void> {
    const until = performance.now() + this.#patience;
    const drained = Promise.allSettled(interests.map((live) => live?.drain()));
    await Promise.race([drained, link.ended, pause(this.#patience)]);
    while (link.busy > 0 && performance.now() < until) await pause(5);
    await Promise.race([link.flush().catch(() => undefined), pause(1000)]);
    await link.close();
  }
}
