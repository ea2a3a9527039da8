/** `islander export`: everything of yours, readable without us. */

import type { AddCommand } from '../command.ts';
import { exportData } from '../export.ts';
import { openHome } from '../home.ts';

export function exportCommand(add: AddCommand): void {
  add(
    'export <folder>',
    'writes your messages and your account into a new folder, as text and JSON',
    ['islander export ~/my-messages'],
    (command) => command,
    async (context, [folder = '']) => {
      await using home = await openHome(context);
      const { islander, storage, keeping } = home;
      const { account, session, archive } = islander;
      const parts = { account, storage, session, archive, now: Date.now, signal: keeping.signal };
      const { messages, conversations, missing } = await exportData(parts, folder);
      context.terminal.say(
        `Messages: ${messages}, conversations: ${conversations}. They are in ${folder}, and not encrypted there.`,
        { type: 'exported', folder, messages, conversations },
      );
      if (missing)
        context.terminal.status(
          'missing',
          `What only the island knows is not in it: ${missing.message}`,
        );
    },
  );
}
