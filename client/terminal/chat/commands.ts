/** What a person types in a conversation that is no message: `/reply 7 Yes`. */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { decodeDescriptor } from '@island/protocol/crypto/attachment-descriptor.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { Moving } from '../../attachments/enclosing.ts';
import type { ShownMessage } from '../../conversation/view.ts';
import type { Islander } from '../../islander.ts';
import { durationText, parseDuration } from '../amounts.ts';
import { attachmentsOf } from '../attached.ts';
import { emojiOf } from '../emoji.ts';
import { foundLines } from '../found.ts';
import { numberLines } from '../safety.ts';

/** What was typed cannot be done; said to the person, and nothing happened. */
export class Mistake extends Error {
  override name = 'Mistake';
}

/** A conversation that is open somewhere. */
export interface Talk {
  islander: Islander;
  name: string;
  signal: AbortSignal;
  /** Which message is called so, by its number or the beginning of its id. Throws `Mistake`. */
  message(called: string): Promise<ShownMessage>;
  lastOfOurs(): Promise<ShownMessage | undefined>;
  /** Shown to the person; `object` for a program. */
  tell(lines: readonly string[], object?: Readonly<Record<string, unknown>>): void;
  /** Something was said: its key. */
  said(key: string): void;
  onProgress(moving: Moving): void;
  /** Older messages, too. */
  more?(): Promise<void>;
  /** Puts a line before the person, to be changed. */
  offer?(line: string): void;
  quit(): void;
}

interface ChatCommand {
  name: string;
  args: string;
  about: string;
  /** What comes after it need not wait for it. */
  long?: true;
  /** `rest`: what stands behind the name. */
  run(talk: Talk, rest: string): Promise<void> | void;
}

/** The first word, and the rest as it was typed. */
function firstOf(rest: string): [first: string, more: string] {
  const [, first = '', more = ''] = /^(\S*)\s*([\s\S]*)$/u.exec(rest.trim()) ?? [];
  return [first, more];
}

function needed(text: string, sentence: string): string {
  if (text === '') throw new Mistake(sentence);
  return text;
}

export const chatCommands: readonly ChatCommand[] = [
  {
    name: 'reply',
    args: 'N TEXT',
    about: 'answers message N',
    async run({ islander, name, message, said }, rest) {
      const [called, text] = firstOf(rest);
      needed(text, 'Say which message, and what: /reply 7 Yes');
      said(await islander.conversations.say(name, text, { reply: (await message(called)).at }));
    },
  },
  {
    name: 'edit',
    args: '[TEXT]',
    about: 'changes your last message, or puts it before you',
    async run({ islander, name, lastOfOurs, offer }, text) {
      const last = await lastOfOurs();
      if (!last) throw new Mistake('There is no message of yours here that could be changed.');
      if (text === '' && offer) return offer(`/edit ${last.text}`);
      needed(text, 'Say what it should be: /edit TEXT');
      await islander.conversations.edit(name, last.at, text);
    },
  },
  {
    name: 'delete',
    args: 'N',
    about: 'takes your message N back, its attachments too',
    async run({ islander, name, message }, rest) {
      const [called] = firstOf(rest);
      needed(called, 'Say which message: /delete 7');
      await islander.conversations.takeBack(name, (await message(called)).at);
    },
  },
  {
    name: 'react',
    args: 'N EMOJI',
    about: 'puts it on message N or off; +1, heart, laugh work',
    async run({ islander, name, message }, rest) {
      const [called, given] = firstOf(rest);
      const emoji = emojiOf(needed(given, 'Say which message, and what: /react 7 👍'));
      const { at, reactions } = await message(called);
      const there = reactions.some((each) => each.mine && each.emoji === emoji);
      await islander.conversations.react(name, at, emoji, !there).catch((error: unknown) => {
        if (error instanceof Fault && (error.code === 'malformed' || error.code === 'too_large'))
          throw new Mistake('A reaction is one emoji: /react 7 👍');
        throw error;
      });
    },
  },
  {
    name: 'attach',
    args: 'PATH [TEXT]',
    long: true,
    about: 'sends a file; a path with spaces in "quotes"',
    async run({ islander, name, said, onProgress, signal }, rest) {
      const [path, text] = pathOf(needed(rest, 'Say which file: /attach PATH'));
      said(await islander.enclose(name, [path], { text, onProgress, signal }));
    },
  },
  {
    name: 'save',
    args: 'N [PATH]',
    long: true,
    about: 'saves the attachments of message N',
    async run({ islander, message, onProgress, signal, tell }, rest) {
      const [called, path] = firstOf(rest);
      const { attachments = [] } = await message(needed(called, 'Say which message: /save 7'));
      if (attachmentsOf({ attachments }).length === 0)
        throw new Mistake('That message has no attachment.');
      const [to] = pathOf(path || '.');
      for (const descriptor of attachments.map(decodeDescriptor)) {
        const file = await islander.save(descriptor, to, { onProgress, signal });
        tell([`Saved: ${file}`], { type: 'saved', file });
      }
    },
  },
  {
    name: 'timer',
    args: '30s|5m|8h|1d|4w|off',
    about: 'how long messages live from now on',
    async run({ islander, name, tell }, rest) {
      if (rest === '') {
        const seconds = await islander.conversations.timer(name);
        tell(
          [seconds > 0 ? `Messages disappear after ${durationText(seconds)}.` : 'Messages stay.'],
          { type: 'timer', seconds },
        );
        return;
      }
      const seconds = parseDuration(rest);
      if (seconds === undefined) throw new Mistake('Say how long: /timer 1d, or /timer off');
      await islander.conversations.setTimer(name, seconds);
    },
  },
  {
    name: 'more',
    args: '',
    about: 'shows older messages (Page Up does, too)',
    run: ({ more }) => more?.(),
  },
  {
    name: 'search',
    args: 'WORDS',
    about: 'finds messages of this conversation',
    async run({ islander, name, tell }, rest) {
      needed(rest, 'Say what to look for: /search WORDS');
      const found = await islander.conversations.search(rest, { with: name, limit: 15 });
      tell(foundLines(found), { type: 'found', total: found.total });
    },
  },
  {
    name: 'verify',
    args: '[yes|no]',
    about: 'the number to compare; yes when it is the same',
    async run({ islander, name, tell }, rest) {
      if (rest === 'yes' || rest === 'no') {
        await islander.conversations.setVerified(name, rest === 'yes');
        tell([rest === 'yes' ? `${name} is verified.` : `${name} is not verified any more.`]);
        return;
      }
      const { number, verified } = await islander.conversations.verification(name);
      tell(numberLines(name, number, verified), { type: 'safety-number', name, number, verified });
    },
  },
  {
    name: 'accept',
    args: '',
    about: 'lets somebody in who wrote to you first',
    run: ({ islander, name }) => islander.conversations.accept(name),
  },
  {
    name: 'block',
    args: '',
    about: 'keeps this person out; they are not told',
    run: ({ islander, name }) => islander.conversations.block(name),
  },
  {
    name: 'unblock',
    args: '',
    about: 'takes that back',
    run: ({ islander, name }) => islander.conversations.unblock(name),
  },
  {
    name: 'quit',
    args: '',
    about: 'leaves; what you began to write stays',
    run: ({ quit }) => quit(),
  },
  {
    name: 'help',
    args: '',
    about: 'this',
    run: ({ tell }) => tell(helpLines()),
  },
];

export function helpLines(): string[] {
  const usages = chatCommands.map(({ name, args }) => `/${name} ${args}`.trim());
  const wide = Math.max(...usages.map(({ length }) => length));
  const lines = chatCommands.map(({ about }, i) => `${(usages[i] ?? '').padEnd(wide)}  ${about}`);
  return [...lines, 'A line that begins with // is sent as it is, with one / less.'];
}

export const isCommand = (line: string): boolean => line.startsWith('/') && !line.startsWith('//');
/** A message that begins with a slash. */
export const unescaped = (line: string): string => (line.startsWith('//') ? line.slice(1) : line);

/** By its name, or a beginning of it that no other has. */
function commandOf(line: string): {
  command: ChatCommand | undefined;
  typed: string;
  rest: string;
} {
  const [, typed = '', rest = ''] = /^\/(\S*)\s*([\s\S]*)$/u.exec(line) ?? [];
  const matching = typed === '' ? [] : chatCommands.filter(({ name }) => name.startsWith(typed));
  const exact = matching.find(({ name }) => name === typed);
  return { command: exact ?? (matching.length === 1 ? matching[0] : undefined), typed, rest };
}

export const isLong = (line: string): boolean => commandOf(line).command?.long === true;

/** Throws `Mistake`, and what its work throws. */
export async function runCommand(talk: Talk, line: string): Promise<void> {
  const { command, typed, rest } = commandOf(line);
  if (!command) throw new Mistake(`There is no /${typed}; /help shows what there is.`);
  await command.run(talk, rest.trim());
}

/** A path at the beginning, in quotes if it has spaces; `~` is the home. */
function pathOf(text: string): [path: string, rest: string] {
  const [, quoted, bare = '', rest = ''] =
    /^(?:"([^"]+)"?|((?:\\.|\S)+))\s*([\s\S]*)$/u.exec(text) ?? [];
  const path = quoted ?? bare.replace(/\\(.)/gu, '$1');
  const whole = path === '~' || path.startsWith('~/') ? join(homedir(), path.slice(1)) : path;
  return [resolve(whole), rest];
}
