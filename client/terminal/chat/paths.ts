/**
 * Paths as a person types them: `plan.pdf`, `the\ plan.pdf`, `"the plan.pdf"`, `'the plan.pdf'`, and what a
 * terminal makes of a file that is dragged into it (`'it'\''s the plan.pdf'`). As in a shell, except that a
 * quote within a path that began without one stands for itself. In "quotes", `\"` is a quote and `\\` a `\`.
 */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

export interface TypedPath {
  path: string;
  /** Where it ends in the text. */
  end: number;
}

const bare = /^(?:\\[\s\S]|\S)+/u;
/** Of a path that began with a quote; a quote that nothing closes goes to the end. */
const piece =
  /"(?<double>(?:[^"\\]|\\["\\]?)*)(?:"|$)|'(?<single>[^']*)(?:'|$)|(?<plain>(?:[^\s"'\\]|\\[\s\S]?)+)/uy;

/** The path at the beginning of a text. */
export function firstPath(text: string): TypedPath {
  if (!/^["']/.test(text)) {
    const typed = bare.exec(text)?.[0] ?? '';
    return { path: unescaped(typed), end: typed.length };
  }
  let path = '';
  let end = 0;
  for (;;) {
    piece.lastIndex = end;
    const { double, single, plain } = piece.exec(text)?.groups ?? {};
    if (piece.lastIndex === 0 || piece.lastIndex === end) return { path, end };
    path += double?.replace(/\\(["\\])/gu, '$1') ?? single ?? unescaped(plain ?? '');
    end = piece.lastIndex;
  }
}

const unescaped = (typed: string): string => typed.replace(/\\([\s\S])/gu, '$1');

export const needsQuotes = (path: string): boolean => /[\s"'\\]/u.test(path);

/** As `firstPath` reads it. `open`: there is more to come. */
export const quoted = (path: string, open = false): string =>
  `"${path.replace(/["\\]/gu, '\\$&')}${open ? '' : '"'}`;

/** `~` is the home. */
export const expanded = (path: string): string =>
  path === '~' || path.startsWith('~/') ? join(homedir(), path.slice(1)) : path;

/** The file that a typed path is of, and what stands behind it. */
export function fileAt(text: string): [file: string, rest: string] {
  const { path, end } = firstPath(text);
  return [resolve(expanded(path)), text.slice(end).trim()];
}
