/** What a person types in a window: the line, what was typed before, and what each key means beside it. */
import {
  edited,
  emptyLine,
  inserted,
  type Key,
  type Line,
  lineOf,
  textOf,
  typedBefore,
} from '../screen/line-editor.ts';
import { complete } from './completion.ts';

export interface EntryEvents {
  onChange(text: string): void;
  onSubmit(text: string): void;
  onChoices(choices: readonly string[]): void;
  /** So many pages: up is -1. */
  onTurn(pages: -1 | 1): void;
  onEscape(): void;
  onClose(): void;
}

export interface Entry {
  readonly line: Line;
  put(text: string): void;
  onKey(typed: string | undefined, key: Key): void;
  onPaste(text: string): void;
}

export function openEntry(events: EntryEvents): Entry {
  const typed = typedBefore();
  let line: Line = emptyLine;

  function change(next: Line): void {
    line = next;
    events.onChange(textOf(line));
  }

  function submit(): void {
    const text = textOf(line);
    if (text.trim() !== '') typed.add(text);
    change(emptyLine);
    events.onSubmit(text);
  }

  async function fillIn(): Promise<void> {
    const { before, after } = line;
    const completed = await complete(before);
    // Something was typed meanwhile.
    if (line.before !== before) return;
    change({ before: completed.line, after });
    if (completed.choices.length > 0) events.onChoices(completed.choices);
  }

  function recall(text: string | undefined): void {
    if (text !== undefined) change(lineOf(text));
  }

  const keys: Record<string, () => void> = {
    return: submit,
    enter: submit,
    tab: () => void fillIn().catch(() => undefined),
    escape: events.onEscape,
    pageup: () => events.onTurn(-1),
    pagedown: () => events.onTurn(1),
    up: () => recall(typed.older(textOf(line))),
    down: () => recall(typed.newer()),
  };

  return {
    get line() {
      return line;
    },
    put: (text) => change(lineOf(text)),
    onPaste: (text) => change(inserted(line, text)),
    onKey(text, key) {
      const { name = '', ctrl = false, meta = false } = key;
      if (ctrl && (name === 'c' || (name === 'd' && textOf(line) === ''))) {
        events.onClose();
      } else if (meta && name === 'return') {
        change(inserted(line, '\n'));
      } else if (!ctrl && keys[name]) {
        keys[name]?.();
      } else {
        const next = edited(line, text, key);
        if (next) change(next);
      }
    },
  };
}
