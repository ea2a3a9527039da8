/** `islander 2fa`: six digits of an authenticator beside the password. */

import { Fault } from '@island/protocol/wire/fault.ts';
import { nodePlatform } from '../../platform-node.ts';
import { beginTwoFactor, confirmTwoFactor, endTwoFactor } from '../../sign-in/two-factor.ts';
import { leftSentence } from '../code-sheet.ts';
import type { AddCommand, Context } from '../command.ts';
import { given, readSecond, withSecondFile } from '../credentials.ts';
import { type Home, openHome } from '../home.ts';
import { qrCode } from '../qr-code.ts';
import { openQuestions, type Questions } from '../questions.ts';
import type { Terminal } from '../terminal.ts';
import { usage } from '../usage.ts';

export function twoFactorCommand(add: AddCommand): void {
  add(
    '2fa [action]',
    'six digits at sign-in, from an authenticator: "on" and "off"; without a word, whether they are on',
    ['islander 2fa', 'islander 2fa on', 'islander 2fa off'],
    withSecondFile,
    async (context, [action = 'status'], options) => {
      const act = { status, on, off }[action];
      if (!act) throw usage(context.terminal, 'It is: 2fa, 2fa on, or 2fa off.');
      await using home = await openHome(context);
      using questions = openQuestions(context.terminal);
      await act(context, home, questions, given(options['secondFile']));
    },
  );
}

type Act = (
  context: Context,
  home: Home,
  questions: Questions,
  file: string | undefined,
) => Promise<void>;

const status: Act = async ({ terminal, signal }, { islander }) => {
  const { totp, codes } = await islander.session.call('account', {}, { signal });
  const sentence = totp ? 'Six-digit sign-in is on.' : 'Six-digit sign-in is off.';
  terminal.say(`${sentence} ${leftSentence(codes)}`, { type: '2fa', on: totp, codesLeft: codes });
};

const on: Act = async ({ terminal }, { keeping, islander }, questions, file) => {
  const { name, pinned } = islander.account;
  const { host } = new URL(pinned.address);
  const { secret, uri } = await beginTwoFactor(keeping, { island: host, name });
  const drawn = terminal.stdout.isTTY && !terminal.json ? `${qrCode(uri)}\n` : '';
  const spaced = secret.replace(/(.{4})/g, '$1 ').trim();
  terminal.say(
    `${drawn}Show this to your authenticator, or type the secret into it:\n\n  ${spaced}\n  ${uri}\n`,
    { type: '2fa-begun', secret, uri },
  );
  await untilRight(terminal, questions, file, (digits) => confirmTwoFactor(keeping, digits));
  terminal.say(
    'Six-digit sign-in is on. A backup code stands in for the digits, once each, when the authenticator is lost.',
    { type: '2fa', on: true },
  );
};

const off: Act = async ({ terminal }, { keeping }, questions, file) => {
  const prompt = 'Six digits, or a backup code: ';
  const typed = await questions.secret(prompt, { file, missing: 'second_missing' });
  await endTwoFactor(keeping, nodePlatform, readSecond(typed));
  terminal.say('Six-digit sign-in is off: the password alone signs in.', {
    type: '2fa',
    on: false,
  });
};

/** At a terminal a wrong digit is no reason to begin again with another secret. */
async function untilRight(
  { stderr }: Terminal,
  questions: Questions,
  file: string | undefined,
  confirm: (digits: string) => Promise<void>,
): Promise<void> {
  for (;;) {
    const asking = { file, missing: 'second_missing' } as const;
    const typed = (await questions.secret('Six digits that it shows: ', asking)).replace(/\s/g, '');
    try {
      if (!/^[0-9]{6}$/.test(typed)) throw new Fault('wrong_totp');
      await confirm(typed);
      return;
    } catch (error) {
      const wrong = error instanceof Fault && error.code === 'wrong_totp';
      if (!wrong || !questions.interactive || file !== undefined) throw error;
      stderr.write(`${error.message}\n`);
    }
  }
}
