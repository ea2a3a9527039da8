/** The part of a session that is about channels: made with the first frame about one. docs/protocol/socket.md §6 */
import type { ChannelClientFrame } from '@island/protocol/wire/channel-frames.ts';
import { encodeServerFrame } from '@island/protocol/wire/frames.ts';
import type { DeviceId } from '@island/protocol/wire/ids.ts';
import { OwnPresence } from './own-presence.ts';
import { Posting } from './posting.ts';
import { Watches, type WatchParts } from './watches.ts';

export class ChannelSession implements Disposable {
  readonly #watches: Watches;
  readonly #posting: Posting;
  readonly #presence: OwnPresence;

  constructor(parts: WatchParts & { device: DeviceId }) {
    this.#watches = new Watches(parts);
    const send = (frame: Parameters<typeof encodeServerFrame>[0]) =>
      parts.line.send(encodeServerFrame(frame));
    this.#posting = new Posting({ ...parts, send });
    this.#presence = new OwnPresence(parts);
  }

  handle(frame: ChannelClientFrame): void {
    switch (frame.type) {
      case 'post':
        this.#posting.post(frame);
        return;
      case 'watch':
        this.#watches.watch(frame.channels);
        return;
      case 'unwatch':
        this.#watches.unwatch(frame.channels);
        return;
      case 'typing':
        this.#watches.typing(frame.channel, frame.began);
        return;
      case 'presence':
        this.#presence.say(frame.state);
        return;
    }
  }

  tick(): void {
    this.#presence.tick();
  }

  drained(): void {
    this.#watches.drained();
  }

  recheck(): Promise<void> {
    return this.#watches.recheck();
  }

  [Symbol.dispose](): void {
    this.#watches[Symbol.dispose]();
    this.#posting[Symbol.dispose]();
    this.#presence[Symbol.dispose]();
  }
}
