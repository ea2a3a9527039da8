/** `islander account end`: ends your account on the island, for good. docs/protocol/accounts.md §10 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { readAccount } from '../../account/account.ts';
import { endAccount } from '../../account/ending.ts';
import { Problem } from '../../problem.ts';
import type { AddCommand } from '../command.ts';
import { given, joiningOf, withPasswordFile, withSecond, withSecondFile } from '../credentials.ts';
import { openHome } from '../home.ts';
import { askOrganisation } from '../organisation.ts';
import { askPassword, openQuestions } from '../questions.ts';
import { usage } from '../usage.ts';

const warning = (name: string): string => `This ends the account of ${name}, for good.

Gone from the island: your devices' keys, your archive there, mail that waits, your password, codes and sessions.
What stays: what you wrote is still with those who received it; files that you sent go when their time is over.
The log of keys keeps two numbers that nobody can turn back into your name or account, and nobody is given the
name ${name} again.

`;

/** What makes up a home; a folder that has anything else stays. */
const parts = ['store.db', 'store.db-wal', 'store.db-shm', 'locks'];

export function accountCommand(add: AddCommand): void {
  add(
    'account <action>',
    '"end" ends your account on the island, for good; says first what goes and what stays',
    ['islander account end', 'islander account end --keep-history'],
    (command) =>
      withSecondFile(withPasswordFile(command))
        .option('--keep-history', 'keeps keys and messages in this home')
        .option('--remove-history', 'removes keys and messages from this home without asking')
        .option('--name <name>', 'your name, typed once more, where nobody is asked'),
    async (context, [action], options) => {
      const { terminal, home: folder } = context;
      if (action !== 'end') throw usage(terminal, 'It is: account end.');
      using questions = openQuestions(terminal);
      let published = false;
      let name = '';
      {
        await using home = await openHome(context);
        const { islander, storage, keeping } = home;
        name = islander.account.name;
        terminal.stderr.write(warning(name));
        const typed = given(options['name']) ?? (await questions.line('Your name, to go on: '));
        const joining = joiningOf(context, storage);
        const known = await readAccount(storage);
        if (!known) throw new Problem('not_registered', { home: folder });
        if (typed.trim() !== name) throw new Problem('account_name_differs', { name });
        const credentials = known.password
          ? { password: await askPassword(questions, { file: given(options['passwordFile']) }) }
          : await askOrganisation(context, questions, known);
        const file = given(options['secondFile']);
        const ended = await withSecond(questions, file, (second) =>
          endAccount(joining, keeping, islander.transport, {
            ...{ name: typed.trim(), credentials },
            ...(second && { second }),
          }),
        );
        published = ended.published;
      }
      const removed = await removeHome(folder, options, questions);
      const log = published
        ? 'The log of keys shows that to everybody.'
        : 'The log of keys shows that as soon as its witnesses have signed it.';
      const left = removed
        ? 'Keys and messages are gone from this device.'
        : 'Keys and messages stay in this home; islander export takes the messages out.';
      terminal.say(`The account of ${name} has ended. ${log} ${left}`, {
        ...{ type: 'account-ended', name, published, removed },
      });
    },
  );
}

async function removeHome(
  folder: string,
  options: Record<string, unknown>,
  questions: { interactive: boolean; line(prompt: string): Promise<string> },
): Promise<boolean> {
  if (options['keepHistory'] === true) return false;
  const asked = options['removeHistory'] !== true;
  if (asked && !questions.interactive) return false;
  const prompt = `Remove keys and messages from ${folder}, too? They can't be had back. (yes/no) `;
  if (asked && (await questions.line(prompt)).trim().toLowerCase() !== 'yes') return false;
  for (const part of parts) await rm(join(folder, part), { recursive: true, force: true });
  return true;
}
