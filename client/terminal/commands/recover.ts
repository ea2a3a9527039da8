/** `islander recover`: your account on a new device, with a backup code; or a new beginning, when all is lost. */
import { personName } from '@island/protocol/wire/ids.ts';
import { parseIslandLink } from '@island/protocol/wire/island-link.ts';
import { codesShown } from '../../account/new-codes.ts';
import type { Joining } from '../../joining/joining-parts.ts';
import type { Destination } from '../../joining/leave.ts';
import { recover } from '../../joining/recovery.ts';
import { askReset, resetAccount } from '../../joining/reset.ts';
import { Problem } from '../../problem.ts';
import type { Credentials } from '../../sign-in/credentials.ts';
import { fileStorage } from '../../storage/file.ts';
import { openSheet, recoverLink } from '../code-sheet.ts';
import type { AddCommand, Context } from '../command.ts';
import {
  askCredentials,
  given,
  joiningOf,
  withCredentials,
  withSecond,
  withSecondFile,
} from '../credentials.ts';
import { openQuestions, type Questions } from '../questions.ts';
import { welcomeBack } from '../welcome.ts';

export function recoverCommand(add: AddCommand): void {
  add(
    'recover <link> [name]',
    'brings everything back on a new device, with your password and one backup code',
    [
      "islander recover 'island://localhost:8443/recover?ca=…&name=alice'",
      "islander recover 'island://…' --home ~/new --password-file pw.txt --code-file code.txt",
      "islander recover 'island://…' --reset",
    ],
    (command) =>
      withSecondFile(withCredentials(command))
        .option('--code-file <file>', 'file whose first line is the backup code')
        .option(
          '--reset',
          'without device and code: begins the account anew, after three days; what was said is lost',
        )
        .option('--codes-file <file>', 'with --reset: new file for the new backup codes'),
    async (context, [link = '', name], options) => {
      const to = destination(link, name);
      using questions = openQuestions(context.terminal);
      const bring = options['reset'] === true ? beginAnew : byCode;
      const joined = await (async () => {
        await using storage = fileStorage(context.home);
        const joining = joiningOf(context, storage);
        const credentials = await askCredentials(context, joining, questions, to, options);
        return await bring({ context, joining, questions, to, credentials, options });
      })();
      if (joined) await welcomeBack(context, joined);
    },
  );
}

interface Bringing {
  context: Context;
  joining: Joining;
  questions: Questions;
  to: Destination;
  credentials: Credentials;
  options: Record<string, unknown>;
}

/** A link to join by says where the island is, too; then the name is asked for. */
function destination(text: string, name: string | undefined): Destination {
  const link = (() => {
    try {
      return parseIslandLink(text);
    } catch (cause) {
      throw new Problem('bad_recover_link', {}, { cause });
    }
  })();
  const { address, caFingerprint } = link;
  if (link.kind === 'recover') {
    if (name !== undefined && name !== link.name) throw new Problem('bad_recover_link');
    return { address, caFingerprint, name: link.name };
  }
  if (link.kind !== 'join' || name === undefined) throw new Problem('bad_recover_link');
  return { address, caFingerprint, name: personName(name) };
}

async function byCode({ joining, questions, to, credentials, options }: Bringing) {
  const asking = { file: given(options['codeFile']), missing: 'code_missing' } as const;
  const code = await questions.secret('Backup code: ', asking);
  return recover(joining, to, { credentials, code });
}

async function beginAnew({ context, joining, questions, to, credentials, options }: Bringing) {
  const { terminal } = context;
  const secondFile = given(options['secondFile']);
  await using sheet = await openSheet(given(options['codesFile']));
  return await withSecond(questions, secondFile, async (second) => {
    const shown = { credentials, second };
    const seconds = await askReset(joining, to, shown);
    if (seconds > 0) {
      const hours = Math.ceil(seconds / 3600);
      terminal.say(
        `Your account can be begun anew in ${hours} hours, unless one of its devices objects. Run the same command then.`,
        { type: 'reset-asked', seconds },
      );
      return undefined;
    }
    const joined = await resetAccount(joining, to, shown);
    await sheet.show(terminal, to.name, recoverLink(to, to.caFingerprint), joined.codes);
    await codesShown(joining.storage);
    return joined;
  });
}
