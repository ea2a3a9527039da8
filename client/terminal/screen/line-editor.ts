/**
 * A line that is being typed: what each key does to it, as a function of the line before. Pasted line
 * breaks stay in it; the cursor moves by what a person takes for one character.
 */
import { graphemes } from './columns.ts';

export interface Line {
  before: string;
  after: string;
}
export const emptyLine: Line = { before: '', after: '' };
export const textOf = ({ before, after }: Line): string => before + after;
export const lineOf = (text: string): Line => ({ before: text, after: '' });

/** As `node:readline` tells it. */
export interface Key {
  name?: string | undefined;
  ctrl?: boolean;
  meta?: boolean;
  shift?: boolean;
}

const lastOf = (text: string): string => graphemes(text).at(-1) ?? '';
const firstOf = (text: string): string => graphemes(text)[0] ?? '';
/** The last word and the spaces behind it. */
const wordAtEnd = (text: string): string => /\S*\s*$/u.exec(text)?.[0] ?? '';
const wordAtStart = (text: string): string => /^\s*\S*/u.exec(text)?.[0] ?? '';

const left = ({ before, after }: Line, by: string): Line => ({
  before: before.slice(0, before.length - by.length),
  after: by + after,
});
const right = ({ before, after }: Line, by: string): Line => ({
  before: before + by,
  after: after.slice(by.length),
});
const withoutEnd = ({ before, after }: Line, end: string): Line => ({
  before: before.slice(0, before.length - end.length),
  after,
});

type Edit = (line: Line) => Line;
const toStart: Edit = (line) => left(line, line.before);
const toEnd: Edit = (line) => right(line, line.after);
const wordLeft: Edit = (line) => left(line, wordAtEnd(line.before));
const wordRight: Edit = (line) => right(line, wordAtStart(line.after));
const dropWord: Edit = (line) => withoutEnd(line, wordAtEnd(line.before));
const drop: Edit = (line) => withoutEnd(line, lastOf(line.before));
const dropNext: Edit = ({ before, after }) => ({
  before,
  after: after.slice(firstOf(after).length),
});

const plainKeys: Record<string, Edit> = {
  left: (line) => left(line, lastOf(line.before)),
  right: (line) => right(line, firstOf(line.after)),
  home: toStart,
  end: toEnd,
  backspace: drop,
  delete: dropNext,
};
const ctrlKeys: Record<string, Edit> = {
  a: toStart,
  e: toEnd,
  b: plainKeys['left'] as Edit,
  f: plainKeys['right'] as Edit,
  left: wordLeft,
  right: wordRight,
  w: dropWord,
  backspace: dropWord,
  h: drop,
  d: dropNext,
  u: ({ after }) => ({ before: '', after }),
  k: ({ before }) => ({ before, after: '' }),
};
const metaKeys: Record<string, Edit> = {
  b: wordLeft,
  f: wordRight,
  left: wordLeft,
  right: wordRight,
  backspace: dropWord,
};

/** Undefined for a key that is none of the line's. */
export function edited(line: Line, typed: string | undefined, key: Key): Line | undefined {
  const { name = '', ctrl, meta } = key;
  const edit = (ctrl ? ctrlKeys : meta ? metaKeys : plainKeys)[name];
  if (edit) return edit(line);
  if (ctrl || meta || typed === undefined || typed === '') return undefined;
  return inserted(line, typed);
}

/** Of what is typed or pasted only what can be part of a text. */
export const inserted = ({ before, after }: Line, text: string): Line => ({
  before: before + text.replace(/\r\n?/g, '\n').replace(/(?![\n\t])\p{Cc}/gu, ''),
  after,
});

/** What was typed before, to be had again with the arrows; the line that was begun stays the last. */
export interface Typed {
  add(text: string): void;
  older(present: string): string | undefined;
  newer(): string | undefined;
}

export function typedBefore(most = 200): Typed {
  const lines: string[] = [];
  let at = 0;
  let begun = '';
  return {
    add(text) {
      if (lines.at(-1) !== text) lines.push(text);
      if (lines.length > most) lines.shift();
      at = lines.length;
    },
    older(present) {
      if (at === 0) return undefined;
      if (at === lines.length) begun = present;
      at -= 1;
      return lines[at];
    },
    newer() {
      if (at >= lines.length) return undefined;
      at += 1;
      return at === lines.length ? begun : lines[at];
    },
  };
}
