/** `islander login`: signs the device of this home in again. */
import { readAccount } from '../../account/account.ts';
import { renewAfterCode } from '../../account/own-devices.ts';
import { Problem } from '../../problem.ts';
import { signInOrExplain } from '../../sign-in/removal.ts';
import { fileStorage, hasFileStorage } from '../../storage/file.ts';
import type { AddCommand } from '../command.ts';
import { given, joiningOf, withPasswordFile, withSecond, withSecondFile } from '../credentials.ts';
import { openHome } from '../home.ts';
import { askOrganisation } from '../organisation.ts';
import { askPassword, openQuestions } from '../questions.ts';
import { showUnseen } from './codes.ts';

export function loginCommand(add: AddCommand): void {
  add(
    'login',
    'signs in again, in a home of yours',
    ['islander login', 'islander login --home ~/bob --password-file bob.txt'],
    (command) =>
      withSecondFile(withPasswordFile(command)).option(
        '--password-changed',
        'the password was changed on another device',
      ),
    async (context, _args, options) => {
      const { terminal, home } = context;
      if (!hasFileStorage(home)) throw new Problem('no_device_keys', { home });
      await using storage = fileStorage(home);
      using questions = openQuestions(terminal);
      const joining = joiningOf(context, storage);
      const known = await readAccount(storage);
      if (!known) throw new Problem('no_device_keys', { home });
      const credentials = known.password
        ? { password: await askPassword(questions, { file: given(options['passwordFile']) }) }
        : await askOrganisation(context, questions, known);
      let byCode = false;
      const { name, address } = await withSecond(
        questions,
        given(options['secondFile']),
        (second) => {
          byCode = second !== undefined && 'code' in second;
          const passwordChanged = options['passwordChanged'] === true;
          return signInOrExplain(joining, { ...credentials, second, passwordChanged });
        },
      );
      terminal.say(`Signed in as ${name}.`, { type: 'signed-in', name, address });
      await using signedIn = await openHome(context);
      if (byCode) await renewAfterCode(signedIn.keeping);
      await showUnseen(context, signedIn);
    },
  );
}
