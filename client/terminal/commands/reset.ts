/** `islander reset`: whether somebody asked to begin your account anew, and objecting to it. */
import { cancelReset } from '../../joining/reset.ts';
import type { AddCommand } from '../command.ts';
import { openHome } from '../home.ts';
import { usage } from '../usage.ts';

export function resetCommand(add: AddCommand): void {
  add(
    'reset [action]',
    'whether somebody asked to begin your account anew, without its devices; "refuse" objects',
    ['islander reset', 'islander reset refuse'],
    (command) => command,
    async (context, [action = 'status']) => {
      const { terminal, signal } = context;
      if (action !== 'status' && action !== 'refuse')
        throw usage(terminal, 'It is: reset, or reset refuse.');
      await using home = await openHome(context);
      const { session } = home.islander;
      if (action === 'refuse') {
        await cancelReset(session, signal);
        terminal.say(
          'Your account is not begun anew. Whoever asked for it knows your password: change it with islander password.',
          { type: 'reset-refused' },
        );
        return;
      }
      const { reset } = await session.call('account', {}, { signal });
      terminal.say(resetSentence(reset), { type: 'reset', seconds: reset ?? null });
    },
  );
}

/** `seconds` until it can be done; none when nobody asked. */
const resetSentence = (seconds: number | undefined): string =>
  seconds === undefined
    ? 'Nobody has asked to begin your account anew.'
    : `Somebody asked to begin your account anew; it can be done in ${Math.ceil(seconds / 3600)} hours. If that was not you: islander reset refuse`;
