/** `islander search`: finds what was said, on this device. */
import { InvalidArgumentError } from 'commander';
import type { AddCommand } from '../command.ts';
import { foundLines } from '../found.ts';
import { openHome } from '../home.ts';

export function searchCommand(add: AddCommand): void {
  add(
    'search <words...>',
    'finds messages with all of these words, or words that begin so; nobody else learns of it',
    ['islander search train friday', 'islander search ticket --with bob'],
    (command) =>
      command
        .option('--with <name>', 'only in the conversation with this person')
        .option('--limit <n>', 'so many, the newest', toLimit, 50),
    async (context, words, { with: name, limit }) => {
      const { terminal } = context;
      await using home = await openHome(context);
      const found = await home.islander.conversations.search(words.join(' '), {
        limit: Number(limit),
        ...(typeof name === 'string' && { with: name }),
      });
      if (!terminal.json) {
        terminal.say(foundLines(found).join('\n'), {});
        return;
      }
      for (const { name: whose, message } of found.messages) {
        const { id, text, direction, time } = message;
        terminal.say('', { type: 'found', name: whose, direction, id, text, time });
      }
      const { total, since, complete } = found;
      terminal.say('', { type: 'searched', total, since, complete });
    },
  );
}

function toLimit(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new InvalidArgumentError('It has to be a whole number from 1.');
  return value;
}
