/** Where things are in the window of a channel: places at the side where there is room, a head, posts, one quiet line, what is being typed. */
import type { Moving } from '../../../attachments/enclosing.ts';
import { durationText } from '../../amounts.ts';
import { cut, fill, widthOf, wrap } from '../../screen/columns.ts';
import type { Line } from '../../screen/line-editor.ts';
import type { Frame } from '../../screen/screen.ts';
import type { ChannelPlace } from '../../servers/naming.ts';
import { isPrivate } from '../../servers/shown.ts';
import { harmless } from '../../terminal.ts';
import { atMost, inputOf, movingText, prompt } from '../layout.ts';
import type { Paint } from '../lines.ts';
import { type ListedPlace, sideLines } from './places-list.ts';

export interface ChannelWindow {
  place: ChannelPlace;
  columns: number;
  rows: number;
  paint: Paint;
  lines: readonly string[];
  scroll: number;
  online: boolean;
  trouble: string | undefined;
  moving: Moving | undefined;
  panel: readonly string[] | undefined;
  places: readonly ListedPlace[];
  line: Line;
  selected: boolean;
  /** Whether the person may write there. */
  posts: boolean;
}

/** Columns that a window has at least for the places to stand at its side, and how many these take. */
const wideFrom = 100;
const sideColumns = 24;

export const mainColumns = (columns: number): number =>
  columns >= wideFrom ? columns - sideColumns - 2 : columns;

export function layOutChannel(window: ChannelWindow): { frame: Frame; room: number } {
  const { columns, rows, paint, lines, panel, scroll, place } = window;
  const main = mainColumns(columns);
  const side = columns - main;
  const input = inputOf(window.line, main - 3, Math.max(1, Math.floor(rows / 3)));
  const said = panel
    ? [paint('dim', '─'.repeat(main)), ...panel.flatMap((line) => wrap(line, main))]
    : [];
  const notes = atMost(said, Math.max(0, rows - 3 - input.rows.length));
  const room = Math.max(1, rows - 2 - notes.length - input.rows.length);
  const end = Math.max(Math.min(lines.length, room), lines.length - scroll);
  const seen = lines.slice(Math.max(0, end - room), end);
  const style = window.selected ? 'inverse' : 'none';
  const shown = [
    headLine(window, main),
    ...Array.from({ length: room - seen.length }, () => ''),
    ...seen,
    ...notes,
    quietLine(window, main),
    ...input.rows.map(
      (row, i) => (i === 0 && input.whole ? paint('bold', prompt) : '  ') + paint(style, row),
    ),
  ];
  const first = shown.length - input.rows.length;
  const cursor = { row: first + input.cursor.row, column: side + 2 + input.cursor.column };
  if (side === 0) return { frame: { lines: shown, cursor }, room };
  const bar = sideLines(window.places, place.channel.channel, {
    ...{ columns: sideColumns, rows, paint },
  });
  const beside = shown.map((line, i) => `${bar[i]}${paint('dim', '│')} ${line}`);
  return { frame: { lines: beside, cursor }, room };
}

function headLine({ place, paint }: ChannelWindow, columns: number): string {
  const { state, channel } = place;
  const said = [
    `${harmless(state.title)}/#${harmless(channel.name)}`,
    `${state.members.size} members`,
    ...(isPrivate(state, channel) ? ['private'] : []),
    ...(channel.slowSeconds > 0 ? [`one post in ${durationText(channel.slowSeconds)}`] : []),
    ...(channel.topic === '' ? [] : [harmless(channel.topic)]),
  ];
  return paint('inverse', fill(` ${said.join(' · ')}`, columns));
}

function quietLine(window: ChannelWindow, columns: number): string {
  const { paint, online, trouble, moving, scroll, places, place, posts } = window;
  const others = places.filter(
    ({ channel, unread, calls }) => channel !== place.channel.channel && unread + calls > 0,
  );
  const [first] = others.toSorted((one, other) => other.calls - one.calls);
  const elsewhere =
    first && columns === window.columns
      ? [
          `${first.label} ${first.calls > 0 ? `@${first.calls}` : first.unread}${others.length > 1 ? ` and ${others.length - 1} more` : ''}: /list`,
        ]
      : [];
  const left = moving
    ? movingText(moving, columns - 8)
    : [
        online ? 'connected' : 'reconnecting… what you write goes out as soon as it can',
        ...(trouble === undefined ? [] : [trouble]),
        ...(posts ? [] : ['you can read here, and not write']),
        ...elsewhere,
        ...(scroll > 0 ? ['newer below: Page Down'] : []),
      ].join(' · ');
  const short = cut(left, columns - 7);
  const style = moving ? 'none' : online && trouble === undefined ? 'dim' : 'yellow';
  return paint(style, short) + paint('dim', '/help'.padStart(columns - widthOf(short)));
}
