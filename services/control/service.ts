/** Control: what operators ask for, over a unix socket. docs/operations.md §8 */
import { join } from 'node:path';
import { defineService } from '../kit/service.ts';
import { openStore } from '../kit/store.ts';
import { openVault } from '../kit/vault.ts';
import { control } from './contract.ts';
import { firstInviteName } from './first-invite.ts';
import { openOperatorSocket } from './operator-socket.ts';
import * as schema from './schema.ts';
import { setupTokenName } from './setup-token.ts';

const migrations = join(import.meta.dirname, 'migrations');

export const controlService = defineService({
  contract: control,
  async start({ bus, data, keys, log, settings }) {
    const { controlSocket } = settings;
    if (controlSocket === undefined) throw new Error('control needs the path of its socket');
    await using held = new AsyncDisposableStack();
    const file = join(data, 'control.sqlite');
    const store = held.use(await openStore({ file, schema, migrations, log }));
    const { secrets } = held.use(await openVault({ store, keys, log }));
    for (const name of [setupTokenName, firstInviteName])
      await secrets.adopt(name, join(data, name));
    held.use(await openOperatorSocket(controlSocket, { bus, store, log, secrets }));
    const stack = held.move();
    return { [Symbol.asyncDispose]: () => stack.disposeAsync() };
  },
});
