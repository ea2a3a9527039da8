/**
 * One mailbox on its way into one socket, in order of `seq`, a window at a time. docs/protocol/socket.md §3
 *
 * The mailbox is the truth, events only hasten: an event that continues what was sent is passed on
 * as it is, anything else makes the outbox ask `since`. So a lost event costs time, never mail.
 */
import { Fault } from '@island/protocol/wire/fault.ts';
import {
  type AccountId,
  type DeviceId,
  deviceKey,
  type EnvelopeId,
} from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { delivery } from '../delivery/contract.ts';
import type { Bus, Subscription } from '../kit/bus.ts';

interface Stored {
  seq: number;
  id: EnvelopeId;
  request: boolean;
  body: Uint8Array;
}

interface Page {
  head: number;
  envelopes: readonly Stored[];
}

export interface OutboxParts {
  bus: Bus;
  account: AccountId;
  device: DeviceId;
  pass(envelope: Stored): void;
  /** Bytes that the socket has not taken yet. */
  buffered(): number;
}

/**
 * Milliseconds that an acknowledgement waits for others, and how many don't: each call is a way to the mailbox's
 * disk. Meanwhile the mail is still there, and would come again to a device that returns.
 */
const forgetPause = 200;
const forgetAtOnce = 32;

/** Bytes waiting in a socket beyond which it gets no more. */
export const mostBuffered = 262_144;

export class Outbox implements Disposable {
  readonly #parts: OutboxParts;
  #state: 'opening' | 'open' | 'closed' = 'opening';
  #mail: Subscription | undefined;
  #first: Page = { head: 0, envelopes: [] };

  /** Everything up to here was sent, or is known to be gone. */
  #sent = 0;
  /** The newest `seq` known to exist. */
  #head = 0;
  /** Sent and not acknowledged, ascending. */
  #unacknowledged: number[] = [];
  /** Acknowledged by the client, and what of that the mailbox has forgotten. */
  #acknowledged = 0;
  #forgotten = 0;
  #asking = false;
  #forgetting = false;
  #forgetLater: NodeJS.Timeout | undefined;

  constructor(parts: OutboxParts) {
    this.#parts = parts;
  }

  /**
   * Listens, then asks: what is committed in between is in the answer, in an event, or in both.
   * Nothing is passed on before `start`.
   * @returns the newest `seq` that the mailbox ever gave
   * @throws unavailable
   */
  async open(): Promise<number> {
    const { bus, account, device } = this.#parts;
    const mail = bus.subscribe(delivery, 'mail', deviceKey(account, device), (stored) =>
      this.#arrived(stored),
    );
    this.#mail = mail;
    await mail.ready.catch((cause: unknown) => {
      throw new Fault('unavailable', undefined, { cause });
    });
    this.#first = await this.#since(limits.socketWindow);
    return this.#first.head;
  }

  start(): void {
    if (this.#state !== 'opening') return;
    this.#state = 'open';
    this.#take(this.#first, this.#first.head);
    this.#first = { head: 0, envelopes: [] };
    void this.#ask();
  }

  /** @throws malformed for what was never sent */
  acknowledge(seq: number): void {
    if (seq > this.#sent) throw new Fault('malformed');
    if (seq <= this.#acknowledged) return;
    this.#acknowledged = seq;
    const kept = this.#unacknowledged.findIndex((sent) => sent > seq);
    this.#unacknowledged.splice(0, kept === -1 ? this.#unacknowledged.length : kept);
    if (seq - this.#forgotten >= forgetAtOnce) void this.#forget();
    else this.#forgetLater ??= setTimeout(() => void this.#forget(), forgetPause);
    void this.#ask();
  }

  /** Events may have been lost: asks the mailbox. Resolves when that is done, well or not. */
  async look(): Promise<void> {
    await Promise.all([this.#ask(true), this.#forget()]);
  }

  /** The socket took what was waiting. */
  drained(): void {
    void this.#ask();
  }

  [Symbol.dispose](): void {
    this.#state = 'closed';
    this.#mail?.[Symbol.dispose]();
    this.#mail = undefined;
    this.#first = { head: 0, envelopes: [] };
    this.#unacknowledged = [];
    void this.#forget();
  }

  #arrived(mail: Stored): void {
    if (mail.seq <= this.#head) return;
    const next = mail.seq === this.#sent + 1;
    this.#head = mail.seq;
    if (next && this.#state === 'open' && !this.#asking && this.#room() > 0) this.#pass(mail);
    else void this.#ask();
  }

  #room(): number {
    if (this.#parts.buffered() > mostBuffered) return 0;
    return limits.socketWindow - this.#unacknowledged.length;
  }

  #since(count: number): Promise<Page> {
    const { bus, account, device } = this.#parts;
    return bus.call(delivery, 'since', { account, device, after: this.#sent, count });
  }

  /** Fetches what is known to wait, as long as there is room for it. @param anyway also when nothing is known */
  async #ask(anyway = false): Promise<void> {
    if (this.#asking || this.#state !== 'open') return;
    if (!anyway && this.#head <= this.#sent) return;
    this.#asking = true;
    try {
      await this.#fetch(anyway);
    } catch {
      // The mailbox can't be asked now: the next look does.
    } finally {
      this.#asking = false;
    }
  }

  async #fetch(anyway: boolean): Promise<void> {
    let look = anyway;
    for (let room = this.#room(); room > 0; room = this.#room()) {
      if (!look && this.#head <= this.#sent) return;
      look = false;
      const known = this.#head;
      const page = await this.#since(room);
      if (this.#state !== 'open') return;
      this.#take(page, known);
    }
  }

  /** @param known the newest `seq` known of when the page was asked for */
  #take(page: Page, known: number): void {
    this.#head = Math.max(this.#head, page.head);
    for (const stored of page.envelopes) {
      if (stored.seq > this.#sent) this.#pass(stored);
    }
    // An empty page: all that was known of is gone by other ways (expired, or acknowledged elsewhere).
    if (page.envelopes.length === 0) this.#sent = Math.max(this.#sent, page.head, known);
    this.#head = Math.max(this.#head, this.#sent);
  }

  #pass(stored: Stored): void {
    this.#sent = stored.seq;
    this.#unacknowledged.push(stored.seq);
    this.#parts.pass(stored);
  }

  /** Tells the mailbox, one call at a time; acknowledgements that come meanwhile go together. */
  async #forget(): Promise<void> {
    clearTimeout(this.#forgetLater);
    this.#forgetLater = undefined;
    if (this.#forgetting) return;
    this.#forgetting = true;
    const { bus, account, device } = this.#parts;
    try {
      while (this.#acknowledged > this.#forgotten) {
        const seq = this.#acknowledged;
        await bus.call(delivery, 'ack', { account, device, seq });
        this.#forgotten = seq;
      }
    } catch {
      // Not told: the next look tries again, and else the client gets the mail twice and knows its id.
    } finally {
      this.#forgetting = false;
    }
  }
}
