/** One connection: HELLO, READY, then mail until it ends. What a client sends can end its own session at most. docs/protocol/socket.md */
import { Fault, type FaultCode, faults } from '@island/protocol/wire/fault.ts';
import {
  type ClientFrame,
  decodeClientFrame,
  encodeServerFrame,
  faultFrame,
  type ServerFrame,
} from '@island/protocol/wire/frames.ts';
import { type DeviceKey, deviceKey } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import type { Bus } from '../kit/bus.ts';
import type { Log } from '../kit/log.ts';
import type { Access, Bearer } from './access.ts';
import { ChannelSession } from './channel-session.ts';
import type { Channels } from './channels.ts';
import { mostBuffered, Outbox } from './outbox.ts';
import { SlidingWindow } from './sliding-window.ts';

/** What a session needs of its socket. */
export interface Line {
  send(frame: Uint8Array): void;
  /** Whole WebSocket messages, prepared for many sockets at once: in one write, in order with `send`. */
  push(frames: readonly Buffer[]): void;
  ping(): void;
  /** Says goodbye; nothing is read afterwards. */
  close(code: number, reason: string): void;
  /** Ends at once: there is nobody to say goodbye to. */
  cut(): void;
  /** Bytes handed to `send` and `push` that the other side has not taken yet. */
  readonly buffered: number;
}

export interface SessionParts {
  line: Line;
  access: Access;
  bus: Bus;
  channels: Channels;
  log: Log;
  /** Milliseconds of a clock that never goes back. */
  ticks: () => number;
  /** Unix milliseconds. */
  now: () => number;
  /** Called once, when the token proved good: an older session of the device has to go. */
  admitted: (session: Session, device: DeviceKey) => void;
  /** Called once, whoever ended it. */
  ended: (session: Session) => void;
}

/** Seconds between signs of life asked of the other side, and between looks for mail whose event was lost. */
const pingSeconds = 30;
const lookSeconds = 30;
/** Seconds that a socket outlives its access token, so that a client can fetch the next. */
const graceSeconds = 60;

export class Session {
  readonly #parts: SessionParts;
  readonly #frames = new SlidingWindow(limits.framesPerSecond, 1000);
  readonly #refused = new SlidingWindow(limits.refusedFrames - 1, 10_000);
  #state: 'silent' | 'opening' | 'ready' | 'ended' = 'silent';
  #bearer: Bearer | undefined;
  #outbox: Outbox | undefined;
  #channels: ChannelSession | undefined;
  /** Of the key that this device witnesses with. */
  #witness: string | undefined;
  /** Frames that came between HELLO and READY. */
  #early: ClientFrame[] = [];
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
    this.#outbox?.drained();
    this.#channels?.drained();
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

  /** Events may have been lost. Resolves when the mailbox was asked, well or not. */
  async look(): Promise<void> {
    this.#nextLook = this.#parts.ticks() + lookSeconds * 1000;
    await this.#outbox?.look();
  }

  /** The account may have lost the right to see channels, unheard. */
  async recheckChannels(): Promise<void> {
    await this.#channels?.recheck();
  }

  /** A checkpoint of this size is to be signed by the holders of these keys. */
  askCosign(size: number, vkeys: ReadonlySet<string>): void {
    if (this.#state === 'ready' && this.#witness !== undefined && vkeys.has(this.#witness))
      this.#send({ type: 'cosign', size });
  }

  /** Called every half second or so. */
  tick(): void {
    const at = this.#parts.ticks();
    if (this.#state === 'silent' && at >= this.#helloBy) this.end('too_slow');
    if (this.#state !== 'ready') return;
    this.#channels?.tick();
    const expires = this.#bearer?.expires ?? 0;
    if (this.#parts.now() >= (expires + graceSeconds) * 1000) this.end('token_expired');
    else if (this.#parts.line.buffered > 4 * mostBuffered) this.#cut();
    else if (at >= this.#nextPing) this.#ping(at);
    else if (at >= this.#nextLook) void this.look();
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
    if (this.#state === 'opening') this.#early.push(frame);
    else if (frame.type === 'ping') this.#send({ type: 'pong', nonce: frame.nonce });
    else if (frame.type === 'witness') this.#witness = frame.vkey;
    else if (frame.type === 'ack') this.#outbox?.acknowledge(frame.seq);
    else this.#ofChannels()?.handle(frame);
  }

  /** Whoever says nothing about channels costs nothing for them. */
  #ofChannels(): ChannelSession | undefined {
    if (this.#bearer === undefined) return undefined;
    this.#channels ??= new ChannelSession({ ...this.#parts, ...this.#bearer });
    return this.#channels;
  }

  async #open(access: string): Promise<void> {
    const { bus, line } = this.#parts;
    const bearer = await this.#parts.access.bearer(access);
    if (this.#gone()) return;
    const { account, device } = bearer;
    this.#bearer = bearer;
    this.#parts.admitted(this, deviceKey(account, device));
    const outbox = new Outbox({
      bus,
      account,
      device,
      pass: (envelope) => this.#send({ type: 'envelope', ...envelope }),
      buffered: () => line.buffered,
    });
    this.#outbox = outbox;
    const head = await outbox.open();
    if (this.#gone()) return;
    this.#state = 'ready';
    this.#send({ type: 'ready', account, device, head });
    outbox.start();
    for (const frame of this.#early.splice(0)) this.#handle(frame);
  }

  #send(frame: ServerFrame): void {
    this.#parts.line.send(encodeServerFrame(frame));
  }

  #fail(error: unknown): void {
    if (!(error instanceof Fault)) this.#parts.log.error('session_failed', error);
    this.end(error instanceof Fault ? error.code : 'internal');
  }

  /** A function, because the state changes while others are awaited. */
  #gone(): boolean {
    return this.#state === 'ended';
  }

  #cut(): void {
    this.#parts.line.cut();
    this.#finish();
  }

  #finish(): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#outbox?.[Symbol.dispose]();
    this.#outbox = undefined;
    this.#channels?.[Symbol.dispose]();
    this.#channels = undefined;
    this.#early = [];
    this.#parts.ended(this);
  }
}
