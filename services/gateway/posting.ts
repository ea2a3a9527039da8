/**
 * What one session posts: those of a channel one after another, in the order in which they came, so few at once that
 * nobody's posts make the island's memory grow. docs/protocol/socket.md §6
 */
import type { ChannelClientFrame } from '@island/protocol/wire/channel-frames.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { ServerFrame } from '@island/protocol/wire/frames.ts';
import type { AccountId, ChannelId, DeviceId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { hex } from '@island/protocol/wire/text.ts';
import type { Bus } from '../kit/bus.ts';
import type { Log } from '../kit/log.ts';
import { spaces } from '../spaces/contract.ts';
import { refusal } from './watches.ts';

export interface PostingParts {
  account: AccountId;
  device: DeviceId;
  bus: Bus;
  log: Log;
  send: (frame: ServerFrame) => void;
}

type PostFrame = ChannelClientFrame & { type: 'post' };

export class Posting implements Disposable {
  readonly #parts: PostingParts;
  /** The last one of each channel that was taken and not yet answered. */
  readonly #last = new Map<ChannelId, Promise<void>>();
  #unanswered = 0;
  #ended = false;

  constructor(parts: PostingParts) {
    this.#parts = parts;
  }

  /** Is answered, unless the session ends before. */
  post(frame: PostFrame): void {
    const { request, channel, post } = frame;
    const full = this.#unanswered >= limits.postsUnanswered;
    // The channel stands behind version and type of a post. channel.md §6
    const wrong = hex(post.subarray(2, 18)) !== channel;
    if (full || wrong) {
      const fault = new Fault(full ? 'rate_limited' : 'malformed');
      this.#parts.send(refusal(request, channel, fault));
      return;
    }
    this.#unanswered += 1;
    const turn = (this.#last.get(channel) ?? Promise.resolve()).then(() => this.#put(frame));
    this.#last.set(channel, turn);
    void turn.then(() => {
      this.#unanswered -= 1;
      if (this.#last.get(channel) === turn) this.#last.delete(channel);
    });
  }

  [Symbol.dispose](): void {
    this.#ended = true;
  }

  /** Never rejects. */
  async #put({ request, channel, lists, post }: PostFrame): Promise<void> {
    if (this.#ended) return;
    const answer = await this.#ask({ request, channel, lists, post });
    if (!this.#isOver()) this.#parts.send(answer);
  }

  async #ask({ request, channel, lists, post }: Omit<PostFrame, 'type'>): Promise<ServerFrame> {
    const { account, device, bus, log } = this.#parts;
    try {
      const { seq } = await bus.call(spaces, 'post', { account, device, lists, post });
      return { type: 'posted', request, seq };
    } catch (error) {
      if (!(error instanceof Fault)) log.error('post_failed', error);
      return refusal(request, channel, error instanceof Fault ? error : new Fault('internal'));
    }
  }

  /** A function, because it changes while an answer is awaited. */
  #isOver(): boolean {
    return this.#ended;
  }
}
