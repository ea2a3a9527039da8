/**
 * The channels that somebody at this gateway watches, and their spaces: one subscription each for all sessions, every
 * event framed once. docs/protocol/socket.md §6
 *
 * Invariant: whoever is in `viewers` may see the channel, as far as the island has said: a right that is lost, or can't
 * be told any more, ends the watch.
 */
import { encodeServerFrame } from '@island/protocol/wire/frames.ts';
import type { AccountId, ChannelId, SpaceId } from '@island/protocol/wire/ids.ts';
import type { Bus, Subscription } from '../kit/bus.ts';
import { spaces } from '../spaces/contract.ts';
import { FanOut, type Topic, type Viewer } from './fan-out.ts';
import { preparedFrame } from './prepared-frame.ts';

/** A session that watches, or has asked to. */
export interface Watcher extends Viewer {
  readonly account: AccountId;
  /** The account may not see the channel any more. */
  shut(channel: Channel): void;
}

export interface LateTopic extends Topic {
  /** What a watcher is told that was left out after a place, if it still watches. */
  late(watcher: Watcher, since: number): Uint8Array | undefined;
}

export interface Channels extends Disposable {
  /** Joins a channel that others watch here. */
  join(id: ChannelId, watcher: Watcher): Channel | undefined;
  /** Joins it, whether or not others do. */
  open(id: ChannelId, space: SpaceId, watcher: Watcher): Channel;
  leave(channel: Channel, watcher: Watcher): void;
  /** Events may have been lost: every watcher is told. */
  lost(): void;
}

export class Channel implements LateTopic, Disposable {
  readonly id: ChannelId;
  readonly space: Space;
  /** Everybody who is told when the right is lost: those who view, and those whose question is on its way. */
  readonly watchers = new Set<Watcher>();
  place = 0;
  /** Whether the next post must be the one behind `place`. */
  #sure = false;
  readonly #viewers = new Set<Watcher>();
  readonly #fan: FanOut;
  readonly #events: Subscription[];

  constructor(id: ChannelId, space: Space, { bus, fan }: { bus: Bus; fan: FanOut }) {
    this.id = id;
    this.space = space;
    this.#fan = fan;
    this.#events = [
      bus.subscribe(spaces, 'posted', id, (item) => {
        if (item.seq <= this.place) return;
        if (this.#sure && item.seq !== this.place + 1) this.lost();
        this.#add({ type: 'post', channel: id, item });
        this.#sure = true;
        this.place = item.seq;
      }),
      bus.subscribe(spaces, 'removed', id, ({ seqs }) =>
        this.#add({ type: 'removed', channel: id, seqs }),
      ),
      bus.subscribe(spaces, 'shut', id, ({ accounts }) => this.#shut(new Set(accounts))),
      bus.subscribe(spaces, 'typing', id, (typing) =>
        this.#add({ type: 'typing', channel: id, ...typing }),
      ),
    ];
  }

  get ready(): Promise<unknown> {
    return Promise.all(this.#events.map(({ ready }) => ready));
  }

  viewers(): Iterable<Watcher> {
    return this.#viewers;
  }

  /**
   * From here on the watcher gets what comes.
   * @param head of the channel, by an answer to a question that was asked while events were heard already
   * @returns the place up to which it has to fetch
   */
  view(watcher: Watcher, head: number): number {
    this.#fan.flush(this);
    // Others may still wait for events of what the answer knows of already.
    if (this.#viewers.size === 0) {
      this.place = Math.max(this.place, head);
      this.#sure = true;
    }
    if (!this.#viewers.has(watcher)) this.space.enter(watcher);
    this.#viewers.add(watcher);
    return Math.max(this.place, head);
  }

  leave(watcher: Watcher): void {
    this.watchers.delete(watcher);
    if (this.#viewers.delete(watcher)) this.space.exit(watcher);
  }

  /** Posts may be missing after the newest. */
  lost(): void {
    this.#add({ type: 'behind', channel: this.id, seq: this.place });
    this.#sure = false;
  }

  late(watcher: Watcher, seq: number): Uint8Array | undefined {
    if (!this.#viewers.has(watcher)) return undefined;
    return encodeServerFrame({ type: 'behind', channel: this.id, seq });
  }

  [Symbol.dispose](): void {
    for (const event of this.#events) event[Symbol.dispose]();
  }

  #shut(accounts: ReadonlySet<AccountId>): void {
    this.#fan.flush(this);
    for (const watcher of this.watchers) if (accounts.has(watcher.account)) watcher.shut(this);
  }

  #add(frame: Parameters<typeof encodeServerFrame>[0]): void {
    if (this.#viewers.size > 0) this.#fan.add(this, preparedFrame(encodeServerFrame(frame)));
  }
}

/** What is told to whoever watches a channel of it. */
export class Space implements LateTopic, Disposable {
  readonly id: SpaceId;
  readonly place = 0;
  /** Channels here that hold it. */
  channels = 0;
  #newest: Uint8Array | undefined;
  /** And how many of its channels each of them views. */
  readonly #viewers = new Map<Watcher, number>();
  readonly #events: Subscription[];

  constructor(id: SpaceId, { bus, fan }: { bus: Bus; fan: FanOut }) {
    this.id = id;
    this.#events = [
      bus.subscribe(spaces, 'moved', id, (counts) => {
        this.#newest = encodeServerFrame({ type: 'space', space: id, ...counts });
        if (this.#viewers.size > 0) fan.add(this, preparedFrame(this.#newest));
      }),
      bus.subscribe(spaces, 'presence', id, (presence) => {
        if (this.#viewers.size === 0) return;
        fan.add(
          this,
          preparedFrame(encodeServerFrame({ type: 'presence', space: id, ...presence })),
        );
      }),
    ];
  }

  viewers(): Iterable<Watcher> {
    return this.#viewers.keys();
  }

  enter(watcher: Watcher): void {
    this.#viewers.set(watcher, (this.#viewers.get(watcher) ?? 0) + 1);
  }

  exit(watcher: Watcher): void {
    const left = (this.#viewers.get(watcher) ?? 0) - 1;
    if (left > 0) this.#viewers.set(watcher, left);
    else this.#viewers.delete(watcher);
  }

  late(watcher: Watcher): Uint8Array | undefined {
    return this.#viewers.has(watcher) ? this.#newest : undefined;
  }

  [Symbol.dispose](): void {
    for (const event of this.#events) event[Symbol.dispose]();
  }
}

export function openChannels(bus: Bus): Channels {
  const fan = new FanOut();
  const channels = new Map<ChannelId, Channel>();
  const known = new Map<SpaceId, Space>();

  function held(id: SpaceId): Space {
    const space = known.get(id) ?? new Space(id, { bus, fan });
    known.set(id, space);
    space.channels += 1;
    return space;
  }

  function close(channel: Channel): void {
    channel[Symbol.dispose]();
    channels.delete(channel.id);
    const { space } = channel;
    space.channels -= 1;
    if (space.channels > 0) return;
    space[Symbol.dispose]();
    known.delete(space.id);
  }

  function join(id: ChannelId, watcher: Watcher): Channel | undefined {
    const channel = channels.get(id);
    channel?.watchers.add(watcher);
    return channel;
  }

  return {
    join,
    open(id, space, watcher) {
      const there = join(id, watcher);
      if (there !== undefined) return there;
      const channel = new Channel(id, held(space), { bus, fan });
      channel.watchers.add(watcher);
      channels.set(id, channel);
      return channel;
    },
    leave(channel, watcher) {
      channel.leave(watcher);
      if (channel.watchers.size === 0 && channels.get(channel.id) === channel) close(channel);
    },
    lost() {
      for (const channel of channels.values()) channel.lost();
    },
    [Symbol.dispose]() {
      for (const channel of channels.values()) close(channel);
      fan[Symbol.dispose]();
    },
  };
}
