/** Says what a person waits for while an account is made or signed in. */
import type { Joining } from '../joining/joining-parts.ts';
import type { Terminal } from './terminal.ts';

const texts = {
  connecting: 'Connecting to the island…',
  hashing: 'Hashing the password (this takes a moment, so that guessing takes ages)…',
  registering: 'Asking the island…',
  waiting: 'The island is not ready; trying again…',
} as const;

export const joiningReport =
  (terminal: Terminal): NonNullable<Joining['report']> =>
  (step) =>
    terminal.status(step, texts[step]);
