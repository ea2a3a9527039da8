/** What commands that sign in ask for: a password, or the organisation's word; and then, if need be, a second factor. */
import { readCode } from '@island/protocol/crypto/backup-code.ts';
import { Fault } from '@island/protocol/wire/fault.ts';
import type { Command } from 'commander';
import { type Joining, pinIsland } from '../joining/joining-parts.ts';
import { nodePlatform } from '../platform-node.ts';
import type { Credentials, Second } from '../sign-in/credentials.ts';
import type { Storage } from '../storage/storage.ts';
import type { Context } from './command.ts';
import { askOrganisation } from './organisation.ts';
import { askPassword, type Questions } from './questions.ts';
import { joiningReport } from './report.ts';

export const withPasswordFile = (command: Command): Command =>
  command.option('--password-file <file>', 'file whose first line is the password');

/** A password, or the organisation's sign-in in its place. */
export const withCredentials = (command: Command): Command =>
  withPasswordFile(command).option(
    '--organisation',
    'sign in with the organisation, in a browser, instead of with a password',
  );

export const withSecondFile = (command: Command): Command =>
  command.option(
    '--second-file <file>',
    'file whose first line is the six digits, or a backup code',
  );

/** The value of an option that takes one. */
export const given = (value: unknown): string | undefined =>
  typeof value === 'string' ? value : undefined;

export const joiningOf = ({ terminal, signal }: Context, storage: Storage): Joining => ({
  storage,
  platform: nodePlatform,
  now: Date.now,
  report: joiningReport(terminal),
  signal,
});

/** `fresh`: a password that is chosen now. */
export async function askCredentials(
  context: Context,
  joining: Joining,
  questions: Questions,
  to: { address: string; caFingerprint: Uint8Array },
  options: Record<string, unknown>,
  fresh = false,
): Promise<Credentials> {
  if (options['organisation'] !== true) {
    const file = given(options['passwordFile']);
    return { password: await askPassword(questions, { file, fresh }) };
  }
  return askOrganisation(context, questions, await pinIsland(joining, to));
}

/** Six digits, or else a backup code. Throws `CodeMistake` for what is neither. */
export function readSecond(text: string): Second {
  const digits = text.replace(/\s/g, '');
  if (/^[0-9]{6}$/.test(digits)) return { totp: digits };
  readCode(text);
  return { code: text };
}

/** The work, and once more with a second factor when the island asks for one. */
export async function withSecond<T>(
  questions: Questions,
  file: string | undefined,
  work: (second: Second | undefined) => Promise<T>,
): Promise<T> {
  try {
    return await work(undefined);
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== 'second_factor_needed') throw error;
    const prompt = 'Six digits, or a backup code: ';
    return work(readSecond(await questions.secret(prompt, { file, missing: 'second_missing' })));
  }
}
