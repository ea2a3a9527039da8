/**
 * One connection: HELLO, READY, then the mailbox in order of `seq`, a window at a time.
 * docs/protocol/socket.md
 *
 * The mailbox is the truth, events only hasten: an event that continues what was sent is passed on
 * as it is, anything else makes the session ask `since`. So a lost event costs time, never mail.
 */
import { Fault, type FaultCode, faults } from '@island/protocol/wire/fault.ts';
import {
  type ClientFrame,
  decodeClientFrame,
  encodeServerFrame,
  faultFrame,
} from '@island/protocol/wire/frames.ts';
import { type DeviceKey, deviceKey, type EnvelopeId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { delivery } from '../delivery/contract.ts';
import type { Bus, Subscription } from '../kit/bus.ts';
import type { Access, Bearer } from './access.ts';
import { SlidingWindow } from './rate.ts';

/** What a session needs of its socket. */
export interface Line {
  send(frame: Uint8Array): void;
  ping(): void;
  /** Says goodbye; nothing is read afterwards. */
  close(code: number, reason: string): void;
  /** Ends at once: there is nobody to say goodbye to. */
  cut(): void;
  /** Bytes handed to `send` that the other side has not taken yet. */
  readonly buffered: number;
}

export interface SessionParts {
  line: Line;
  access: Access;
  bus: Bus;
  /** Milliseconds of a clock that never goes back. */
  ticks: () => number;
  /** Unix milliseconds. */
  now: () => number;
  /** Called once, when the token proved good: an older session of the device has to go. */
  admitted: (session: Session, device: DeviceKey) => void;
  /** Called once, whoever ended it. */
  ended: (session: Session) => void;
}

interface Stored {
  seq: number;
  id: EnvelopeId;
  body: Uint8Array;
}

/** Seconds between signs of life asked of the other side, and between looks for mail whose event was lost. */
const pingSeconds = 30;
const lookSeconds = 30;
/** Seconds that a socket outlives its access token, so that a client can fetch the next. */
const graceSeconds = 60;
/** Bytes waiting in a socket beyond which it gets no more. */
const mostBuffered = 262_144;

export class Session {
  readonly #parts: SessionParts;
  readonly #frames = new SlidingWindow(limits.framesPerSecond, 1000);
  readonly #refused = new SlidingWindow(limits.refusedFrames - 1, 10_000);
  #state: 'silent' | 'opening' | 'ready' | 'ended' = 'silent';
  #bearer: Bearer | undefined;
  #mail: Subscription | undefined;
  /** Frames that came between HELLO and READY. */
  #early: ClientFrame[] = [];

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

  #alive = true;
  #pinged = false;
  #nextPing: number;
  #nextLook: number;
  readonly #helloBy: number;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    const start = parts.ticks();
    this.#helloBy = start + limits.helloSeconds * 1000;
    this.#nextPing = start + pingSeconds * 1000;
    this.#nextLook = start + lookSeconds * 1000;
  }

  get bearer(): Bearer | undefined {
    return this.#bearer;
  }

  /** A message from the client. Whatever it holds, it can only end this session. */
  receive(bytes: Uint8Array, binary: boolean): void {
    if (this.#state === 'ended' || !this.#allowed()) return;
    this.#alive = true;
    try {
      if (!binary) throw new Fault('malformed');
      this.#handle(decodeClientFrame(bytes));
    } catch (error) {
      this.#fail(error);
    }
  }

  /** A WebSocket ping of the client: counts like a message. */
  pinged(): void {
    if (this.#state !== 'ended' && this.#allowed()) this.#alive = true;
  }

  /** A WebSocket pong; one that nobody asked for counts like a message. */
  ponged(): void {
    if (this.#state === 'ended') return;
    if (!this.#pinged && !this.#allowed()) return;
    this.#pinged = false;
    this.#alive = true;
  }

  /** The socket took what was waiting. */
  drained(): void {
    void this.#ask();
  }

  /** The socket is gone. */
  closed(): void {
    this.#finish();
  }

  /** Ends the session: the client gets the code as a FAULT and as the close code. */
  end(code: FaultCode): void {
    if (this.#state === 'ended') return;
    this.#parts.line.send(faultFrame(code));
    this.#parts.line.close(faults[code].close, code);
    this.#finish();
  }

  /** Events may have been lost: asks the mailbox. Resolves when that is done, well or not. */
  async look(): Promise<void> {
    if (this.#state !== 'ready') return;
    this.#nextLook = this.#parts.ticks() + lookSeconds * 1000;
    await Promise.all([this.#ask(true), this.#forget()]);
  }

  /** Called every half second or so. */
  tick(): void {
    const at = this.#parts.ticks();
    if (this.#state === 'silent' && at >= this.#helloBy) this.end('too_slow');
    if (this.#state !== 'ready') return;
    const expires = this.#bearer?.expires ?? 0;
    if (this.#parts.now() >= (expires + graceSeconds) * 1000) this.end('token_expired');
    else if (this.#parts.line.buffered > 4 * mostBuffered) this.#cut();
    else if (at >= this.#nextPing) this.#ping(at);
    else if (at >= this.#nextLook) void this.look();
  }

  #cut(): void {
    this.#parts.line.cut();
    this.#finish();
  }

  #ping(at: number): void {
    if (!this.#alive) {
      this.#cut();
      return;
    }
    this.#alive = false;
    this.#pinged = true;
    this.#nextPing = at + pingSeconds * 1000;
    this.#parts.line.ping();
  }

  /** T6. A refused message is answered and otherwise did not happen; too many of them end the session. */
  #allowed(): boolean {
    const at = this.#parts.ticks();
    if (this.#frames.take(at)) return true;
    if (this.#refused.take(at)) this.#parts.line.send(faultFrame('rate_limited'));
    else this.end('rate_limited');
    return false;
  }

  #handle(frame: ClientFrame): void {
    if (this.#state === 'silent') {
      if (frame.type !== 'hello') throw new Fault('malformed');
      this.#state = 'opening';
      this.#open(frame.access).catch((error: unknown) => this.#fail(error));
      return;
    }
    if (frame.type === 'hello') throw new Fault('malformed');
    if (this.#state === 'opening') {
      this.#early.push(frame);
      return;
    }
    if (frame.type === 'ping') this.#send({ type: 'pong', nonce: frame.nonce });
    else this.#acknowledge(frame.seq);
  }

  async #open(access: string): Promise<void> {
    const { bus } = this.#parts;
    const bearer = await this.#parts.access.verify(access);
    if (this.#gone()) return;
    const { account, device } = bearer;
    const key = deviceKey(account, device);
    this.#bearer = bearer;
    this.#parts.admitted(this, key);
    this.#mail = bus.subscribe(delivery, 'mail', key, (mail) => this.#arrived(mail));
    // Listening before asking: what is committed in between is in the answer, in an event, or in both.
    await this.#mail.ready;
    const page = await bus.call(delivery, 'since', {
      account,
      device,
      after: 0,
      count: limits.socketWindow,
    });
    if (this.#gone()) return;
    this.#state = 'ready';
    this.#send({ type: 'ready', account, device, head: page.head });
    this.#pass(page, page.head);
    for (const frame of this.#early.splice(0)) this.#handle(frame);
    void this.#ask();
  }

  #arrived(mail: Stored): void {
    if (mail.seq <= this.#head) return;
    const next = mail.seq === this.#sent + 1;
    this.#head = mail.seq;
    if (next && this.#state === 'ready' && !this.#asking && this.#room() > 0) this.#envelope(mail);
    else void this.#ask();
  }

  #room(): number {
    if (this.#parts.line.buffered > mostBuffered) return 0;
    return limits.socketWindow - this.#unacknowledged.length;
  }

  /** Fetches what is known to wait, as long as there is room for it. @param anyway also when nothing is known */
  async #ask(anyway = false): Promise<void> {
    if (this.#asking || this.#state !== 'ready') return;
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
    const bearer = this.#bearer;
    if (bearer === undefined) return;
    const { account, device } = bearer;
    let look = anyway;
    for (let room = this.#room(); room > 0; room = this.#room()) {
      if (!look && this.#head <= this.#sent) return;
      look = false;
      const known = this.#head;
      const after = this.#sent;
      const page = await this.#parts.bus.call(delivery, 'since', {
        account,
        device,
        after,
        count: room,
      });
      if (this.#gone()) return;
      this.#pass(page, known);
    }
  }

  /** @param known the newest `seq` known of when the page was asked for */
  #pass(page: { head: number; envelopes: readonly Stored[] }, known: number): void {
    this.#head = Math.max(this.#head, page.head);
    for (const stored of page.envelopes) {
      if (stored.seq > this.#sent) this.#envelope(stored);
    }
    // An empty page: all that was known of is gone by other ways (expired, or acknowledged elsewhere).
    if (page.envelopes.length === 0) this.#sent = Math.max(this.#sent, page.head, known);
    this.#head = Math.max(this.#head, this.#sent);
  }

  #envelope(stored: Stored): void {
    this.#sent = stored.seq;
    this.#unacknowledged.push(stored.seq);
    this.#send({ type: 'envelope', ...stored });
  }

  #acknowledge(seq: number): void {
    if (seq > this.#sent) throw new Fault('malformed');
    if (seq <= this.#acknowledged) return;
    this.#acknowledged = seq;
    const kept = this.#unacknowledged.findIndex((sent) => sent > seq);
    this.#unacknowledged.splice(0, kept === -1 ? this.#unacknowledged.length : kept);
    void this.#forget();
    void this.#ask();
  }

  /** Tells the mailbox, one call at a time; acknowledgements that come meanwhile go together. */
  async #forget(): Promise<void> {
    if (this.#forgetting || this.#acknowledged <= this.#forgotten) return;
    this.#forgetting = true;
    try {
      await this.#tell();
    } catch {
      // Not told: the next look tries again, and else the client gets the mail twice and knows its id.
    } finally {
      this.#forgetting = false;
    }
  }

  async #tell(): Promise<void> {
    const bearer = this.#bearer;
    if (bearer === undefined) return;
    const { account, device } = bearer;
    while (this.#acknowledged > this.#forgotten) {
      const seq = this.#acknowledged;
      await this.#parts.bus.call(delivery, 'ack', { account, device, seq });
      this.#forgotten = seq;
    }
  }

  #send(frame: Parameters<typeof encodeServerFrame>[0]): void {
    this.#parts.line.send(encodeServerFrame(frame));
  }

  #fail(error: unknown): void {
    this.end(error instanceof Fault ? error.code : 'internal');
  }

  #gone(): boolean {
    return this.#state === 'ended';
  }

  #finish(): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#mail?.[Symbol.dispose]();
    this.#mail = undefined;
    this.#early = [];
    this.#unacknowledged = [];
    this.#parts.ended(this);
  }
}
