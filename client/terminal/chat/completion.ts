/** What a Tab makes of a line that is a command: its name, or a path. */
import { readdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { harmless } from '../terminal.ts';
import { chatCommands, isCommand } from './commands.ts';

export interface Completion {
  line: string;
  /** What it could be, when it is not clear. */
  choices: string[];
}

export async function complete(line: string): Promise<Completion> {
  if (!isCommand(line)) return { line, choices: [] };
  const [, head = '', path] = /^(\/attach\s+|\/save\s+\S+\s+)(.*)$/u.exec(line) ?? [];
  if (path !== undefined) return completePath(head, path);
  if (line.includes(' ')) return { line, choices: [] };
  const names = chatCommands.map(({ name }) => `/${name}`).filter((name) => name.startsWith(line));
  return chosen('', line, names, ' ');
}

async function completePath(head: string, typed: string): Promise<Completion> {
  const [, quote = '', path = ''] = /^("?)(.*)$/u.exec(typed) ?? [];
  const real = path.startsWith('~/') ? join(homedir(), path.slice(2)) : path;
  const begun = path.endsWith('/') || path === '' ? '' : basename(path);
  const folder = begun === '' ? real || '.' : dirname(real);
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const names = entries
    // What can't be shown as it is can't be typed as it is.
    .filter(({ name }) => name.startsWith(begun) && harmless(name) === name)
    .filter(({ name }) => begun !== '' || !name.startsWith('.'))
    .map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name))
    .sort();
  const kept = path.slice(0, path.length - begun.length);
  const spaced = quote === '' && names.some((name) => name.includes(' ')) ? '"' : quote;
  const { line, choices } = chosen(`${head}${spaced}${kept}`, begun, names, '');
  const whole = names.length === 1 && !line.endsWith('/');
  return { line: whole ? `${line}${spaced} ` : line, choices };
}

/** As far as all choices agree. */
function chosen(head: string, begun: string, choices: string[], after: string): Completion {
  const [first = begun] = choices;
  if (choices.length <= 1)
    return { line: `${head}${first}${choices.length === 1 ? after : ''}`, choices: [] };
  let common = first.length;
  while (!choices.every((each) => each.startsWith(first.slice(0, common)))) common -= 1;
  return { line: head + first.slice(0, common), choices };
}
