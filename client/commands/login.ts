/** `islander login`: signs the device of this home in again. */
import type { AddCommand } from '../command.ts';
import { nodePlatform } from '../platform-node.ts';
import { Problem } from '../problem.ts';
import { askPassword, openQuestions } from '../questions.ts';
import { signIn } from '../sign-in.ts';
import { fileStorage, hasFileStorage } from '../storage-file.ts';
import { joiningReport } from './report.ts';

export function loginCommand(add: AddCommand): void {
  add(
    'login',
    'signs in again, in a home where you registered',
    ['islander login', 'islander login --home ~/bob --password-file bob.txt'],
    (command) => command.option('--password-file <file>', 'file whose first line is the password'),
    async ({ terminal, home, signal }, _args, { passwordFile }) => {
      if (!hasFileStorage(home)) throw new Problem('no_device_keys', { home });
      const file = typeof passwordFile === 'string' ? passwordFile : undefined;
      await using storage = fileStorage(home);
      using questions = openQuestions(terminal);
      const password = await askPassword(questions, { file });
      const joining = {
        storage,
        platform: nodePlatform,
        now: Date.now,
        report: joiningReport(terminal),
        signal,
      };
      const { name, address } = await signIn(joining, { password });
      terminal.say(`Signed in as ${name}.`, { type: 'signed-in', name, address });
    },
  );
}
