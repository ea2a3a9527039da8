/**
 * `islander chat '#general'` at a terminal: a channel on a screen, until the person leaves or goes to another one.
 * What comes is shown in the order of the feed; what is shown there counts as read.
 */
import { may } from '@island/protocol/space/permissions.ts';
import type { Moving } from '../../../attachments/enclosing.ts';
import { pause } from '../../../backoff.ts';
import { createBell } from '../../../bell.ts';
import { markIn } from '../../../channels/unread.ts';
import type { Shown, ShownPost } from '../../../channels/view.ts';
import type { IslanderEvent } from '../../../islander.ts';
import { actsIn, postCalled, targetOf, textBody } from '../../channels/posts.ts';
import { encloseIn } from '../../channels/sending.ts';
import type { Context } from '../../command.ts';
import { type Home, openHome } from '../../home.ts';
import { openScreen, type Screen } from '../../screen/screen.ts';
import { type ChannelPlace, isChannelName, placeNamed } from '../../servers/naming.ts';
import { eventStatus, harmless, openTerminal, statedFailure } from '../../terminal.ts';
import { isCommand, unescaped } from '../commands.ts';
import { openEntry } from '../entry.ts';
import { paintFor } from '../lines.ts';
import { openScrolling } from '../scrolling.ts';
import { Mistake } from '../talk.ts';
import { type ChannelTalk, completions, runChannelCommand } from './channel-commands.ts';
import { layOutChannel, mainColumns } from './channel-layout.ts';
import { channelLines } from './channel-lines.ts';
import { type ListedPlace, listedPlaces, listLines } from './places-list.ts';

/** Posts at first, and more at a time. */
const page = 60;
/** Milliseconds in which changes are gathered. */
const gather = 60;

interface Hearing {
  say(text: string): void;
  hear(event: IslanderEvent): boolean;
}

/** Resolves with the person whose conversation is to be opened next, if there is one. */
export async function channelWindow(context: Context, name: string): Promise<string | undefined> {
  const { stderr } = context.terminal;
  const hearing: Hearing = {
    say: (text) => void stderr.write(`${text}\n`),
    hear: () => false,
  };
  const aside = hearing.say;
  const terminal = openTerminal(context.terminal, false, (text) => hearing.say(text));
  const otherwise = eventStatus(terminal);
  await using home = await openHome({ ...context, terminal }, (event) => {
    if (!hearing.hear(event)) otherwise(event);
  });
  const { spaces, account } = home.islander;
  let online = false;
  for (let next: string | undefined = name; next !== undefined; ) {
    const place: ChannelPlace = await placeNamed(spaces, next, account.account, context.signal);
    home.islander.startSending();
    home.islander.startReceiving();
    const left = await openChannel({ ...context, terminal }, home, place, hearing, online);
    online = left.online;
    hearing.say = aside;
    next = left.next;
    if (next !== undefined && !isChannelName(next)) return next;
  }
  return undefined;
}

async function openChannel(
  { terminal, signal }: Context,
  { islander, storage }: Home,
  opened: ChannelPlace,
  hearing: Hearing,
  wasOnline: boolean,
): Promise<{ next: string | undefined; online: boolean }> {
  const { channels, spaces, account } = islander;
  const { space } = opened.state;
  const id = opened.channel.channel;
  const done = new AbortController();
  const either = AbortSignal.any([signal, done.signal]);
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => undefined);
  const scrolling = openScrolling();
  const paint = paintFor(terminal.stdout);
  const mark = await markIn(storage, id);

  let place = opened;
  let posts: readonly Shown[] = [];
  let places: readonly ListedPlace[] = [];
  let newFrom: number | undefined;
  let wanted = page;
  let online = wasOnline;
  let trouble: string | undefined;
  let moving: Moving | undefined;
  let panel: readonly string[] | undefined;
  let next: string | undefined;
  let queue: Promise<void> = Promise.resolve();

  function draw(): void {
    if (done.signal.aborted) return;
    const { columns, rows } = screen;
    const look = { place, columns: mainColumns(columns), newFrom, now: Date.now(), paint };
    const { lines, mark: at } = channelLines(posts, look);
    scrolling.follow(lines.length, at);
    const { line, selected } = entry;
    const writes = may(place.state, account.account, 'post', place.channel);
    const laid = layOutChannel({
      ...{ place, columns, rows, paint, lines, scroll: scrolling.offset, online, trouble, moving },
      ...{ panel, places, line, selected, posts: writes },
    });
    scrolling.laid(laid.room);
    screen.draw(laid.frame);
  }

  async function look(): Promise<void> {
    const state = await spaces.known(space);
    const channel = state.channels.get(id);
    const there = channel && may(state, account.account, 'view', channel);
    if (!there) {
      trouble = 'this channel is not there for you any more';
      return;
    }
    place = { state, channel };
    posts = (await channels.view(space, id, { limit: wanted })).posts;
    places = await listedPlaces(islander, storage);
    const fresh = posts.find(({ seq = 0 }) => seq > mark);
    if (mark > 0) newFrom ??= fresh?.seq;
  }

  async function follow(): Promise<void> {
    using changed = createBell(either);
    using _watch = storage.watch(changed.ring);
    while (!either.aborted) {
      await look();
      draw();
      const newest = posts.findLast(({ seq }) => seq !== undefined)?.seq;
      if (newest !== undefined) await channels.read(id, newest);
      await changed.next();
      await pause(gather, either);
    }
  }

  const answer = (lines: readonly string[]): void => {
    panel = lines.map(harmless);
    draw();
  };

  async function more(): Promise<void> {
    const first = posts.find(({ seq }) => seq !== undefined)?.seq;
    const here = await channels.view(space, id, { limit: wanted });
    if (!here.more || first === undefined) return;
    if (posts.length < wanted) await channels.older(space, id, first, either);
    wanted += page;
    await look();
    scrolling.grown();
    draw();
  }

  const talk: ChannelTalk = {
    islander,
    place: () => place,
    acts: () => actsIn(islander, place),
    signal: either,
    post: (called) => postCalled(islander, place, called),
    lastOfOurs: () =>
      posts.findLast(
        (each): each is ShownPost => !('hidden' in each) && each.mine && !each.deleted,
      ),
    async say(text, { reply, files = [] } = {}) {
      const with_ = reply ? { reply: targetOf(reply) } : {};
      if (files.length === 0) await channels.post(space, id, textBody(place, text, with_));
      else
        await encloseIn(
          { islander, storage, place, terminal, signal: either },
          text,
          files,
          with_,
          talk.onProgress,
        );
    },
    tell: answer,
    onProgress(now) {
      moving = now.done < now.total ? now : undefined;
      draw();
    },
    offer: (text) => entry.offer(text),
    more,
    list: async () => listLines(await listedPlaces(islander, storage), mainColumns(screen.columns)),
    async go(where) {
      // What is not there is said here.
      const here = isChannelName(where) && !where.includes('/') ? `${space}/${where}` : where;
      const other = isChannelName(where)
        ? await placeNamed(spaces, here, account.account, either).catch(() =>
            placeNamed(spaces, where, account.account, either),
          )
        : undefined;
      if (!other) await islander.people.find(where, either);
      next = other ? `${other.state.space}/#${other.channel.channel}` : where;
      done.abort();
    },
    quit: () => done.abort(),
  };

  async function carryOut(text: string): Promise<void> {
    try {
      if (isCommand(text)) await runChannelCommand(talk, text.trim());
      else await talk.say(unescaped(text));
    } catch (error) {
      if (either.aborted) return;
      moving = undefined;
      const sentence = error instanceof Mistake ? error.message : statedFailure(error)?.text;
      if (sentence === undefined) return failed.reject(error);
      const back = entry.giveBack(text);
      answer([`✗ ${sentence}`, ...(back ? [] : ['↑ brings back what you typed.'])]);
    }
  }

  /** The place so far from this one in the list. */
  function move(by: number): void {
    const at = places.findIndex(({ channel }) => channel === id);
    const to = places[(at + by + places.length) % places.length];
    if (to && to.channel !== id) talk.go(to.go)?.catch(failed.reject);
  }

  const entry = openEntry({
    onChange: draw,
    onSubmit(text) {
      panel = undefined;
      scrolling.toEnd();
      if (text.trim() !== '') queue = queue.then(() => carryOut(text));
      draw();
    },
    onChoices: (choices) => answer([choices.join('  ')]),
    onDraftLeft: () => undefined,
    onTurn(pages) {
      if (scrolling.turn(pages)) more().catch(failed.reject);
      draw();
    },
    onEscape() {
      panel = undefined;
      draw();
    },
    onClose: () => done.abort(),
    complete: async (before) => completions(before, place.state),
  });

  using screen: Screen = openScreen(terminal, {
    onKey(typed, key) {
      if (key.meta && key.name === 'up') move(-1);
      else if (key.meta && key.name === 'down') move(1);
      else entry.onKey(typed, key);
    },
    onPaste: entry.onPaste,
    onResize: draw,
  });
  hearing.hear = (event) => {
    if (event.type === 'online' || event.type === 'offline') {
      online = event.type === 'online';
      trouble = undefined;
    } else if (event.type === 'post-waiting' && event.channel === id)
      trouble = online ? harmless(event.error.message) : undefined;
    else if (event.type === 'channel-trouble') trouble = harmless(event.error.message);
    else if (event.type !== 'typing' && event.type !== 'post-refused') return false;
    draw();
    return true;
  };
  hearing.say = (text) => answer([...(panel ?? []), text].slice(-4));
  const clock = setInterval(draw, 20_000);
  try {
    await Promise.race([follow(), islander.failed, failed.promise]);
    await queue;
    return { next, online };
  } finally {
    done.abort();
    clearInterval(clock);
    hearing.hear = () => false;
  }
}
