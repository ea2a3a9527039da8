/** `islander register`: a new person on an island, with eight backup codes. */
import { personName } from '@island/protocol/wire/ids.ts';
import { codesShown } from '../../account/new-codes.ts';
import { openJoinLink, register } from '../../joining/registration.ts';
import { fileStorage } from '../../storage/file.ts';
import { openSheet, recoverLink } from '../code-sheet.ts';
import type { AddCommand } from '../command.ts';
import { askCredentials, given, joiningOf, withCredentials } from '../credentials.ts';
import { openQuestions } from '../questions.ts';
import { typeOneBack } from './codes.ts';

export function registerCommand(add: AddCommand): void {
  add(
    'register <link> <name>',
    'makes your keys, your account and your backup codes',
    [
      "islander register 'island://localhost:8443/join?ca=…&invite=…' alice",
      "islander register 'island://…' bob --home ~/bob --password-file bob.txt --codes-file codes.txt",
    ],
    (command) =>
      withCredentials(command).option(
        '--codes-file <file>',
        'new file for the backup codes, instead of showing them',
      ),
    async (context, [link = '', name = ''], options) => {
      // What is wrong on the command line is said before anybody types a password.
      const { address, caFingerprint } = openJoinLink(link);
      personName(name);
      const { terminal, home } = context;
      await using storage = fileStorage(home);
      using questions = openQuestions(terminal);
      await using sheet = await openSheet(given(options['codesFile']));
      const joining = joiningOf(context, storage);
      const to = { address, caFingerprint };
      const credentials = await askCredentials(context, joining, questions, to, options, true);
      const made = await register(joining, link, name, credentials);
      terminal.say(
        `Welcome, ${name}. Your keys are in ${home}: whoever has that folder is you, so keep it to yourself.`,
        { type: 'registered', name, address: made.account.address, home },
      );
      await sheet.show(terminal, name, recoverLink(made.account, caFingerprint), made.codes);
      await codesShown(storage);
      await typeOneBack(terminal, questions, made.codes);
    },
  );
}
