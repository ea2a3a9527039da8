/** What was typed is no command: said where a person looks, with exit code 2. */
import { CommanderError } from 'commander';
import type { Terminal } from './terminal.ts';

export function usage({ stderr }: Pick<Terminal, 'stderr'>, text: string): CommanderError {
  stderr.write(`error: ${text}\n`);
  return new CommanderError(2, 'islander.usage', text);
}
