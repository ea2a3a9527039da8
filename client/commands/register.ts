/** `islander register`: a new person on an island. */
import { personName } from '@island/protocol/wire/ids.ts';
import { codesShown } from '../codes.ts';
import type { AddCommand } from '../command.ts';
import { nodePlatform } from '../platform-node.ts';
import { askPassword, openQuestions } from '../questions.ts';
import { openJoinLink, register } from '../registration.ts';
import { fileStorage } from '../storage-file.ts';
import { joiningReport } from './report.ts';

export function registerCommand(add: AddCommand): void {
  add(
    'register <link> <name>',
    'makes your keys and your account, with an invite link',
    [
      "islander register 'island://localhost:8443/join?ca=…&invite=…' alice",
      "islander register 'island://…' bob --home ~/bob --password-file bob.txt",
    ],
    (command) => command.option('--password-file <file>', 'file whose first line is the password'),
    async ({ terminal, home, signal }, [link = '', name = ''], { passwordFile }) => {
      // What is wrong on the command line is said before anybody types a password.
      openJoinLink(link);
      personName(name);
      const file = typeof passwordFile === 'string' ? passwordFile : undefined;
      await using storage = fileStorage(home);
      using questions = openQuestions(terminal);
      const password = await askPassword(questions, { file, fresh: true });
      const joining = {
        storage,
        platform: nodePlatform,
        now: Date.now,
        report: joiningReport(terminal),
        signal,
      };
      const { account, codes } = await register(joining, link, name, { password });
      const { address } = account;
      terminal.say(
        `Welcome, ${name}. Your keys are in ${home}: whoever has that folder is you, so keep it to yourself.`,
        {
          type: 'registered',
          name,
          address,
          home,
        },
      );
      terminal.say(`Your backup codes: ${codes.join(' ')}`, { type: 'codes', codes });
      await codesShown(storage);
    },
  );
}
