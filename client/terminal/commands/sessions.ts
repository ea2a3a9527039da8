/** `islander sessions`: where you are signed in, and ending that. */
import { endSession, ownSessions } from '../../sign-in/own-sessions.ts';
import type { AddCommand } from '../command.ts';
import { day } from '../dates.ts';
import { openHome } from '../home.ts';
import { rows } from '../rows.ts';
import { usage } from '../usage.ts';

/** Characters of a session's id that are shown, and enough to name it by. */
const shown = 8;

export function sessionsCommand(add: AddCommand): void {
  add(
    'sessions [action] [session]',
    'where you are signed in; "end" ends one of them, or all "others"',
    ['islander sessions', 'islander sessions end 3fa1b2c4', 'islander sessions end others'],
    (command) => command,
    async (context, [action = 'list', wanted = '']) => {
      const { terminal, signal } = context;
      await using home = await openHome(context);
      const asking = { session: home.islander.session, signal };
      const sessions = await ownSessions(asking);
      if (action === 'list') {
        const lines = sessions.map(({ session, device, begun, used, current }) => [
          session.slice(0, shown),
          `device ${device}`,
          `since ${day(begun)}`,
          `last used ${day(used)}`,
          current ? 'this one' : '',
        ]);
        terminal.say(rows(lines), { type: 'sessions', sessions });
        return;
      }
      if (action !== 'end' || wanted === '')
        throw usage(terminal, 'It is: sessions, sessions end SESSION, or sessions end others.');
      const found = sessions.filter(({ session }) => session.startsWith(wanted));
      if (wanted !== 'others' && found.length !== 1)
        throw usage(
          terminal,
          `There is ${found.length === 0 ? 'no' : 'more than one'} session ${wanted}.`,
        );
      const ended = await endSession(asking, wanted === 'others' ? undefined : found[0]?.session);
      const count = ended === 1 ? 'One session was' : `${ended} sessions were`;
      terminal.say(`${count} ended.`, { type: 'sessions-ended', ended });
    },
  );
}
