/** `islander codes`: how many backup codes are left, whether one is good, and eight new ones. */
import { CodeMistake, readCode } from '@island/protocol/crypto/backup-code.ts';
import { codesShown, readUnshown } from '../../account/new-codes.ts';
import { codesLeft, regenerateCodes, testCode } from '../../account/own-codes.ts';
import { nodePlatform } from '../../platform-node.ts';
import { rootFingerprint } from '../../transport/root-fingerprint.ts';
import { leftSentence, openSheet, recoverLink } from '../code-sheet.ts';
import type { AddCommand, Context } from '../command.ts';
import { given } from '../credentials.ts';
import { type Home, openHome } from '../home.ts';
import { PartlyFailed } from '../partly-failed.ts';
import { openQuestions, type Questions } from '../questions.ts';
import type { Terminal } from '../terminal.ts';
import { usage } from '../usage.ts';

export function codesCommand(add: AddCommand): void {
  add(
    'codes [action]',
    'your backup codes: how many are left; "test" tries one without using it up, "new" makes eight others',
    ['islander codes', 'islander codes test', 'islander codes new --codes-file codes.txt'],
    (command) =>
      command
        .option('--code-file <file>', 'file whose first line is the code to be tested')
        .option('--codes-file <file>', 'new file for the new codes, instead of showing them'),
    async (context, [action = 'status'], options) => {
      const act = { status, test, new: renew }[action];
      if (!act) throw usage(context.terminal, 'It is: codes, codes test, or codes new.');
      await using home = await openHome(context);
      using questions = openQuestions(context.terminal);
      await act(context, home, questions, options);
    },
  );
}

type Act = (
  context: Context,
  home: Home,
  questions: Questions,
  options: Record<string, unknown>,
) => Promise<void>;

const status: Act = async ({ terminal }, { keeping }) => {
  const left = await codesLeft(keeping);
  terminal.say(leftSentence(left), { type: 'codes-left', left });
};

const test: Act = async ({ terminal }, { keeping }, questions, options) => {
  const asking = { file: given(options['codeFile']), missing: 'code_missing' } as const;
  const code = await questions.secret('Backup code: ', asking);
  const { state, left } = await testCode(keeping, nodePlatform, code);
  const sentences = {
    good: 'This code is good, and still unused.',
    used: 'This code was used already.',
    unknown:
      'This code opens nothing here: it was used, or is of an older set, or of another account.',
  };
  terminal.say(`${sentences[state]} ${leftSentence(left)}`, { type: 'code-tested', state, left });
  if (state !== 'good') throw new PartlyFailed();
};

const renew: Act = async (context, { keeping, storage, islander }, questions, options) => {
  const { terminal } = context;
  await using sheet = await openSheet(given(options['codesFile']));
  terminal.status('hashing', 'Making eight codes…');
  const codes = await regenerateCodes(keeping, nodePlatform);
  const { name, pinned } = islander.account;
  const link = recoverLink({ ...pinned, name }, rootFingerprint(pinned.root));
  terminal.say('The codes of before are dead.', { type: 'codes-replaced' });
  await sheet.show(terminal, name, link, codes);
  await codesShown(storage);
  await typeOneBack(terminal, questions, codes);
};

/** Codes that are there and that nobody has seen, because a program ended too early. */
export async function showUnseen(context: Context, { storage, islander }: Home): Promise<void> {
  const codes = await readUnshown(storage);
  if (!codes) return;
  await using sheet = await openSheet(undefined);
  const { name, pinned } = islander.account;
  const link = recoverLink({ ...pinned, name }, rootFingerprint(pinned.root));
  await sheet.show(context.terminal, name, link, codes);
  await codesShown(storage);
}

/** Whoever has them can type one of them: asked at a terminal, and only there. An empty line leaves it. */
export async function typeOneBack(
  terminal: Terminal,
  questions: Questions,
  codes: readonly string[],
): Promise<void> {
  if (!questions.interactive) return;
  const number = 1 + Math.floor(Math.random() * codes.length);
  for (;;) {
    const typed = await questions.line(
      `When you have written them down, type code ${number} (or Enter, to leave it): `,
    );
    if (typed.trim() === '') {
      terminal.status('codes', 'Try them later with: islander codes test');
      return;
    }
    const mistake = mistakeIn(typed, codes[number - 1] ?? '');
    terminal.stderr.write(`${mistake ?? 'Right.'}\n`);
    if (mistake === undefined) return;
  }
}

/** What is wrong with a code that was typed; none where it is the wanted one, however it was spelled. */
function mistakeIn(typed: string, wanted: string): string | undefined {
  try {
    return readCode(typed) === readCode(wanted) ? undefined : 'That is another code.';
  } catch (error) {
    if (error instanceof CodeMistake) return error.message;
    throw error;
  }
}
