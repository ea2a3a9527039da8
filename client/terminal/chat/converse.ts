/**
 * A conversation on a screen, until the person leaves: what changes on either side changes there, and what was
 * taken back or has disappeared is not left on it.
 */
import type { Moving } from '../../attachments/enclosing.ts';
import type { IslanderEvent } from '../../islander.ts';
import type { Context } from '../command.ts';
import type { Home } from '../home.ts';
import { textOf } from '../screen/line-editor.ts';
import { openScreen } from '../screen/screen.ts';
import { harmless } from '../terminal.ts';
import { openCalls } from './calls.ts';
import { isCommand } from './commands.ts';
import { openDoing } from './doing.ts';
import { openDraft } from './draft.ts';
import { openEntry } from './entry.ts';
import { layOut } from './layout.ts';
import { conversationLines, paintFor } from './lines.ts';
import { openScrolling } from './scrolling.ts';
import { openSight } from './sight.ts';
import type { Talk } from './talk.ts';

/** Milliseconds between looks at the clock. */
const tick = 20_000;
/** Milliseconds after connecting in which what comes was waiting. */
const settle = 3_000;

const ofSelected = 'It is still there: ← changes it, Enter tries again, anything else replaces it.';

export interface Hearing {
  say(text: string): void;
  /** False for what is not of this conversation. */
  hear(event: IslanderEvent): boolean;
}

export interface Left {
  /** What was begun to be written. */
  draft: string;
  /** Files that were on their way. */
  unfinished: readonly string[];
}

/** Until the person leaves. */
export async function converse(
  { terminal, signal }: Context,
  { islander, storage }: Home,
  name: string,
  hearing: Hearing,
): Promise<Left> {
  const { conversations } = islander;
  const done = new AbortController();
  const either = AbortSignal.any([signal, done.signal]);
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => undefined);
  const calls = openCalls(islander, name);
  const sight = openSight(islander, storage, name, calls);
  const scrolling = openScrolling();
  const paint = paintFor(terminal.stdout);
  const begun = await conversations.draft(name);

  let settling: NodeJS.Timeout | undefined;
  let [online, typing] = [false, false];
  let trouble: string | undefined;
  let moving: Moving | undefined;
  let panel: readonly string[] | undefined;

  function draw(): void {
    if (done.signal.aborted) return;
    const { columns, rows } = screen;
    const { shown, newFrom, standing, verified, timer } = sight;
    const look = { name, columns, numberOf: calls.numberOf, newFrom, now: Date.now(), paint };
    const { lines, mark } = conversationLines(shown, look);
    scrolling.follow(lines.length, mark);
    const { line, selected } = entry;
    const said = panel && selected ? [...panel, ofSelected] : panel;
    const state = { standing, verified, timer, online, trouble, typing, moving, panel: said };
    const input = { line, selected, waiting: doing.long.length - (moving ? 1 : 0) };
    const scroll = scrolling.offset;
    const laid = layOut({ name, columns, rows, paint, lines, scroll, ...input, ...state });
    scrolling.laid(laid.room);
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
    scrolling.grown();
    draw();
  }

  const talk: Talk = {
    islander,
    storage,
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
    offer: (text) => entry.offer(text),
    quit: () => done.abort(),
  };

  const doing = openDoing(talk, {
    onSaid: () => draft.emptied(),
    onRefused(text, sentence) {
      moving = undefined;
      // What was typed for nothing is not lost.
      const there = entry.giveBack(text);
      answer([`✗ ${sentence}`, ...(there ? [] : ['↑ brings back what you typed.'])]);
    },
    onFailed: failed.reject,
    onEnded: draw,
  });

  const draft = openDraft(
    {
      // What is not in the home yet would be lost, too.
      text: () => [...doing.unsaid, textOf(entry.line)].filter((each) => each !== '').join('\n'),
      keep: (text) => conversations.keepDraft(name, text),
      onFailed: failed.reject,
    },
    begun,
  );
  const ignored = (): undefined => undefined;

  const entry = openEntry({
    onChange(text, typed) {
      draft.changed();
      // Whether it was told is nothing to wait for.
      if (text === '') conversations.stopped(name).catch(ignored);
      else if (typed && !isCommand(text)) conversations.typing(name).catch(ignored);
      draw();
    },
    onSubmit(text) {
      panel = undefined;
      scrolling.toEnd();
      sight.settle();
      if (text.trim() !== '') doing.submit(text);
      draw();
    },
    onChoices: (choices) => answer([choices.join('  ')]),
    onDraftLeft: () => answer(['Your draft gave way to what you pasted: ↑ brings it back.']),
    onTurn(pages) {
      if (scrolling.turn(pages)) more().catch(failed.reject);
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
  if (begun !== '') entry.restore(begun);
  islander.startReceiving();
  const clock = setInterval(draw, tick);
  try {
    await Promise.race([sight.follow(draw, either), islander.failed, failed.promise]);
    await doing.settled();
    return { draft: textOf(entry.line), unfinished: doing.long };
  } finally {
    done.abort();
    clearInterval(clock);
    clearTimeout(settling);
    hearing.hear = () => false;
    await draft.close();
  }
}
