/**
 * What a person types in a window: the line, what was typed before, and what each key means beside it.
 *
 * What was put into the line, and not typed there, is kept apart from what comes next: a line that was refused
 * stands there selected, as in other editors, and gives way to what is typed or pasted; a draft goes on with
 * what is typed, and gives way to what is pasted. Both are to be had again with ↑.
 */
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
import { type Completion, complete } from './completion.ts';

export interface EntryEvents {
  /** `typed`: by the person, just now. */
  onChange(text: string, typed: boolean): void;
  onSubmit(text: string): void;
  onChoices(choices: readonly string[]): void;
  /** A draft gave way to something that was pasted. */
  onDraftLeft(): void;
  /** So many pages: up is -1. */
  onTurn(pages: -1 | 1): void;
  onEscape(): void;
  onClose(): void;
  /** What a Tab makes of what stands before it; that of a conversation, where it is not said. */
  complete?(before: string): Promise<Completion>;
}

export interface Entry {
  readonly line: Line;
  /** It was refused, and nobody has touched it since. */
  readonly selected: boolean;
  /** Something to be changed. */
  offer(text: string): void;
  /** What was begun in another window. */
  restore(draft: string): void;
  /** What was refused, unless something else is being written. */
  giveBack(text: string): boolean;
  onKey(typed: string | undefined, key: Key): void;
  onPaste(text: string): void;
}

export function openEntry(events: EntryEvents): Entry {
  const typed = typedBefore();
  let line: Line = emptyLine;
  /** How it came into the line, until it is touched. */
  let put: 'draft' | 'refused' | undefined;

  function change(next: Line, how?: typeof put, byPerson = how === undefined): void {
    line = next;
    put = how;
    events.onChange(textOf(line), byPerson);
  }

  /** What is typed or pasted now is something else. */
  function anew(text: string): void {
    const draft = put === 'draft';
    typed.add(textOf(line));
    change(inserted(emptyLine, text));
    if (draft) events.onDraftLeft();
  }

  function submit(): void {
    const text = textOf(line);
    if (text.trim() !== '') typed.add(text);
    change(emptyLine);
    events.onSubmit(text);
  }

  async function fillIn(): Promise<void> {
    const { before, after } = line;
    const completed = await (events.complete ?? complete)(before);
    // Something was typed meanwhile.
    if (line.before !== before) return;
    change({ before: completed.line, after });
    if (completed.choices.length > 0) events.onChoices(completed.choices);
  }

  function older(): string | undefined {
    const present = textOf(line);
    const found = typed.older(present);
    return found === present ? typed.older(present) : found;
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
    up: () => recall(older()),
    down: () => recall(typed.newer()),
  };

  /** A key of the line itself. */
  function edit(text: string | undefined, key: Key): void {
    const next = edited(line, text, key);
    if (!next) return;
    const added = textOf(edited(emptyLine, text, key) ?? emptyLine);
    if (put === 'refused' && (added !== '' || key.name === 'backspace' || key.name === 'delete'))
      anew(added);
    else change(next);
  }

  return {
    get line() {
      return line;
    },
    get selected() {
      return put === 'refused';
    },
    offer(text) {
      if (textOf(line) !== '') typed.add(textOf(line));
      change(lineOf(text), undefined, false);
    },
    restore: (draft) => change(lineOf(draft), 'draft'),
    giveBack(text) {
      if (textOf(line) !== '' && put !== 'refused') return false;
      change(lineOf(text), 'refused');
      return true;
    },
    onPaste: (text) => (put === undefined ? change(inserted(line, text)) : anew(text)),
    onKey(text, key) {
      const { name = '', ctrl = false, meta = false } = key;
      if (ctrl && (name === 'c' || (name === 'd' && textOf(line) === ''))) {
        events.onClose();
      } else if (meta && name === 'return') {
        change(inserted(line, '\n'));
      } else if (!ctrl && keys[name]) {
        keys[name]?.();
      } else {
        edit(text, key);
      }
    },
  };
}
