/** Where things are in the window of a conversation: a head, messages, one quiet line, what is being typed. */
import type { Moving } from '../../attachments/enclosing.ts';
import type { Standing } from '../../conversation/conversation-list.ts';
import { durationText, sizeText } from '../amounts.ts';
import { cut, fill, hardWrap, widthOf, wrap } from '../screen/columns.ts';
import { type Line, textOf } from '../screen/line-editor.ts';
import type { Frame } from '../screen/screen.ts';
import type { Paint } from './lines.ts';

export interface Window {
  name: string;
  columns: number;
  rows: number;
  paint: Paint;
  /** All lines of the conversation that there are. */
  lines: readonly string[];
  /** How many lines from the end upwards the view is. */
  scroll: number;
  standing: Standing;
  verified: boolean;
  /** Seconds that messages live; 0: they stay. */
  timer: number;
  online: boolean;
  /** Why nothing goes out, in a sentence. */
  trouble: string | undefined;
  typing: boolean;
  moving: Moving | undefined;
  /** What a command answered, until the next one; undefined: nothing. */
  panel: readonly string[] | undefined;
  line: Line;
  /** What is typed next takes its place. */
  selected: boolean;
  /** Files that are still to move. */
  waiting: number;
}

export const prompt = '› ';

/** Lines for messages: what PageUp goes back by. */
export function layOut(window: Window): { frame: Frame; room: number } {
  const { columns, rows, paint, lines } = window;
  const inputStyle = window.selected ? 'inverse' : 'none';
  const input = inputOf(window.line, columns - 3, Math.max(1, Math.floor(rows / 3)));
  // A head, one line of the conversation, the quiet line, and what is being typed stay.
  const notes = atMost(noteLines(window), Math.max(0, rows - 3 - input.rows.length));
  const room = Math.max(1, rows - 2 - notes.length - input.rows.length);
  const end = Math.max(Math.min(lines.length, room), lines.length - window.scroll);
  const seen = lines.slice(Math.max(0, end - room), end);
  const space = Array.from({ length: room - seen.length }, () => '');
  const shown = [
    headLine(window),
    ...space,
    ...seen,
    ...notes,
    quietLine(window),
    ...input.rows.map(
      (row, i) => (i === 0 && input.whole ? paint('bold', prompt) : '  ') + paint(inputStyle, row),
    ),
  ];
  const first = shown.length - input.rows.length;
  const cursor = { row: first + input.cursor.row, column: 2 + input.cursor.column };
  return { frame: { lines: shown, cursor }, room };
}

export const atMost = (lines: readonly string[], most: number): readonly string[] =>
  lines.length <= most ? lines : [...lines.slice(0, Math.max(0, most - 1)), '…'].slice(0, most);

function headLine({ name, columns, paint, standing, verified, timer }: Window): string {
  const said = [
    ...(verified ? ['verified'] : []),
    ...(timer > 0 ? [`messages disappear after ${durationText(timer)}`] : []),
    ...(standing === 'blocked' ? ['blocked'] : []),
    ...(standing === 'request' ? ['wants to write to you'] : []),
  ];
  return paint('inverse', fill(` ${[name, ...said].join(' · ')}`, columns));
}

/** What needs an answer, or is one. */
function noteLines({ name, columns, paint, standing, panel }: Window): string[] {
  const notes: string[] = [];
  if (standing === 'request')
    notes.push(
      `${name} wrote to you first, and does not learn whether you read it. /accept or an answer lets ${name} in; /block keeps ${name} out.`,
    );
  if (standing === 'blocked')
    notes.push(`You have blocked ${name}: nothing comes, nothing goes. /unblock takes that back.`);
  const banner = notes
    .flatMap((note) => wrap(note, columns - 2))
    .map((line) => paint('yellow', line));
  if (!panel) return banner;
  const edge = paint('dim', cut('─'.repeat(columns), columns));
  return [...banner, edge, ...panel.flatMap((line) => wrap(line, columns))];
}

function quietLine(window: Window): string {
  const { name, columns, paint, online, trouble, typing, moving, waiting, scroll } = window;
  const behind = waiting > 0 ? ` · ${waiting} more` : '';
  const left = moving
    ? movingText(moving, columns - 8 - behind.length) + behind
    : [
        online ? 'connected' : 'reconnecting… what you write goes out as soon as it can',
        ...(trouble === undefined ? [] : [trouble]),
        ...(waiting > 0 ? [`${waiting} ${waiting === 1 ? 'file waits' : 'files wait'}`] : []),
        ...(typing ? [`${name} is writing…`] : []),
        ...(scroll > 0 ? ['newer below: Page Down'] : []),
      ].join(' · ');
  const short = cut(left, columns - 7);
  const style = moving ? 'none' : online && trouble === undefined ? 'dim' : 'yellow';
  return paint(style, short) + paint('dim', '/help'.padStart(columns - widthOf(short)));
}

/** `plan.pdf ███████░░░░░  62 % of 3.4 MB` */
export function movingText({ name, size, done, total }: Moving, columns: number): string {
  const part = total === 0 ? 1 : done / total;
  const end = ` ${String(Math.floor(part * 100)).padStart(3)} % of ${sizeText(size)}`;
  const label = cut(name, Math.max(8, Math.floor(columns / 3)));
  const bar = Math.max(4, Math.min(24, columns - widthOf(label) - end.length - 2));
  const full = Math.round(bar * part);
  return cut(`${label} ${'█'.repeat(full)}${'░'.repeat(bar - full)}${end}`, columns);
}

/** At most so many rows, those about the cursor. */
export function inputOf(line: Line, width: number, most: number) {
  const wrapped = (text: string): string[] =>
    text
      .replaceAll('\t', ' ')
      .split('\n')
      .flatMap((part) => hardWrap(part, width));
  const before = wrapped(line.before);
  const rows = wrapped(textOf(line));
  let at = { row: before.length - 1, column: widthOf(before.at(-1) ?? '') };
  if (at.column >= width) at = { row: at.row + 1, column: 0 };
  while (rows.length <= at.row) rows.push('');
  const from = Math.max(0, at.row - most + 1);
  return {
    rows: rows.slice(from, from + most),
    cursor: { row: at.row - from, column: at.column },
    whole: from === 0,
  };
}
