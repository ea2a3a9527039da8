/**
 * The whole terminal as lines that a program draws: on a screen of its own, which leaves nothing behind
 * when it closes. What is drawn is a state and not a stream: a frame that a slow line has no room for is
 * left out, and of the next only lines that changed are written.
 */
import { emitKeypressEvents } from 'node:readline';
import type { Streams } from '../terminal.ts';
import type { Key } from './line-editor.ts';

export interface Frame {
  lines: readonly string[];
  /** From 0. */
  cursor: { row: number; column: number };
}

export interface Screen extends Disposable {
  readonly columns: number;
  readonly rows: number;
  draw(frame: Frame): void;
}

export interface Watching {
  onKey(typed: string | undefined, key: Key): void;
  /** At once, with its line breaks. */
  onPaste(text: string): void;
  onResize(): void;
}

const csi = '\u001b[';
/** Its own screen; pasted text is marked as such; lines are cut, not wrapped, where they turn out too long. */
const enter = `${csi}?1049h${csi}?2004h${csi}?7l${csi}2J`;
const leave = `${csi}?7h${csi}?2004l${csi}?25h${csi}?1049l`;

export function openScreen({ stdin, stdout }: Streams, watching: Watching): Screen {
  let drawn: string[] = [];
  let pending: Frame | undefined;
  let pasted: string | undefined;

  const onKey = (typed: string | undefined, key: Key): void => {
    if (key.name === 'paste-start') pasted = '';
    else if (key.name === 'paste-end') {
      const text = pasted ?? '';
      pasted = undefined;
      watching.onPaste(text);
    } else if (pasted === undefined) watching.onKey(typed, key);
    else pasted += typed ?? '';
  };
  const onResize = (): void => {
    drawn = [];
    watching.onResize();
  };
  const onDrain = (): void => {
    if (pending) write(pending);
  };

  function write(frame: Frame): void {
    pending = undefined;
    const out: string[] = [];
    for (let row = 0; row < screen.rows; row++) {
      const line = frame.lines[row] ?? '';
      if (drawn[row] === line) continue;
      out.push(`${csi}${row + 1};1H${csi}2K${line}`);
      drawn[row] = line;
    }
    const { row, column } = frame.cursor;
    const at = `${csi}${row + 1};${Math.min(column, screen.columns - 1) + 1}H`;
    stdout.write(`${csi}?25l${out.join('')}${at}${csi}?25h`);
  }

  emitKeypressEvents(stdin);
  stdin.setRawMode(true);
  stdin.on('keypress', onKey);
  stdin.resume();
  stdout.on('resize', onResize);
  stdout.on('drain', onDrain);
  stdout.write(enter);

  const screen: Screen = {
    get columns() {
      return stdout.columns || 80;
    },
    get rows() {
      return stdout.rows || 24;
    },
    draw(frame) {
      if (stdout.writableNeedDrain) pending = frame;
      else write(frame);
    },
    [Symbol.dispose]() {
      stdin.off('keypress', onKey);
      stdout.off('resize', onResize);
      stdout.off('drain', onDrain);
      stdout.write(leave);
      stdin.setRawMode(false);
      stdin.pause();
    },
  };
  return screen;
}
