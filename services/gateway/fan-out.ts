/**
 * Frames on their way to everybody who watches something: made once, and what comes in one turn of the event loop is
 * one write for each socket. What comes right after waits a moment for more: a write costs what many frames cost.
 * docs/protocol/socket.md §6
 *
 * Invariant: a socket that takes too little is left out, told so once when it has taken everything, and costs the
 * others nothing; nothing is queued here for longer than `pause`.
 */
import { mostBuffered } from './outbox.ts';
import type { Line } from './session.ts';

export interface Viewer {
  readonly line: Pick<Line, 'push' | 'buffered'>;
  /** What it was left out of, and the newest place there that it was sent. */
  readonly missed: Map<Topic, number>;
}

export interface Topic {
  viewers(): Iterable<Viewer>;
  /** The newest place that was handed to `add`. */
  readonly place: number;
}

interface Batch {
  frames: Buffer[];
  bytes: number;
  /** The place before it. */
  before: number;
}

/** Milliseconds from one round of writes to the next. */
const pause = 10;
/** Bytes of one topic that wait for nothing. */
const mostWaiting = mostBuffered;

export class FanOut implements Disposable {
  readonly #waiting = new Map<Topic, Batch>();
  #turn: NodeJS.Immediate | undefined;
  #later: NodeJS.Timeout | undefined;
  #wrote = Number.NEGATIVE_INFINITY;

  /** To be called before the topic's place moves on. */
  add(topic: Topic, frame: Buffer): void {
    const batch = this.#waiting.get(topic) ?? { frames: [], bytes: 0, before: topic.place };
    batch.frames.push(frame);
    batch.bytes += frame.length;
    this.#waiting.set(topic, batch);
    if (batch.bytes > mostWaiting) this.flush(topic);
    else this.#schedule();
  }

  /** What waits of one topic goes now: whoever comes or leaves in the same turn is on the right side of it. */
  flush(topic: Topic): void {
    const batch = this.#waiting.get(topic);
    if (batch === undefined) return;
    this.#waiting.delete(topic);
    const whole = [joined(batch)];
    for (const viewer of topic.viewers()) if (takes(viewer, topic, batch)) viewer.line.push(whole);
  }

  [Symbol.dispose](): void {
    clearImmediate(this.#turn);
    clearTimeout(this.#later);
    this.#waiting.clear();
  }

  #schedule(): void {
    if (this.#turn !== undefined || this.#later !== undefined) return;
    const left = this.#wrote + pause - performance.now();
    if (left > 0) this.#later = setTimeout(() => this.#flushAll(), left);
    else this.#turn = setImmediate(() => this.#flushAll());
  }

  #flushAll(): void {
    this.#turn = undefined;
    this.#later = undefined;
    this.#wrote = performance.now();
    const [first] = this.#waiting.keys();
    if (first !== undefined && this.#waiting.size === 1) {
      this.flush(first);
      return;
    }
    const writes = new Map<Viewer, Buffer[]>();
    for (const [topic, batch] of this.#waiting) {
      const whole = joined(batch);
      for (const viewer of topic.viewers()) {
        if (!takes(viewer, topic, batch)) continue;
        const frames = writes.get(viewer);
        if (frames === undefined) writes.set(viewer, [whole]);
        else frames.push(whole);
      }
    }
    this.#waiting.clear();
    for (const [viewer, frames] of writes) viewer.line.push(frames);
  }
}

function takes({ line, missed }: Viewer, topic: Topic, { before }: Batch): boolean {
  if (missed.size > 0 && missed.has(topic)) return false;
  if (line.buffered <= mostBuffered) return true;
  missed.set(topic, before);
  return false;
}

function joined({ frames, bytes }: Batch): Buffer {
  const [only] = frames;
  return only !== undefined && frames.length === 1 ? only : Buffer.concat(frames, bytes);
}
