/** `islander link`: a device more. Without a link it makes one; with a link it joins. */
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
    'link [link]',
    'adds a device: run it here first, then with the link that it shows on the new one',
    ['islander link', "islander link 'island://…/link?…' --home ~/second"],
    (command) =>
      withSecondFile(withCredentials(command)).option(
        '--digits <digits>',
        'the six digits that the new device shows, instead of being asked whether they are the same',
      ),
    async (context, [link], options) => {
      using questions = openQuestions(context.terminal);
      if (link === undefined) await offer(context, questions, given(options['digits']));
      else await join(context, questions, link, options);
    },
  );
}

/** Six digits, as they are read aloud. */
const spaced = (digits: string): string => `${digits.slice(0, 3)} ${digits.slice(3)}`;

async function offer(
  context: Context,
  questions: Questions,
  digits: string | undefined,
): Promise<void> {
  const { terminal } = context;
  await using home = await openHome(context);
  const { link, offer } = await offerLink(home.keeping);
  const drawn = terminal.stdout.isTTY && !terminal.json ? `${qrCode(link)}\n` : '';
  terminal.say(
    `${drawn}On the new device, within ten minutes:\n\n  islander link '${link}'\n\nWhoever sees this link can try to be that device, so show it to nobody.`,
    { type: 'link', link },
  );
  terminal.status('waiting', 'Waiting for the new device…', 'link');
  const given = await giveByLink(home.keeping, offer, (shown) =>
    agree(context, questions, shown, digits),
  );
  if (!given) throw new Problem('link_not_given');
  terminal.say('The new device has your keys, and is joining your account.', { type: 'linked' });
}

async function agree(
  { terminal }: Context,
  questions: Questions,
  shown: string,
  expected: string | undefined,
): Promise<boolean> {
  if (terminal.json) terminal.say('', { type: 'digits', digits: shown });
  if (expected !== undefined) return expected.replace(/\s/g, '') === shown;
  const answer = await questions.line(
    `Does the new device show ${spaced(shown)}? Only then type yes: `,
  );
  return /^y(es)?$/i.test(answer.trim());
}

async function join(
  context: Context,
  questions: Questions,
  text: string,
  options: Record<string, unknown>,
): Promise<void> {
  const { terminal, home } = context;
  const link = openDeviceLink(text);
  const joined = await (async () => {
    await using storage = fileStorage(home);
    const joining = joiningOf(context, storage);
    const credentials = await askCredentials(context, joining, questions, link, options);
    return await withSecond(questions, given(options['secondFile']), (second) =>
      joinByLink(joining, link, {
        credentials,
        second,
        onDigits: (digits) =>
          terminal.say(`Your other device must show the same: ${spaced(digits)}. Say yes there.`, {
            type: 'digits',
            digits,
          }),
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
