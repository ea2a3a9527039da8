/** What a person types in a conversation that is no message: `/reply 7 Yes`. */
import { conversationCommands } from './conversation-commands.ts';
import { fileCommands } from './file-commands.ts';
import { messageCommands } from './message-commands.ts';
import { type ChatCommand, Mistake, type Talk } from './talk.ts';

export const chatCommands: readonly ChatCommand[] = [
  ...messageCommands,
  ...fileCommands,
  ...conversationCommands,
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
export function commandOf(line: string): {
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
