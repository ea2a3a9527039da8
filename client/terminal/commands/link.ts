/** `islander link`: a device more. Here it shows a link; with `--join`, on the new device, it asks for it. */
import { parseIslandLink } from '@island/protocol/wire/island-link.ts';
import { giveByLink, joinByLink, offerLink } from '../../joining/linking.ts';
import { Problem } from '../../problem.ts';
import { fileStorage } from '../../storage/file.ts';
import type { AddCommand, Context } from '../command.ts';
import {
  askCredentials,
  given,
  joiningOf,
  withCredentials,
  withSecond,
  withSecondFile,
} from '../credentials.ts';
import { openHome } from '../home.ts';
import { qrCode } from '../qr-code.ts';
import { openQuestions, type Questions } from '../questions.ts';
import { welcomeBack } from '../welcome.ts';

export function linkCommand(add: AddCommand): void {
  add(
    'link',
    'adds a device: run it here first, then with --join on the new one',
    ['islander link', 'islander link --join --home ~/second'],
    (command) =>
      withSecondFile(withCredentials(command))
        .option('--join', 'join by the link of another device, which is asked for')
        .option('--link-file <file>', 'join by the link in the first line of this file'),
    async (context, _args, options) => {
      using questions = openQuestions(context.terminal);
      const file = given(options['linkFile']);
      if (options['join'] !== true && file === undefined) await offer(context, questions);
      else await join(context, questions, file, options);
    },
  );
}

/** Six digits, as they are read aloud. */
const spaced = (digits: string): string => `${digits.slice(0, 3)} ${digits.slice(3)}`;

async function offer(context: Context, questions: Questions): Promise<void> {
  const { terminal } = context;
  await using home = await openHome(context);
  const { link, offer } = await offerLink(home.keeping);
  const drawn = terminal.stdout.isTTY && !terminal.json ? `${qrCode(link)}\n` : '';
  terminal.say(
    `${drawn}On the new device, within ten minutes:\n\n  islander link --join\n\nand there, when it asks for the link:\n\n  ${link}\n\nWhoever sees this link can try to be that device, so show it to nobody.`,
    { type: 'link', link },
  );
  terminal.status('waiting', 'Waiting for the new device…', 'link');
  const given = await giveByLink(home.keeping, offer, (digits) =>
    agree(context, questions, digits),
  );
  if (!given) throw new Problem('link_not_given');
  terminal.say('The new device has your keys, and is joining your account.', { type: 'linked' });
}

async function agree(
  { terminal }: Context,
  questions: Questions,
  digits: string,
): Promise<boolean> {
  terminal.say(`Type these digits on the new device: ${spaced(digits)}`, {
    type: 'digits',
    digits,
  });
  const answer = await questions.line(
    'Does the new device say that they are right? Only then type yes: ',
  );
  return /^y(es)?$/i.test(answer.trim());
}

async function join(
  context: Context,
  questions: Questions,
  file: string | undefined,
  options: Record<string, unknown>,
): Promise<void> {
  const { terminal, home } = context;
  const asking = { file, missing: 'bad_device_link' } as const;
  const link = openDeviceLink(
    (await questions.secret('Link (nothing shows what you paste): ', asking)).trim(),
  );
  const joined = await (async () => {
    await using storage = fileStorage(home);
    const joining = joiningOf(context, storage);
    const credentials = await askCredentials(context, joining, questions, link, options);
    return await withSecond(questions, given(options['secondFile']), (second) =>
      joinByLink(joining, link, {
        credentials,
        second,
        askDigits: (again) => {
          terminal.status('digits', 'Your other device shows six digits.', 'digits');
          return questions.line(
            `${again ? 'Those are not the digits of this device. Once more: ' : 'The digits that it shows: '}`,
          );
        },
        onDigits: () =>
          terminal.say('The digits are right. Say yes on the other device.', { type: 'right' }),
      }),
    );
  })();
  await welcomeBack(context, joined);
}

function openDeviceLink(text: string) {
  try {
    const link = parseIslandLink(text);
    if (link.kind === 'link') return link;
  } catch (cause) {
    throw new Problem('bad_device_link', {}, { cause });
  }
  throw new Problem('bad_device_link');
}
