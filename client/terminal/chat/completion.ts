/** What a Tab makes of a line that is a command: its name, or a path, in quotes where it needs them. */
import { readdir } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { harmless } from '../terminal.ts';
import { chatCommands, commandOf, isCommand } from './commands.ts';
import { expanded, firstPath, needsQuotes, quoted } from './paths.ts';

export interface Completion {
  line: string;
  /** What it could be, when it is not clear. */
  choices: string[];
}

export async function complete(line: string): Promise<Completion> {
  if (!isCommand(line)) return { line, choices: [] };
  const [, head = '', path] = pathIn(line) ?? [];
  if (path !== undefined) return completePath(head, path);
  if (/\s/u.test(line)) return { line, choices: [] };
  const names = chatCommands.map(({ name }) => `/${name}`).filter((name) => name.startsWith(line));
  const whole = names.length === 1 ? ' ' : '';
  return { line: commonStart(names, line) + whole, choices: several(names) };
}

/** What stands before the path, and the path, in a command that has one. */
function pathIn(line: string): RegExpExecArray | null {
  const { name } = commandOf(line).command ?? {};
  if (name === 'attach') return /^(\/\S+\s+)([\s\S]*)$/u.exec(line);
  return name === 'save' ? /^(\/\S+\s+\S+\s+)([\s\S]*)$/u.exec(line) : null;
}

async function completePath(head: string, typed: string): Promise<Completion> {
  const { path, end } = firstPath(typed);
  // It is behind the path.
  if (end < typed.length) return { line: head + typed, choices: [] };
  const begun = path.endsWith('/') || path === '' ? '' : basename(path);
  const kept = path.slice(0, path.length - begun.length);
  const folder = begun === '' ? expanded(path) || '.' : dirname(expanded(path));
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const names = entries
    // What can't be shown as it is can't be typed as it is.
    .filter(({ name }) => name.startsWith(begun) && harmless(name) === name)
    .filter(({ name }) => begun !== '' || !name.startsWith('.'))
    .map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name))
    .sort();
  if (names.length === 0) return { line: head + typed, choices: [] };
  const found = kept + commonStart(names, begun);
  const whole = names.length === 1 && !found.endsWith('/');
  const inQuotes = /^["']/.test(typed) || [kept, ...names].some(needsQuotes);
  const shown = inQuotes ? quoted(found, !whole) : found;
  return { line: `${head}${shown}${whole ? ' ' : ''}`, choices: several(names) };
}

/** As far as all agree. */
function commonStart(choices: readonly string[], otherwise: string): string {
  const [first = otherwise] = choices;
  let common = first.length;
  while (!choices.every((each) => each.startsWith(first.slice(0, common)))) common -= 1;
  return first.slice(0, common);
}

const several = (names: string[]): string[] => (names.length > 1 ? names : []);
