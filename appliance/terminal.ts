/** What a person sees while something takes time: one living line on a terminal, plain lines elsewhere. */
import type { WriteStream } from 'node:tty';
import { fromEnvironment } from '@island/services/kit/config.ts';

export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  good(text: string): string;
  bad(text: string): string;
}

export interface Progress {
  /** Ends the step before, if any, and begins this one. */
  step(label: string): void;
  /** What the present step is doing. */
  detail(text: string): void;
  /** Ends the present step. */
  done(): void;
  /** Ends the present step as one that failed or was cut off. */
  cut(): void;
}

type Output = Pick<WriteStream, 'write'> & { isTTY?: boolean; columns?: number };

const paint = (code: number, on: boolean) => (text: string) =>
  on ? `\u001b[${code}m${text}\u001b[0m` : text;

/** Colours only on a terminal that wants them (no-color.org). */
export function styleFor(stream: Output): Style {
  const on = isLive(stream) && fromEnvironment('NO_COLOR') === undefined;
  return { bold: paint(1, on), dim: paint(2, on), good: paint(32, on), bad: paint(31, on) };
}

const isLive = (stream: Output): boolean =>
  stream.isTTY === true && fromEnvironment('TERM')?.value !== 'dumb';

/** A terminal that does not say how wide it is counts as 80. */
const width = ({ columns = 0 }: Output): number => (columns < 40 ? 80 : columns);

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const clear = '\r\u001b[2K';
/** Without a terminal: milliseconds between two lines that only say that it is alive. */
const quiet = 10_000;

export function openProgress(stream: Output): Progress {
  return isLive(stream) ? liveProgress(stream) : plainProgress(stream);
}

const took = (since: number): string => {
  const s = (Date.now() - since) / 1000;
  return s < 60 ? `${s.toFixed(1)} s` : `${Math.floor(s / 60)} min ${Math.round(s % 60)} s`;
};

function liveProgress(stream: Output): Progress {
  const style = styleFor(stream);
  let label = '';
  let detail = '';
  let since = 0;
  let frame = 0;
  let timer: NodeJS.Timeout | undefined;
  const draw = (): void => {
    const mark = frames[frame++ % frames.length] ?? '';
    const text = `${label}  ${detail}`.slice(0, width(stream) - 14);
    stream.write(
      `${clear}${mark} ${text.slice(0, label.length)}${style.dim(`${text.slice(label.length)}  ${took(since)}`)}`,
    );
  };
  const end = (mark: string): void => {
    if (timer === undefined) return;
    clearInterval(timer);
    timer = undefined;
    stream.write(`${clear}${mark} ${label}  ${style.dim(took(since))}\n`);
  };
  return {
    step(next) {
      end(style.good('✓'));
      [label, detail, since] = [next, '', Date.now()];
      timer = setInterval(draw, 100);
      timer.unref();
      draw();
    },
    detail(text) {
      detail = text;
    },
    done: () => end(style.good('✓')),
    cut: () => end(style.bad('✗')),
  };
}

function plainProgress(stream: Output): Progress {
  let label = '';
  let detail = '';
  let since = 0;
  let last = 0;
  let timer: NodeJS.Timeout | undefined;
  const line = (text: string): void => {
    last = Date.now();
    stream.write(`${text}\n`);
  };
  const end = (): void => {
    clearInterval(timer);
    timer = undefined;
  };
  const alive = (): void => {
    if (Date.now() - last >= quiet)
      line(`  ${detail === '' ? label : detail}: ${took(since)} so far`);
  };
  return {
    step(next) {
      end();
      [label, detail, since] = [next, '', Date.now()];
      line(label);
      timer = setInterval(alive, quiet / 4);
      timer.unref();
    },
    detail(text) {
      // Figures within brackets change all the time; what is being done does not.
      const bare = (t: string): string => t.replace(/\([^)]*\)$/, '');
      if (bare(text) !== bare(detail)) line(`  ${text}`);
      detail = text;
    },
    done: end,
    cut: end,
  };
}

/** Label and value in two columns, long labels first. */
export function columns(rows: readonly (readonly [string, string])[], indent = '  '): string {
  const width = Math.max(...rows.map(([label]) => label.length));
  return rows.map(([label, value]) => `${indent}${label.padEnd(width + 2)}${value}`).join('\n');
}
