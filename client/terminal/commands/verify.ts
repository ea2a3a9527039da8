/** `islander verify`: whether the keys of a person are theirs. docs/protocol/devices.md §9 */
import { base64url } from '@island/protocol/wire/text.ts';
import type { AddCommand } from '../command.ts';
import { openHome } from '../home.ts';
import { qrCode } from '../qr-code.ts';
import { openQuestions } from '../questions.ts';
import { numberLines, seenDirectory } from '../safety.ts';

export function verifyCommand(add: AddCommand): void {
  add(
    'verify <name>',
    'shows the number that you and a person compare, so that not even the island can stand between you',
    ['islander verify bob', 'islander verify bob --undo', 'islander verify bob --json'],
    (command) => command.option('--undo', 'counts as not compared'),
    async (context, [name = ''], { undo }) => {
      const { terminal } = context;
      await using home = await openHome(context);
      const { conversations } = home.islander;
      if (undo === true) {
        await conversations.setVerified(name, false);
        terminal.say(`${name} counts as not verified.`, {
          type: 'verified',
          name,
          verified: false,
        });
        return;
      }
      const { number, code, verified } = await conversations.verification(name);
      const lines = numberLines(name, number, verified);
      const seen = await seenDirectory(home.storage);
      const scan = ['', qrCode(code), `(Or let ${name} scan this.)`];
      terminal.say([...lines, ...seen.lines, ...scan].join('\n'), {
        ...{ type: 'safety-number', name, number, verified },
        code: base64url(code),
        ...seen.object,
      });
      if (verified) return;
      using questions = openQuestions(terminal);
      if (terminal.json && questions.interactive) return;
      const answer = await questions.line(
        '\nIs it the same on both sides? Type yes, or anything else: ',
      );
      const same = answer.trim().toLowerCase() === 'yes';
      if (same) await conversations.setVerified(name, true);
      terminal.say(same ? `${name} is verified.` : `${name} stays unverified.`, {
        ...{ type: 'verified', name, verified: same },
      });
    },
  );
}
