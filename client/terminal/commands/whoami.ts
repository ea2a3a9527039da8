/** `islander whoami`: whose home this is. Asks nobody. */
import { readAccount } from '../../account/account.ts';
import { Problem } from '../../problem.ts';
import { hasSession } from '../../sign-in/session.ts';
import { fileStorage, hasFileStorage } from '../../storage/file.ts';
import type { AddCommand } from '../command.ts';

export function whoamiCommand(add: AddCommand): void {
  add(
    'whoami',
    'says who you are on which island',
    ['islander whoami', 'islander whoami --home ~/bob --json'],
    (command) => command,
    async ({ terminal, home }) => {
      if (!hasFileStorage(home)) throw new Problem('not_registered', { home });
      await using storage = fileStorage(home);
      const self = await readAccount(storage);
      if (self?.state !== 'registered') throw new Problem('not_registered', { home });
      const { name, account, device, address } = self;
      const signedIn = await hasSession(storage);
      terminal.say(
        `${name} on ${address}, device ${device} of account ${account}, ${signedIn ? 'signed in' : 'signed out'}. Home: ${home}`,
        { type: 'whoami', name, account, device, address, signedIn, home },
      );
    },
  );
}
