/**
 * A conversation as lines of a screen. What others wrote goes through `harmless` and is cut to the columns
 * before any style is put on it: it stays inside of its own message.
 */
import { styleText } from 'node:util';
import type { Shown, ShownMessage, ShownUnreadable } from '../../conversation/view.ts';
import { lostSentence } from '../../repair/placeholders.ts';
import { leftText } from '../amounts.ts';
import { attachmentsOf, attachmentText } from '../attached.ts';
import { cut, fill, widthOf, wrap } from '../screen/columns.ts';
import { harmless } from '../terminal.ts';

export type Style = 'bold' | 'dim' | 'cyan' | 'green' | 'red' | 'yellow' | 'inverse' | 'none';
export type Paint = (style: Style, text: string) => string;

/** As far as the terminal shows styles, and the person wants them (NO_COLOR). */
export const paintFor =
  (stream: NodeJS.WriteStream): Paint =>
  (style, text) =>
    style === 'none' || text === '' ? text : styleText(style, text, { stream });

export interface Look {
  name: string;
  columns: number;
  /** By which number a message is called, by its key. */
  numberOf: (key: string) => number;
  /** The first one that was new when the conversation was opened. */
  newFrom: string | undefined;
  now: number;
  paint: Paint;
}

/** A line before it is styled. */
type Plain = readonly [style: Style, text: string];

/** `mark`: which of the lines says that what follows is new. */
export function conversationLines(
  shown: readonly Shown[],
  look: Look,
): { lines: string[]; mark: number | undefined } {
  const lines: string[] = [];
  let mark: number | undefined;
  let day = '';
  // Said once: what is above it is no different.
  const asked = shown.findLast((each) => each.type === 'message' && each.request === 'waits');
  for (const each of shown) {
    const here = dayText(each.time, look.now);
    if (here !== day) lines.push(look.paint('dim', rule(here, look.columns)));
    day = here;
    if (each.at === look.newFrom && each !== shown[0])
      mark = lines.push(look.paint('yellow', rule('new since you were last here', look.columns)));
    if (each.type !== 'message') lines.push(...missingLines(each, look));
    else if (each.request && each !== asked)
      lines.push(...messageLines({ ...each, request: 'over' }, look));
    else lines.push(...messageLines(each, look));
  }
  return { lines, mark: mark === undefined ? undefined : mark - 1 };
}

export const rule = (text: string, columns: number): string => {
  const side = Math.max(2, Math.floor((columns - widthOf(text) - 2) / 2));
  return cut(`${'─'.repeat(side)} ${text} ${'─'.repeat(side)}`, columns);
};

const days = new Intl.DateTimeFormat('en-GB', { dateStyle: 'full' });

/** By the clock and the calendar of this machine. */
export function dayText(ms: number, now: number): string {
  const date = new Date(ms);
  if (Number.isNaN(date.getTime())) return 'an unknown day';
  const since = new Date(now).setHours(0, 0, 0, 0) - new Date(ms).setHours(0, 0, 0, 0);
  if (since === 0) return 'Today';
  return Math.round(since / 86_400_000) === 1 ? 'Yesterday' : days.format(date);
}

export const timeText = (ms: number): string => new Date(ms).toTimeString().slice(0, 5);
const longestName = 12;

/** `  7 09:41 bob  ` and what follows under each other. */
function messageLines(message: ShownMessage, look: Look): string[] {
  const { paint, columns, name } = look;
  const ours = message.direction === 'out';
  const wide = Math.max(3, Math.min(widthOf(name), longestName));
  const number = String(look.numberOf(message.key)).padStart(3);
  const who = fill(ours ? 'you' : name, wide);
  const indent = number.length + 1 + 5 + 1 + wide + 2;
  const body = bodyLines(message, look, columns - indent);
  return body.map((line, i) => {
    if (i > 0) return ' '.repeat(indent) + line;
    const head = paint('dim', `${number} ${timeText(message.time)} `);
    return `${head}${paint(ours ? 'green' : 'cyan', who)}  ${line}`;
  });
}

function bodyLines(message: ShownMessage, look: Look, width: number): string[] {
  const { paint, name } = look;
  const ours = message.direction === 'out';
  if (message.deleted)
    return [paint('dim', ours ? 'you took this back' : `${name} took this back`)];
  const lines: string[] = [];
  const dimmed = (text: string): number => lines.push(paint('dim', cut(text, width)));
  if (message.reply) {
    const whose = message.reply.direction === 'out' ? 'you' : name;
    const excerpt = message.reply.excerpt;
    dimmed(`↳ ${whose}: ${excerpt === undefined ? '(not here any more)' : oneLine(excerpt)}`);
  }
  const said = message.text === '' ? [] : wrap(harmless(message.text), width);
  lines.push(...said);
  const marks = marksOf(message, look);
  if (said.length > 0) append(lines, marks, width, paint);
  for (const each of attachmentsOf(message)) {
    const text = cut(`📎 ${attachmentText(each)}`, width);
    lines.push(
      `${text}${widthOf(text) + 10 <= width ? paint('dim', `  /save ${look.numberOf(message.key)}`) : ''}`,
    );
  }
  if (said.length === 0) append(lines, marks, width, paint);
  const reactions = message.reactions.map(({ emoji, mine, theirs }) => {
    const from = mine && theirs ? 'both of you' : mine ? 'you' : name;
    return `${oneLine(emoji)} ${from}`;
  });
  if (reactions.length > 0) lines.push(cut(reactions.join('   '), width));
  return lines;
}

export const oneLine = (text: string): string => harmless(text).replace(/\s+/gu, ' ');

/** Whoever gets a request is not made to tell that it came, then or later. */
const requestTexts = { waits: ' request: not told whether it came', over: ' request' } as const;

/** What is said about a message behind it. */
function marksOf(message: ShownMessage, { now }: Look): Plain[] {
  const { state, request, reason, edited, timer, expires, elsewhere } = message;
  const marks: Plain[] = [];
  if (edited !== undefined) marks.push(['dim', '(edited)']);
  if (elsewhere) marks.push(['dim', '(from another device)']);
  if (expires !== undefined)
    marks.push(['dim', `⧗ ${leftText(Math.max(0, expires - now) / 1000)}`]);
  else if (timer !== undefined) marks.push(['dim', `⧗ ${leftText(timer)}`]);
  if (state === 'queued') marks.push(['yellow', '… waits to be sent']);
  if (state === 'failed') marks.push(['red', `✗ ${oneLine(reason ?? 'not sent')}`]);
  if (state === 'sent') marks.push(['dim', `✓${request ? requestTexts[request] : ''}`]);
  if (state === 'delivered') marks.push(['dim', '✓✓']);
  if (state === 'read') marks.push(['green', '✓✓ read']);
  return marks;
}

/** Behind the last line where there is room, else under it. */
function append(lines: string[], marks: readonly Plain[], width: number, paint: Paint): void {
  if (marks.length === 0) return;
  const text = marks.map(([, each]) => each).join(' ');
  const painted = marks.map(([style, each]) => paint(style, each)).join(' ');
  const last = lines.at(-1);
  if (last !== undefined && widthOf(last) + 1 + widthOf(text) <= width) {
    lines[lines.length - 1] = `${last} ${painted}`;
  } else if (widthOf(text) <= width) {
    lines.push(painted);
  } else {
    const [style = 'dim'] = marks.at(-1) ?? [];
    lines.push(...wrap(text, width).map((line) => paint(style, line)));
  }
}

function missingLines({ state, count, reason, time }: ShownUnreadable, look: Look): string[] {
  const { name, columns, paint } = look;
  const text =
    state === 'recovering'
      ? `a message from ${name} cannot be read yet: recovering…`
      : state === 'lost'
        ? lostSentence(count ?? 1)
        : `a message from ${name} cannot be read: ${oneLine(reason)}`;
  const head = `${' '.repeat(4)}${timeText(time)} `;
  return wrap(text, columns - head.length).map((line, i) =>
    paint('dim', `${i === 0 ? head : ' '.repeat(head.length)}${line}`),
  );
}
