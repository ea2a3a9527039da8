/**
 * What one session watches: asked of `spaces`, kept until it says so, the right is lost or the session ends.
 * docs/protocol/socket.md §6
 *
 * Whether the account may watch is asked while `shut` is heard already: a right that is lost in between is not granted.
 */

import { mostAtOnce } from '@island/protocol/wire/channel-frames.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { ServerFrame } from '@island/protocol/wire/frames.ts';
import { encodeServerFrame } from '@island/protocol/wire/frames.ts';
import type { AccountId, ChannelId } from '@island/protocol/wire/ids.ts';
import { limits } from '@island/protocol/wire/limits.ts';
import { pause } from '../kit/backoff.ts';
import type { Bus } from '../kit/bus.ts';
import type { Log } from '../kit/log.ts';
import { spaces } from '../spaces/contract.ts';
import type { Channel, Channels, LateTopic, Watcher } from './channels.ts';
import type { Line } from './session.ts';

export interface WatchParts {
  account: AccountId;
  line: Line;
  bus: Bus;
  channels: Channels;
  log: Log;
  ticks: () => number;
}

interface Watch {
  channel: Channel | undefined;
  viewing: boolean;
  /** When it was last told that somebody types, and whether that stands. */
  typedAt: number;
  typing: boolean;
}

/** How often what stands is asked about, milliseconds apart, before it ends because nobody can say. */
const mostTries = 6;
const retryPause = 250;

export class Watches implements Watcher, Disposable {
  readonly account: AccountId;
  readonly line: Line;
  readonly missed = new Map<LateTopic, number>();
  readonly #parts: WatchParts;
  readonly #all = new Map<ChannelId, Watch>();

  constructor(parts: WatchParts) {
    this.#parts = parts;
    this.account = parts.account;
    this.line = parts.line;
  }

  /** Every channel is answered. */
  watch(ids: readonly ChannelId[]): void {
    const asked = new Map<ChannelId, Watch>();
    for (const id of ids) {
      const there = this.#all.get(id);
      if (there === undefined && this.#all.size >= limits.watchedChannels) {
        this.#refuse(id, new Fault('too_large', { most: limits.watchedChannels }));
        continue;
      }
      const watch = there ?? { channel: undefined, viewing: false, typedAt: -1e9, typing: false };
      this.#all.set(id, watch);
      asked.set(id, watch);
    }
    if (asked.size > 0) void this.#ask(asked, true);
  }

  unwatch(ids: readonly ChannelId[]): void {
    for (const id of ids) this.#drop(id);
  }

  /** Rights may have been lost unheard. Resolves when all are asked for; what can't be told ends. */
  async recheck(): Promise<void> {
    const all = [...this.#all].filter(([, { viewing }]) => viewing);
    for (let at = 0; at < all.length; at += mostAtOnce)
      await this.#ask(new Map(all.slice(at, at + mostAtOnce)), false);
  }

  shut(channel: Channel): void {
    this.#drop(channel.id);
    this.#refuse(channel.id, new Fault('not_found'));
  }

  typing(id: ChannelId, began: boolean): void {
    const { account, bus, ticks } = this.#parts;
    const watch = this.#all.get(id);
    if (!watch?.viewing) return;
    const early = ticks() - watch.typedAt < limits.typingSeconds * 1000;
    if (began ? early : !watch.typing) return;
    if (began) watch.typedAt = ticks();
    watch.typing = began;
    // Nothing hangs on it: who may not type here, or at the moment, is not told so.
    bus.call(spaces, 'typing', { account, channel: id, began }).catch(() => undefined);
  }

  /** The socket took what was waiting. */
  drained(): void {
    const missed = [...this.missed];
    this.missed.clear();
    for (const [topic, since] of missed) {
      const frame = topic.late(this, since);
      if (frame !== undefined) this.line.send(frame);
    }
  }

  [Symbol.dispose](): void {
    for (const id of [...this.#all.keys()]) this.#drop(id);
    this.missed.clear();
  }

  /** @param tell that it watches now, too */
  async #ask(
    asked: ReadonlyMap<ChannelId, Watch>,
    tell: boolean,
    tries = tell ? 1 : mostTries,
  ): Promise<void> {
    try {
      await this.#join(asked);
      const wanted = this.#wanted(asked);
      await Promise.all(wanted.map(([, { channel }]) => channel?.ready));
      const found = await this.#may(wanted.map(([id]) => id));
      const heads = new Map(found.map(({ channel, head }) => [channel, head]));
      for (const [id, watch] of this.#wanted(asked)) {
        const head = heads.get(id);
        if (head === undefined || watch.channel === undefined)
          this.#end(id, new Fault('not_found'));
        else if (tell || !watch.viewing) {
          watch.viewing = true;
          this.#send({ type: 'watching', channel: id, head: watch.channel.view(this, head) });
        }
      }
    } catch (error) {
      if (!(error instanceof Fault)) this.#parts.log.error('watch_failed', error);
      const fault = error instanceof Fault ? error : new Fault('internal');
      // After an outage of the bus spaces may be back a little later than we are.
      if (fault.code === 'unavailable' && tries > 1) {
        await pause(retryPause);
        return this.#ask(asked, tell, tries - 1);
      }
      for (const [id] of this.#wanted(asked)) this.#end(id, fault);
    }
  }

  /** Nothing is subscribed to for a channel that the account may not see. */
  async #join(asked: ReadonlyMap<ChannelId, Watch>): Promise<void> {
    const { channels } = this.#parts;
    for (const [id, watch] of asked) watch.channel ??= channels.join(id, this);
    const fresh = [...asked].filter(([, { channel }]) => channel === undefined).map(([id]) => id);
    if (fresh.length === 0) return;
    for (const { channel, space } of await this.#may(fresh)) {
      const watch = asked.get(channel);
      if (watch !== undefined && this.#all.get(channel) === watch)
        watch.channel ??= channels.open(channel, space, this);
    }
    for (const [id, { channel }] of this.#wanted(asked))
      if (channel === undefined) this.#end(id, new Fault('not_found'));
  }

  async #may(ids: readonly ChannelId[]) {
    if (ids.length === 0) return [];
    const { account, bus } = this.#parts;
    const { channels } = await bus.call(spaces, 'watch', { account, channels: [...ids] });
    return channels;
  }

  /** Those that did not end meanwhile. */
  #wanted(asked: ReadonlyMap<ChannelId, Watch>): [ChannelId, Watch][] {
    return [...asked].filter(([id, watch]) => this.#all.get(id) === watch);
  }

  #end(id: ChannelId, fault: Fault): void {
    this.#drop(id);
    this.#refuse(id, fault);
  }

  #drop(id: ChannelId): void {
    const channel = this.#all.get(id)?.channel;
    this.#all.delete(id);
    if (channel === undefined) return;
    this.missed.delete(channel);
    this.#parts.channels.leave(channel, this);
  }

  #refuse(channel: ChannelId, fault: Fault): void {
    this.#send(refusal(0, channel, fault));
  }

  #send(frame: ServerFrame): void {
    this.line.send(encodeServerFrame(frame));
  }
}

/** A fault with the number that it states. */
export function refusal(
  request: number,
  channel: ChannelId,
  { code, details }: Fault,
): ServerFrame {
  const [number] = Object.values(details ?? {});
  const stated = typeof number === 'number' ? number : 0;
  return { type: 'refused', request, channel, code, number: stated };
}
