/** `islander export`: everything of yours, readable without us. */

import type { AddCommand } from '../command.ts';
import { type Exporting, exportData } from '../export.ts';
import { openHome } from '../home.ts';
import { progressOn } from '../progress.ts';

export function exportCommand(add: AddCommand): void {
  add(
    'export <folder>',
    'writes your messages and your account into a new folder, as text and JSON',
    ['islander export ~/my-messages', 'islander export ~/my-messages --attachments'],
    (command) => command.option('--attachments', 'fetches what was sent along, too'),
    async (context, [folder = ''], { attachments: fetched }) => {
      await using home = await openHome(context);
      const { islander, storage, keeping } = home;
      const { account, session, archive } = islander;
      const { signal } = keeping;
      const onProgress = progressOn(context.terminal);
      const saveAttachment: Exporting['saveAttachment'] = (descriptor, into) =>
        islander.save(descriptor, into, { onProgress, signal });
      const parts = { account, storage, session, archive, now: Date.now, signal };
      const exported = await exportData(
        { ...parts, ...(fetched === true && { saveAttachment }) },
        folder,
      );
      const { messages, conversations, attachments, lost, missing } = exported;
      const files = fetched === true ? `, attachments: ${attachments}` : '';
      context.terminal.say(
        `Messages: ${messages}, conversations: ${conversations}${files}. They are in ${folder}, and not encrypted there.`,
        { type: 'exported', folder, messages, conversations, attachments, lost },
      );
      if (lost > 0)
        context.terminal.status('lost', `Attachments that could not be fetched any more: ${lost}.`);
      if (missing)
        context.terminal.status(
          'missing',
          `What only the island knows is not in it: ${missing.message}`,
        );
    },
  );
}
