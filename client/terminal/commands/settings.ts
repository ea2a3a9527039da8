/** `islander settings`: what you let others know. docs/protocol/dm.md §12 */
import type { ConversationSettings } from '../../conversation/settings.ts';
import type { AddCommand } from '../command.ts';
import { openHome } from '../home.ts';
import { rows } from '../rows.ts';
import { usage } from '../usage.ts';

const abouts: Record<keyof ConversationSettings, string> = {
  delivered: 'contacts see that their message came, and you of yours (✓✓)',
  read: 'contacts see that you read it, and you of yours',
  typing: 'contacts see that you are writing',
};
const names = Object.keys(abouts) as (keyof ConversationSettings)[];

export function settingsCommand(add: AddCommand): void {
  add(
    'settings [name] [value]',
    'what you let others know; receipts stands for delivered and read',
    [
      'islander settings',
      'islander settings receipts off',
      'islander settings read on',
      'islander settings typing on',
    ],
    (command) => command,
    async (context, [name, value]) => {
      const { terminal } = context;
      const chosen =
        name === 'receipts'
          ? (['delivered', 'read'] as const)
          : names.filter((each) => each === name);
      if (name !== undefined && (chosen.length === 0 || !(value === 'on' || value === 'off')))
        throw usage(terminal, `Say which of receipts, ${names.join(', ')}, and on or off.`);
      await using home = await openHome(context);
      const { conversations } = home.islander;
      const settings =
        name === undefined
          ? await conversations.settings()
          : await conversations.changeSettings(
              Object.fromEntries(chosen.map((each) => [each, value === 'on'])),
            );
      const table = rows(names.map((each) => [each, settings[each] ? 'on' : 'off', abouts[each]]));
      terminal.say(table, { type: 'settings', ...settings });
    },
  );
}
