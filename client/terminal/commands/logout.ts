/** `islander logout`: ends this device's session on the island; keys and messages stay. */
import { sessionKey } from '../../sign-in/session.ts';
import type { AddCommand } from '../command.ts';
import { openHome } from '../home.ts';

export function logoutCommand(add: AddCommand): void {
  add(
    'logout',
    'signs this device out; your keys and messages stay in the home',
    ['islander logout'],
    (command) => command,
    async (context) => {
      await using home = await openHome(context);
      const { islander, storage } = home;
      await islander.session.call('logout', {}, { signal: context.signal });
      await storage.commit({ remove: [sessionKey] });
      const { name } = islander.account;
      context.terminal.say(`Signed out. To come back: npx islander login`, {
        type: 'signed-out',
        name,
      });
    },
  );
}
