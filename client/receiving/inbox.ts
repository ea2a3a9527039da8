/**
 * Receiving: the socket, and what comes over it. docs/protocol/socket.md, dm.md §6
 *
 * An envelope is acknowledged only after the commit that holds its message, the ratchet state behind
 * it and the prekeys it used, and after the archive has the message: until then a lost device loses
 * nothing. What follows is opened meanwhile. What can't be opened is acknowledged, too, so that nothing
 * stops the queue; it is shown as such when its sender is proved, and counted otherwise.
 * One process of a home holds the socket; the others see the messages in the storage.
 */
import type { ChannelServerFrame } from '@island/protocol/wire/channel-frames.ts';
import { Fault, faults } from '@island/protocol/wire/fault.ts';
import {
  type ClientFrame,
  decodeServerFrame,
  encodeClientFrame,
  type ServerFrame,
} from '@island/protocol/wire/frames.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { socketPath } from '@island/protocol/wire/routes.ts';
import { backoff, pause } from '../backoff.ts';
import { Problem } from '../problem.ts';
import { openPrekeyBox, type PrekeyBox } from '../ratchets/prekeys.ts';
import type { Session } from '../sign-in/session.ts';
import type { Socket, Transport } from '../transport/transport.ts';
import { keepAside } from './aside-upkeep.ts';
import { type Opening, openEnvelopes } from './envelopes.ts';

export interface Receiving extends Omit<Opening, 'box' | 'session'> {
  transport: Transport;
  session: Session;
  /** The island hands out what comes from now on, on a connection on which more can be said. */
  onOnline: (say: (frame: ClientFrame) => void) => void;
  /** This device is a witness, and there is something to sign. */
  onCosign: () => void;
  /** What is about channels. */
  onChannel: (frame: ChannelServerFrame) => void;
  /** The connection is lost, or can't be made; it is tried again. */
  onOffline: (error: Error) => void;
  /** Resolves when what was committed before is in the archive, or will never be. archive.md §5 */
  archived: (signal: AbortSignal) => Promise<void>;
  /** Work with the prekeys while this process holds the inbox. */
  upkeep: (box: PrekeyBox, signal: AbortSignal) => Promise<void>;
}

/** Milliseconds: between acknowledgements (T6 leaves room for pings), between pings, without any frame. */
const ackInterval = 100;
const pingInterval = 25_000;
const silence = 60_000;
/** Milliseconds that leaving waits for the archive, so that what it is about to have can be acknowledged. */
const farewell = 2_000;
/** Envelopes opened in one commit. */
const batchSize = 64;
/** Envelopes received and not acknowledged: an honest island never has more than `limits.socketWindow` on the way. */
const mostUnacknowledged = limits.socketWindow * 2;

/** Receives until aborted. Throws `signed_out`, and `replaced` when a copy of this home is at work. */
export async function runInbox(receiving: Receiving, signal: AbortSignal): Promise<void> {
  using _section = await receiving.storage.lock('inbox', signal);
  const box = await openPrekeyBox(receiving.storage);
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const upkeep = [receiving.upkeep(box, either), keepAside({ ...receiving, box }, either)];
  try {
    await stayConnected(receiving, box, signal);
  } finally {
    stop.abort();
    await Promise.all(upkeep);
  }
}

async function stayConnected(
  receiving: Receiving,
  box: PrekeyBox,
  signal: AbortSignal,
): Promise<void> {
  for (let attempt = 0; !signal.aborted; attempt++) {
    try {
      const token = await receiving.session.token(signal);
      const socket = await receiving.transport.socket(socketPath, signal);
      const connection = new Connection({ ...receiving, box }, socket, token);
      const ready = await connection.run(signal);
      if (signal.aborted) return;
      // Whoever does not keep to the protocol is asked less and less often, and so is a disk that is full.
      if (ready && !connection.refused) attempt = 0;
      receiving.onOffline(connection.reason);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Error) || isFinal(error)) throw error;
      receiving.onOffline(error);
    }
    await pause(backoff(attempt), signal);
  }
}

/** Nothing that waiting could mend. */
const isFinal = (error: Error): boolean =>
  error instanceof Problem && (error.code === 'signed_out' || error.code === 'replaced');

type Envelope = Extract<ServerFrame, { type: 'envelope' }>;

class Connection {
  readonly #receiving: Receiving & { box: PrekeyBox };
  readonly #socket: Socket;
  readonly #token: string;
  readonly #waiting: Envelope[] = [];
  readonly #stop = new AbortController();
  #ready = false;
  #working: Promise<void> | undefined;
  #keeping: Promise<void> | undefined;
  /** Sequence numbers: committed here, in the archive as well, and told to the island. */
  #committed = 0;
  #kept = 0;
  #acknowledged = 0;
  /** Envelopes: received but not acknowledged; of those the ones committed here only, and the ones in the archive. */
  #unacknowledged = 0;
  #toKeep = 0;
  #toTell = 0;
  #leaving = false;
  #acking: Promise<void> | undefined;
  #heard = 0;
  #fault: Error | undefined;
  /** This side ended it. */
  refused = false;

  constructor(receiving: Receiving & { box: PrekeyBox }, socket: Socket, token: string) {
    this.#receiving = receiving;
    this.#socket = socket;
    this.#token = token;
  }

  /** Why the connection ended. */
  get reason(): Error {
    return (
      this.#fault ?? new Problem('unreachable', { address: this.#receiving.transport.address })
    );
  }

  /** Until the connection ends; whether it had come as far as READY. Throws what stops the inbox itself. */
  async run(signal: AbortSignal): Promise<boolean> {
    const close = () => void this.#leave();
    signal.addEventListener('abort', close, { once: true });
    // Whoever was asked to end while the socket opened is not asked again.
    if (signal.aborted) close();
    this.#heard = Date.now();
    const pinging = setInterval(() => this.#ping(), pingInterval);
    try {
      this.#socket.send(encodeClientFrame({ type: 'hello', access: this.#token }));
      for await (const bytes of this.#socket.frames) {
        this.#heard = Date.now();
        if (!this.#take(bytes)) break;
      }
    } finally {
      clearInterval(pinging);
      signal.removeEventListener('abort', close);
      this.#stop.abort();
      await this.#working;
      await this.#keeping;
      await this.#acking;
      this.#socket.close();
    }
    const { code } = this.#socket;
    if (code === faults.unauthenticated.close) this.#receiving.session.refused(this.#token);
    // To connect again would end the other's connection, and so on for ever.
    if (code === faults.replaced.close)
      throw new Problem('replaced', { home: this.#receiving.storage.place });
    return this.#ready;
  }

  /** What is committed and archived need not come again. */
  async #leave(): Promise<void> {
    this.#leaving = true;
    if (this.#keeping) await Promise.race([this.#keeping, pause(farewell, this.#stop.signal)]);
    if (this.#acknowledged < this.#kept) this.#tell();
    this.#socket.close();
  }

  /** False when the island does not keep to the protocol. */
  #take(bytes: Uint8Array): boolean {
    let frame: ServerFrame;
    try {
      frame = decodeServerFrame(bytes);
    } catch (error) {
      return this.#refuse(error);
    }
    switch (frame.type) {
      case 'ready':
        if (!this.#ready)
          this.#receiving.onOnline((said) => this.#socket.send(encodeClientFrame(said)));
        this.#ready = true;
        return true;
      case 'envelope':
        if (this.#leaving) return true;
        this.#unacknowledged += 1;
        if (this.#unacknowledged > mostUnacknowledged) return this.#refuse(undefined);
        this.#waiting.push(frame);
        this.#working ??= this.#work();
        return true;
      case 'fault':
        this.#fault = new Fault(frame.code);
        return true;
      case 'cosign':
        this.#receiving.onCosign();
        return true;
      case 'pong':
        return true;
      default:
        this.#receiving.onChannel(frame);
        return true;
    }
  }

  /** What follows a batch that failed must not be stored, let alone acknowledged, before it. */
  #refuse(cause: unknown): false {
    this.refused = true;
    this.#stop.abort();
    const { address } = this.#receiving.transport;
    this.#fault =
      cause instanceof Problem ? cause : new Problem('not_an_island', { address }, { cause });
    this.#socket.cut();
    return false;
  }

  /** Ends in the same breath in which it finds nothing left: whoever adds more after that starts it anew. */
  async #work(): Promise<void> {
    try {
      while (this.#waiting.length > 0 && !this.#stop.signal.aborted) {
        const batch = this.#waiting.splice(0, batchSize);
        if (!(await openEnvelopes(this.#receiving, batch, this.#stop.signal))) return;
        for (const { seq } of batch) this.#committed = Math.max(this.#committed, seq);
        this.#toKeep += batch.length;
        if (this.#kept < this.#committed) this.#keeping ??= this.#keep();
      }
    } catch (error) {
      this.#refuse(error);
    } finally {
      this.#working = undefined;
    }
  }

  /** Many batches may have been committed while one segment is on its way to the archive. */
  async #keep(): Promise<void> {
    try {
      while (this.#kept < this.#committed) {
        const committed = this.#committed;
        const count = this.#toKeep;
        this.#toKeep = 0;
        await this.#receiving.archived(this.#stop.signal);
        if (this.#stop.signal.aborted) return;
        this.#kept = committed;
        this.#toTell += count;
        this.#acking ??= this.#acknowledge();
      }
    } catch (error) {
      this.#refuse(error);
    } finally {
      this.#keeping = undefined;
    }
  }

  async #acknowledge(): Promise<void> {
    while (this.#acknowledged < this.#kept) {
      this.#tell();
      await pause(ackInterval, this.#stop.signal);
    }
    this.#acking = undefined;
  }

  #tell(): void {
    this.#acknowledged = this.#kept;
    this.#unacknowledged -= this.#toTell;
    this.#toTell = 0;
    this.#socket.send(encodeClientFrame({ type: 'ack', seq: this.#acknowledged }));
  }

  #ping(): void {
    if (Date.now() - this.#heard > silence) this.#socket.cut();
    else this.#socket.send(encodeClientFrame({ type: 'ping', nonce: Date.now() }));
  }
}
