/**
 * Text in columns of a terminal: emoji, East Asian and combining characters take what they take there
 * (Unicode UAX 11, 29). Nothing here knows of styles: they are put on lines that are cut already.
 */
import stringWidth from 'string-width';

const segmenter = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** What a person takes for one character. */
export const graphemes = (text: string): string[] =>
  Array.from(segmenter.segment(text), ({ segment }) => segment);

export const widthOf = (text: string): number => stringWidth(text);

/** At most so wide, with … for what is left out. */
export function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let kept = '';
  for (const each of graphemes(text)) {
    if (widthOf(kept + each) > width - 1) break;
    kept += each;
  }
  return `${kept}…`;
}

/** Exactly so wide. */
export function fill(text: string, width: number): string {
  const short = cut(text, width);
  return short + ' '.repeat(Math.max(0, width - widthOf(short)));
}

/** Lines that are at most so wide: broken at spaces, inside a word only where it is longer than a line. */
export function wrap(text: string, width: number): string[] {
  return text
    .replaceAll('\t', '    ')
    .split('\n')
    .flatMap((line) => wrapLine(line, Math.max(width, 2)));
}

function wrapLine(line: string, width: number): string[] {
  const lines: string[] = [];
  let present = '';
  for (const word of line.match(/ *[^ ]+| +$/gu) ?? []) {
    if (widthOf(present + word) <= width) {
      present += word;
      continue;
    }
    if (present !== '') lines.push(present);
    const pieces = hardWrap(present === '' ? word : word.trimStart(), width);
    present = pieces.pop() ?? '';
    lines.push(...pieces);
  }
  return [...lines, present];
}

/** Cut wherever the line ends; at least one piece. */
export function hardWrap(text: string, width: number): string[] {
  const pieces: string[] = [];
  let [present, taken] = ['', 0];
  for (const each of graphemes(text)) {
    const wide = widthOf(each);
    if (taken + wide > width && present !== '') {
      pieces.push(present);
      [present, taken] = ['', 0];
    }
    present += each;
    taken += wide;
  }
  return [...pieces, present];
}
