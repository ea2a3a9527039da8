/**
 * A conversation in a window of its own: what changes on either side changes on the screen, and what was
 * taken back or has disappeared is not left on it.
 */
import type { Moving } from '../../attachments/enclosing.ts';
import type { Conversations } from '../../conversation/conversations.ts';
import type { IslanderEvent } from '../../islander.ts';
import type { Context } from '../command.ts';
import { type Home, openHome } from '../home.ts';
import { textOf } from '../screen/line-editor.ts';
import { openScreen } from '../screen/screen.ts';
import { eventStatus, harmless, openTerminal, statedFailure } from '../terminal.ts';
import { openCalls } from './calls.ts';
import { isCommand, isLong, runCommand, unescaped } from './commands.ts';
import { openEntry } from './entry.ts';
import { layOut } from './layout.ts';
import { conversationLines, paintFor } from './lines.ts';
import { openSight } from './sight.ts';
import { Mistake, type Talk } from './talk.ts';

/** Milliseconds: until a draft is kept; between looks at the clock. */
const draftAfter = 1_500;
const tick = 20_000;
/** Milliseconds after connecting in which what comes was waiting. */
const settle = 3_000;

export async function chatWindow(context: Context, name: string): Promise<void> {
  const { stderr } = context.terminal;
  // Before the window is open, and after it has closed, things are said as everywhere.
  const aside = (text: string): void => void stderr.write(`${text}\n`);
  const hearing = { say: aside, hear: (_event: IslanderEvent): boolean => false };
  const terminal = openTerminal(context.terminal, false, (text) => hearing.say(text));
  const otherwise = eventStatus(terminal);
  await using home = await openHome({ ...context, terminal }, (event) => {
    if (!hearing.hear(event)) otherwise(event);
  });
  const { conversations } = home.islander;
  await checkName(home, name);
  home.islander.startSending();
  const left = await converse(context, home, name, hearing);
  hearing.say = aside;
  await conversations.keepDraft(name, left);
  await tellWaiting(conversations, name, aside);
}

/** A name that nobody has is said at once, not with the first message. */
async function checkName({ islander }: Home, name: string): Promise<void> {
  const unlessBlocked = (error: unknown): void => {
    if (statedFailure(error)?.code !== 'blocked') throw error;
  };
  await Promise.race([islander.send(name, []).catch(unlessBlocked), islander.failed]);
}

async function tellWaiting(
  conversations: Conversations,
  name: string,
  say: (text: string) => void,
): Promise<void> {
  const shown = await conversations.view(name);
  const waits = shown.filter((each) => each.type === 'message' && each.state === 'queued').length;
  if (waits === 0) return;
  const what = waits === 1 ? '1 message waits' : `${waits} messages wait`;
  say(`${what} to be sent: the next send, listen or chat does it.`);
}

interface Hearing {
  say(text: string): void;
  /** False for what is not of this conversation. */
  hear(event: IslanderEvent): boolean;
}

/** Until the person leaves; answers what was begun to be written. */
async function converse(
  { terminal, signal }: Context,
  { islander, storage }: Home,
  name: string,
  hearing: Hearing,
): Promise<string> {
  const { conversations } = islander;
  const done = new AbortController();
  const either = AbortSignal.any([signal, done.signal]);
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => undefined);
  const calls = openCalls(islander, name);
  const sight = openSight(islander, storage, name, calls);
  const paint = paintFor(terminal.stdout);
  const draft = await conversations.draft(name);

  let settling: NodeJS.Timeout | undefined;
  let [online, typing] = [false, false];
  let trouble: string | undefined;
  let moving: Moving | undefined;
  let panel: readonly string[] | undefined;
  /** Whether the mark of what is new was come to. */
  let marked = false;
  /** Lines from the end; that there is room for; that there were. */
  let [scroll, room, count] = [0, 1, 0];

  function draw(): void {
    if (done.signal.aborted) return;
    const { columns, rows } = screen;
    const { shown, newFrom, standing, verified, timer } = sight;
    const look = { name, columns, numberOf: calls.numberOf, newFrom, now: Date.now(), paint };
    const { lines, mark } = conversationLines(shown, look);
    // Whoever reads further up stays there.
    if (scroll > 0 && count > 0) scroll += lines.length - count;
    else if (mark !== undefined && !marked) scroll = lines.length - room - mark;
    marked ||= mark !== undefined;
    count = lines.length;
    scroll = Math.max(0, Math.min(scroll, count - room));
    const state = { standing, verified, timer, online, trouble, typing, moving, panel };
    const frame = { name, columns, rows, paint, lines, scroll, line: entry.line, ...state };
    const laid = layOut(frame);
    room = laid.room;
    screen.draw(laid.frame);
  }

  function hear(event: IslanderEvent): boolean {
    if (event.type === 'online' || event.type === 'offline') {
      online = event.type === 'online';
      if (online) settling ??= setTimeout(sight.settle, settle);
      trouble = undefined;
    } else if (event.type === 'typing') {
      if (event.from === name) typing = event.began;
    } else if (event.type === 'waiting') {
      // Without a connection that is no news.
      if (event.to === name && online) trouble = harmless(event.error.message);
    } else if (event.type === 'moving') {
      trouble = undefined;
    } else {
      return false;
    }
    draw();
    return true;
  }

  function answer(lines: readonly string[]): void {
    panel = lines.map(harmless);
    draw();
  }

  async function more(): Promise<void> {
    if (!(await sight.more())) return;
    count = 0;
    scroll += Math.max(1, room - 2);
    draw();
  }

  const talk: Talk = {
    islander,
    name,
    signal: either,
    message: calls.find,
    lastOfOurs: calls.lastOfOurs,
    tell: answer,
    said: () => undefined,
    onProgress(now) {
      moving = now.done < now.total ? now : undefined;
      draw();
    },
    more,
    offer: (text) => entry.put(text),
    quit: () => done.abort(),
  };

  async function carryOut(text: string): Promise<void> {
    try {
      if (isCommand(text)) await runCommand(talk, text.trim());
      else await conversations.say(name, unescaped(text));
    } catch (error) {
      if (either.aborted) return;
      moving = undefined;
      const sentence = error instanceof Mistake ? error.message : statedFailure(error)?.text;
      if (sentence === undefined) return failed.reject(error);
      // What was typed for nothing is not lost.
      if (textOf(entry.line) === '') entry.put(text);
      answer([`✗ ${sentence}`]);
    }
  }

  /** What was typed is done in its order; nobody waits for an upload. */
  let queue: Promise<void> = Promise.resolve();
  let keeping: NodeJS.Timeout | undefined;
  const ignored = (): undefined => undefined;

  const entry = openEntry({
    onChange(text) {
      clearTimeout(keeping);
      keeping = setTimeout(() => {
        conversations.keepDraft(name, text).catch(failed.reject);
      }, draftAfter);
      // Whether it was told is nothing to wait for.
      if (text === '') conversations.stopped(name).catch(ignored);
      else if (!isCommand(text)) conversations.typing(name).catch(ignored);
      draw();
    },
    onSubmit(text) {
      panel = undefined;
      scroll = 0;
      sight.settle();
      if (text.trim() === '') draw();
      else if (isCommand(text) && isLong(text)) void carryOut(text);
      else queue = queue.then(() => carryOut(text));
    },
    onChoices: (choices) => answer([choices.join('  ')]),
    onTurn(pages) {
      const top = scroll + room >= count;
      scroll -= pages * Math.max(1, room - 2);
      if (pages < 0 && top) more().catch(failed.reject);
      draw();
    },
    onEscape() {
      panel = undefined;
      draw();
    },
    onClose: () => done.abort(),
  });

  using screen = openScreen(terminal, {
    onKey: entry.onKey,
    onPaste: entry.onPaste,
    onResize: draw,
  });
  hearing.hear = hear;
  hearing.say = (text) => answer([...(panel ?? []), text].slice(-4));
  if (draft !== '') entry.put(draft);
  islander.startReceiving();
  const clock = setInterval(draw, tick);
  try {
    await Promise.race([sight.follow(draw, either), islander.failed, failed.promise]);
    await queue;
    return textOf(entry.line);
  } finally {
    done.abort();
    clearInterval(clock);
    clearTimeout(keeping);
    clearTimeout(settling);
    hearing.hear = () => false;
  }
}
