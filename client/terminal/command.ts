/** What a command of `islander` is given, and how it is added. */
import type { Command } from 'commander';
import type { Terminal } from './terminal.ts';

/** What every command gets. */
export interface Context {
  terminal: Terminal;
  home: string;
  /** Aborted by the first Ctrl-C, SIGTERM or hang-up. */
  signal: AbortSignal;
}

/** Adds a command with the options that all have. */
export type AddCommand = (
  usage: string,
  about: string,
  examples: readonly string[],
  configure: (command: Command) => Command,
  run: (context: Context, args: string[], options: Record<string, unknown>) => Promise<void>,
) => void;

/** Commands that begin with the same word: `server create`, `server role list`. */
export interface CommandGroup {
  name: string;
  about: string;
  commands: readonly ((add: AddCommand) => void)[];
  groups?: readonly CommandGroup[];
}
