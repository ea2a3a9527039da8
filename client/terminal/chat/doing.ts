/** What was typed is done in its order; nobody waits for a file. What cannot be done is given back with a sentence. */
import { statedFailure } from '../terminal.ts';
import { isCommand, isLong, runCommand, unescaped } from './commands.ts';
import { Mistake, type Talk } from './talk.ts';

export interface DoingEvents {
  /** It is in the home now; what was kept of a draft is gone with it. */
  onSaid(): void;
  onRefused(text: string, sentence: string): void;
  onFailed(error: unknown): void;
  /** What went on beside others has ended. */
  onEnded(): void;
}

export interface Doing {
  submit(text: string): void;
  /** Messages that are not in the home yet, oldest first. */
  readonly unsaid: readonly string[];
  /** Commands that go on beside others. */
  readonly long: readonly string[];
  /** Resolves when all that was typed is done, but for what goes on beside it. */
  settled(): Promise<void>;
}

export function openDoing(talk: Talk, events: DoingEvents): Doing {
  const { islander, name, signal } = talk;
  const unsaid: string[] = [];
  const long: string[] = [];
  let queue: Promise<void> = Promise.resolve();

  async function carryOut(work: Promise<void>, text: string): Promise<void> {
    try {
      await work;
    } catch (error) {
      if (signal.aborted) return;
      const sentence = error instanceof Mistake ? error.message : statedFailure(error)?.text;
      if (sentence === undefined) events.onFailed(error);
      else events.onRefused(text, sentence);
    }
  }

  async function say(text: string): Promise<void> {
    try {
      await islander.conversations.say(name, unescaped(text));
    } finally {
      unsaid.splice(unsaid.indexOf(text), 1);
    }
    events.onSaid();
  }

  async function beside(text: string): Promise<void> {
    long.push(text);
    await carryOut(runCommand(talk, text.trim()), text);
    if (signal.aborted) return;
    long.splice(long.indexOf(text), 1);
    events.onEnded();
  }

  return {
    unsaid,
    long,
    submit(text) {
      if (isCommand(text) && isLong(text)) {
        void beside(text);
      } else if (isCommand(text)) {
        queue = queue.then(() => carryOut(runCommand(talk, text.trim()), text));
      } else {
        unsaid.push(text);
        queue = queue.then(() => carryOut(say(text), text));
      }
    },
    settled: () => queue,
  };
}
