/** A conversation that is open somewhere, and what a command in it is. */
import type { Moving } from '../../attachments/enclosing.ts';
import type { ShownMessage } from '../../conversation/view.ts';
import type { Islander } from '../../islander.ts';
import type { Storage } from '../../storage/storage.ts';

/** What was typed cannot be done; said to the person, and nothing happened. */
export class Mistake extends Error {
  override name = 'Mistake';
}

export interface Talk {
  islander: Islander;
  storage: Storage;
  name: string;
  signal: AbortSignal;
  /** Which message is called so, by its number or the beginning of its id. Throws `Mistake`. */
  message(called: string): Promise<ShownMessage>;
  lastOfOurs(): Promise<ShownMessage | undefined>;
  /** Shown to the person; `object` for a program. */
  tell(lines: readonly string[], object?: Readonly<Record<string, unknown>>): void;
  /** Something was said: its key. */
  said(key: string): Promise<void> | void;
  onProgress(moving: Moving): void;
  /** Older messages, too. */
  more?(): Promise<void>;
  /** Puts a line before the person, to be changed. */
  offer?(line: string): void;
  quit(): void;
}

export interface ChatCommand {
  name: string;
  args: string;
  about: string;
  /** What comes after it need not wait for it. */
  long?: true;
  /** `rest`: what stands behind the name. */
  run(talk: Talk, rest: string): Promise<void> | void;
}

/** The first word, and the rest as it was typed. */
export function firstOf(rest: string): [first: string, more: string] {
  const [, first = '', more = ''] = /^(\S*)\s*([\s\S]*)$/u.exec(rest.trim()) ?? [];
  return [first, more];
}

export function needed(text: string, sentence: string): string {
  if (text === '') throw new Mistake(sentence);
  return text;
}
