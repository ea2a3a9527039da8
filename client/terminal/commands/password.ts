/** `islander password`: another password. */
import { changePassword } from '../../sign-in/password-change.ts';
import type { AddCommand } from '../command.ts';
import { given, joiningOf, withPasswordFile } from '../credentials.ts';
import { openHome } from '../home.ts';
import { askPassword, openQuestions } from '../questions.ts';

export function passwordCommand(add: AddCommand): void {
  add(
    'password',
    'changes your password, and signs out your other devices',
    ['islander password', 'islander password --by-code'],
    (command) =>
      withPasswordFile(command)
        .option('--new-password-file <file>', 'file whose first line is the new password')
        .option('--by-code', 'with a backup code instead of the password of now')
        .option('--code-file <file>', 'file whose first line is the backup code'),
    async (context, _args, options) => {
      const { terminal } = context;
      await using home = await openHome(context);
      using questions = openQuestions(terminal);
      const code = { file: given(options['codeFile']), missing: 'code_missing' } as const;
      const authority =
        options['byCode'] === true
          ? { code: await questions.secret('Backup code: ', code) }
          : { password: await askPassword(questions, { file: given(options['passwordFile']) }) };
      const file = given(options['newPasswordFile']);
      const next = await askPassword(questions, { file, fresh: true });
      const joining = joiningOf(context, home.storage);
      await changePassword(joining, home.keeping, home.islander.transport, { authority, next });
      terminal.say('The password is changed. Your other devices have to sign in again.', {
        type: 'password-changed',
      });
    },
  );
}
